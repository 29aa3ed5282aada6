"""What a connection does as time goes by, with the clock given and a real socket pair."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from time import monotonic

import pytest

from faas_runtime.call import Call
from faas_runtime.connection import HttpConnection
from faas_runtime.limits import HEAD_DEADLINE, IDLE_TIMEOUT, LINGER, REQUEST_DEADLINE
from faas_runtime.response import BUSY, HEALTHY


class Answering:
    """A server that answers everything at once, or keeps it."""

    def __init__(self, keep: bool = False) -> None:
        self.keep = keep
        self.calls: list[Call] = []
        self.room = True

    def opened(self, connection: HttpConnection) -> bytes | None:
        return None if self.room else BUSY

    def closed(self, connection: HttpConnection) -> None:
        pass

    def receive(self, call: Call) -> None:
        self.calls.append(call)
        if not self.keep:
            call.connection.respond(call, HEALTHY)


Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def drive(server: Answering, story: Callable[[HttpConnection, Client], Awaitable[None]]) -> None:
    """Run a story with a server's connection and the client's end of it."""

    async def main() -> None:
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: HttpConnection(server, loop), sock=ours)
        client = await asyncio.open_connection(sock=theirs)
        try:
            async with asyncio.timeout(10):
                await story(connection, client)
        finally:
            connection.transport.abort()
            client[1].close()

    asyncio.run(main())


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until what the client has sent is read."""
    while not condition():  # noqa: ASYNC110 -- what is tested has no event for it, and should not have
        await asyncio.sleep(0)


REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd"


@pytest.mark.parametrize(("sent", "deadline"), [(b"P", HEAD_DEADLINE), (REQUEST[:-1], REQUEST_DEADLINE)])
def test_a_request_that_never_ends_is_refused_at_its_deadline(sent: bytes, deadline: float) -> None:
    async def story(connection: HttpConnection, client: Client) -> None:
        reader, writer = client
        writer.write(sent)
        await until(lambda: connection.partial_since)
        begun = connection.partial_since
        connection.sweep(begun + deadline - 0.1, LINGER)
        assert not connection.closing
        connection.sweep(begun + deadline + 0.1, LINGER)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 408 ")
        connection.sweep(monotonic() + LINGER + 0.1, LINGER)
        assert connection.transport.is_closing()

    drive(Answering(), story)


def test_trickling_does_not_renew_the_deadline() -> None:
    async def story(connection: HttpConnection, client: Client) -> None:
        client[1].write(b"P")
        await until(lambda: connection.partial_since)
        begun = connection.partial_since
        client[1].write(b"O")
        await until(lambda: connection.head_size == 2)
        assert connection.partial_since == begun

    drive(Answering(), story)


def test_an_idle_connection_is_kept_and_then_closed() -> None:
    async def story(connection: HttpConnection, client: Client) -> None:
        reader, writer = client
        writer.write(REQUEST)
        assert (await reader.readuntil(b"ok\n")).startswith(b"HTTP/1.1 200 ")
        connection.sweep(connection.idle_since + IDLE_TIMEOUT - 1, LINGER)
        assert not connection.transport.is_closing()
        connection.sweep(connection.idle_since + IDLE_TIMEOUT + 1, LINGER)
        assert await reader.read() == b""

    drive(Answering(), story)


def test_a_running_call_is_never_idle() -> None:
    server = Answering(keep=True)

    async def story(connection: HttpConnection, client: Client) -> None:
        reader, writer = client
        writer.write(REQUEST)
        await until(lambda: server.calls)
        connection.sweep(monotonic() + 10 * IDLE_TIMEOUT, LINGER)
        connection.say_goodbye()
        connection.respond(server.calls[0], HEALTHY)
        assert (await reader.readuntil(b"ok\n")).startswith(b"HTTP/1.1 200 ")

    drive(server, story)


def test_one_connection_too_many_is_told_so() -> None:
    server = Answering()
    server.room = False

    async def story(connection: HttpConnection, client: Client) -> None:
        answer = await client[0].read()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Faas-Error: busy\r\n" in answer

    drive(server, story)


def test_reading_stops_while_pipelined_requests_wait() -> None:
    server = Answering(keep=True)

    async def story(connection: HttpConnection, client: Client) -> None:
        reader, writer = client
        writer.write(REQUEST * 3)
        await until(lambda: server.calls)
        assert len(server.calls) == 1
        assert not connection.transport.is_reading()
        for number in range(3):
            connection.respond(server.calls[number], HEALTHY)
            await reader.readuntil(b"ok\n")
            await asyncio.sleep(0)
        assert len(server.calls) == 3
        assert connection.transport.is_reading()

    drive(server, story)
