"""Real servers on loopback for tests of workflows' calls, and a door that may reach them."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from services.common.http import serve
from services.contracts.workflow.auth import Endpoint
from services.contracts.workflow.calls import HttpArguments
from services.workflow.calls import Answer, Limits, Outside, parse_networks

LOOPBACK = parse_networks("127.0.0.0/8, ::1/128")


class Seen(msgspec.Struct):
    """A request as a server got it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)


Reply = tuple[int, dict[str, str], bytes]
Handler = Callable[[Seen], Reply]


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """A JSON answer."""
    return status, {"content-type": "application/json"} | (headers or {}), json.dumps(value).encode()


@asynccontextmanager
async def web(handler: Handler, requests: list[Seen] | None = None) -> AsyncIterator[str]:
    """A server whose every answer ``handler`` makes; yields its URL. ``requests``: where they are noted."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        seen = Seen(scope["method"], scope["path"], scope["query_string"].decode(), headers, body)
        if requests is not None:
            requests.append(seen)
        status, made, content = handler(seen)
        pairs = [(name.encode(), value.encode()) for name, value in made.items()]
        pairs.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(app, listener, stop, drain=1.0))
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                stop.set()


Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw(handler: Raw) -> AsyncIterator[str]:
    """A server that says what ``handler`` writes, HTTP or not; yields its address (host:port)."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone, as it should
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def get(uri: str, **more: Any) -> HttpArguments:
    """The arguments of a GET, or of another method."""
    method, authentication = more.pop("method", "get"), more.pop("authentication", None)
    return HttpArguments(method=method, endpoint=Endpoint(uri=uri, authentication=authentication), **more)


def door(**limits: Any) -> Outside:
    """What may reach servers on loopback."""
    return Outside(Limits(**{"allowed": LOOPBACK} | limits))


async def http(outside: Outside, arguments: HttpArguments, secrets: Any = None, key: str = "k.1") -> Answer:
    """One HTTP call."""
    return await outside.call("http", arguments, secrets or {}, key)


def problem(found: Answer) -> tuple[str, int, str]:
    """Type (its last word), status and detail of an error."""
    assert found.error is not None, found.output
    return found.error["type"].rpartition("/")[2], found.error["status"], found.error["detail"]
