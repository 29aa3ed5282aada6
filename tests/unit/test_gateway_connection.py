"""Bounds on slow and silent clients: a real uvicorn on a real socket, with the sweeper's clock moved by hand."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
import uvloop

from services.gateway.connection import IDLE, MAX_HEAD, PATIENCE, SLOWEST, STALLED, Connection, Connections

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]
HEAD = b"POST /a/b HTTP/1.1\r\nHost: x\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body, unless the path says not to, and answers with as many bytes as the path says."""
    body = b""
    while scope["path"] != "/unread":
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    answer = b"x" * int(scope["path"][1:]) if scope["path"][1:].isdigit() else body
    length = [(b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": answer})


async def until(true: Callable[[], bool]) -> None:
    """Lets the loop run until ``true`` says so; the test's own deadline bounds it."""
    while not true():  # noqa: ASYNC110  # the other end of a socket announces nothing
        await asyncio.sleep(0)


class Server:
    """The connections under test."""

    def __init__(self) -> None:
        self.registry = Connections()
        self.port = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def client(self) -> Client:
        """A client, once the server has its connection."""
        known = set(self.registry.open)
        pair = await asyncio.open_connection("127.0.0.1", self.port, limit=2**22)
        self.writers.append(pair[1])
        await until(lambda: bool(self.registry.open - known))
        return pair

    @property
    def connection(self) -> Connection:
        """The only connection."""
        (connection,) = self.registry.open
        return connection

    def sweep(self, later: float) -> None:
        """Sweeps as if ``later`` seconds had passed."""
        now = asyncio.get_running_loop().time()
        for connection in list(self.registry.open):
            connection.sweep(now + later)

    async def arrived(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Sends ``data`` and waits until the server has it."""
        before = self.connection._received
        writer.write(data)
        await writer.drain()
        await until(lambda: self.connection._received >= before + len(data))


@asynccontextmanager
async def serving() -> Any:
    server, config = Server(), uvicorn.Config(app, log_config=None, ws="none", lifespan="off", proxy_headers=False)
    config.load()
    state = uvicorn.server.ServerState()
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(
        lambda: server.registry.make(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        for connection in list(server.registry.open):
            connection.transport.abort()
        listener.close()
        await listener.wait_closed()
        for writer in server.writers:
            writer.transport.abort()
        await until(lambda: not server.registry.open)


def run(test: Callable[[Server], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(45), serving() as server:
            await test(server)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(within())


async def closed(client: Client) -> bytes:
    """All that comes until the server closes."""
    return await client[0].read()


def code_of(received: bytes) -> str:
    return str(json.loads(received.partition(b"\r\n\r\n")[2])["code"])


def test_a_client_that_says_nothing_is_dropped_silently() -> None:
    async def test(server: Server) -> None:
        client = await server.client()
        server.sweep(PATIENCE - 1)
        assert not server.connection.transport.is_closing()
        server.sweep(PATIENCE + 1)
        assert await closed(client) == b""

    run(test)


def test_a_head_that_trickles_is_refused() -> None:
    async def test(server: Server) -> None:
        client = await server.client()
        await server.arrived(client[1], HEAD)
        server.sweep(PATIENCE - 1)
        server.sweep(PATIENCE + 1)
        received = await closed(client)
        assert received.startswith(b"HTTP/1.1 400 ")
        assert code_of(received) == "bad_request"

    run(test)


def test_a_body_that_trickles_is_refused_and_one_that_flows_is_not() -> None:
    async def test(server: Server) -> None:
        client = await server.client()
        await server.arrived(client[1], HEAD + b"Content-Length: 65000\r\n\r\n")
        await server.arrived(client[1], b"x" * 3 * SLOWEST)
        server.sweep(PATIENCE + 2)
        assert not server.connection._refused
        server.sweep(PATIENCE + 4)
        assert code_of(await closed(client)) == "bad_request"

    run(test)


def test_a_refused_client_that_does_not_leave_is_dropped() -> None:
    async def test(server: Server) -> None:
        reader, writer = await server.client()
        writer.write(b"\x00\r\n")
        received = await reader.read()
        assert received.startswith(b"HTTP/1.1 400 ")
        writer.write(b"still here" * 1000)
        assert not server.connection.transport.is_closing()
        server.sweep(PATIENCE + 1)
        assert server.connection.transport.is_closing()

    run(test)


@pytest.mark.parametrize("rest", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"y" * 2 * MAX_HEAD])
def test_nonsense_behind_a_request_does_not_disturb_its_answer(rest: bytes) -> None:
    async def test(server: Server) -> None:
        client = await server.client()
        client[1].write(HEAD + b"Content-Length: 2\r\n\r\n{}" + rest)
        received = await closed(client)
        assert received.startswith(b"HTTP/1.1 200 ")
        assert received.partition(b"\r\n\r\n")[2].startswith(b"{}")  # then perhaps the refusal of what followed

    run(test)


def test_a_body_that_breaks_off_in_nonsense_is_refused() -> None:
    async def test(server: Server) -> None:
        client = await server.client()
        await server.arrived(client[1], HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        client[1].write(b"not a length\r\n")
        assert code_of(await closed(client)) == "bad_request"

    run(test)


def test_an_idle_connection_is_kept_for_a_while() -> None:
    async def test(server: Server) -> None:
        reader, writer = await server.client()
        for _ in range(2):
            writer.write(HEAD + b"Content-Length: 2\r\n\r\n{}")
            assert (await reader.readuntil(b"{}")).startswith(b"HTTP/1.1 200 ")
            server.sweep(IDLE - 1)
            assert not server.connection.transport.is_closing()
        server.sweep(IDLE + 1)
        assert await closed((reader, writer)) == b""

    run(test)


def test_empty_lines_do_not_keep_a_connection() -> None:
    async def test(server: Server) -> None:
        reader, writer = await server.client()
        writer.write(HEAD + b"Content-Length: 2\r\n\r\n{}")
        await reader.readuntil(b"{}")
        await server.arrived(writer, b"\r\n")
        server.sweep(IDLE + 1)
        assert await closed((reader, writer)) == b""

    run(test)


def test_a_head_without_end_is_refused() -> None:
    async def test(server: Server) -> None:
        client = await server.client()
        client[1].write(HEAD + b"x: " + b"y" * (2 * MAX_HEAD))
        received = await closed(client)
        assert received.startswith(b"HTTP/1.1 431 ")
        assert code_of(received) == "headers_too_large"

    run(test)


def test_the_rest_of_a_refused_body_is_read_and_the_next_request_served() -> None:
    async def test(server: Server) -> None:
        reader, writer = await server.client()
        writer.write(b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"z" * 1_000_000 + HEAD + b"Content-Length: 2\r\n\r\n{}")
        assert (await reader.readuntil(b"{}")).startswith(b"HTTP/1.1 200 ")
        server.sweep(PATIENCE + 1)
        assert not server.connection.transport.is_closing()

    run(test)


def test_a_refused_body_that_stops_coming_ends_the_connection() -> None:
    async def test(server: Server) -> None:
        reader, writer = await server.client()
        writer.write(b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        server.sweep(PATIENCE + 1)
        assert await closed((reader, writer)) == b""

    run(test)


def test_a_client_that_reads_nothing_is_dropped() -> None:
    async def test(server: Server) -> None:
        _, writer = await server.client()
        writer.transport.pause_reading()
        writer.write(b"POST /50000000 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        connection = server.connection
        await until(lambda: connection.transport.get_write_buffer_size() > 0)
        server.sweep(0)
        server.sweep(STALLED - 1)
        assert not connection.transport.is_closing()
        server.sweep(STALLED + 1)
        assert connection.transport.is_closing()

    run(test)


def test_while_stopping_every_answer_closes_and_an_arriving_request_is_served() -> None:
    async def test(server: Server) -> None:
        client = await server.client()
        await server.arrived(client[1], HEAD)
        server.registry.closing = True
        server.connection.shutdown()
        client[1].write(b"Content-Length: 2\r\n\r\n{}")
        received = await closed(client)
        assert received.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in received

    run(test)


def test_stopping_closes_idle_connections() -> None:
    async def test(server: Server) -> None:
        client = await server.client()
        server.connection.shutdown()
        assert await closed(client) == b""

    run(test)
