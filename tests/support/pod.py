"""A Pod for tests of its callers: a real HTTP/1.1 server whose answers a test writes, and which counts what it ran."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cli.local.ports import free_port


@dataclass
class Request:
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """``Faas-Id``."""
        return self.headers.get("faas-id", "")


Answer = bytes | None
Behaviour = Callable[[Request], Awaitable[Answer]]


def http_answer(body: bytes = b"null", status: str = "200 OK", *lines: str) -> bytes:
    """A whole response with a Content-Length."""
    head = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


OK = http_answer(b'{"ok":true}', "200 OK", "Faas-Duration: 0.10")
BUSY = http_answer(b'{"code":"busy","message":"busy"}', "503 Service Unavailable", "Faas-Error: busy")
DRAINING = http_answer(b'{"code":"draining","message":"bye"}', "503 Service Unavailable", "Faas-Error: draining")


async def say_ok(request: Request) -> Answer:
    """The behaviour of a Pod that nothing is wrong with."""
    return OK


class Gate:
    """A behaviour that answers when it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def behave(self, request: Request) -> Answer:
        await self.open.wait()
        return OK


@dataclass
class TestPod:
    """Listens on ``host:port``. ``behave`` answers calls; None closes the connection without an answer."""

    __test__ = False

    behave: Behaviour = say_ok
    healthy: bool = True
    host: str = "127.0.0.1"
    port: int = 0
    runs: Counter[str] = field(default_factory=Counter)
    """How often each call was given to ``behave``, by id."""
    requests: list[Request] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    connections: int = 0
    _server: asyncio.Server | None = None
    open_connections: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self.host, self.port

    async def start(self) -> None:
        """Listens; on the same port as before when it did already."""
        self.port = self.port or free_port(set())
        self._server = await asyncio.start_server(self._serve, self.host, self.port)

    def close_connections(self) -> None:
        """Closes every connection, as a server does with idle ones."""
        for writer in self.open_connections:
            writer.close()

    def stop(self) -> None:
        """Stops listening and resets every connection, as the kernel does for a killed process."""
        if self._server is not None:
            self._server.close()
        for writer in self.open_connections:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_connections.add(writer)
        self.connections += 1
        try:
            while (request := await _read(reader)) is not None:
                answer = await self._answer(request)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
                if b"connection: close" in answer.partition(b"\r\n\r\n")[0].lower():
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass  # the caller has gone
        finally:
            self.open_connections.discard(writer)
            writer.close()

    async def _answer(self, request: Request) -> Answer:
        if request.line.startswith("GET /healthz ") and "faas-proxy" not in request.headers:
            return OK if self.healthy else http_answer(b"", "503 Service Unavailable")
        self.requests.append(request)
        self.runs[request.id] += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self.behave(request)
        finally:
            self.running -= 1


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    line, *lines = head.decode("latin-1").strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(line, headers, body)


@asynccontextmanager
async def running_pod(behave: Behaviour = say_ok) -> AsyncIterator[TestPod]:
    """A started Pod."""
    pod = TestPod(behave)
    await pod.start()
    try:
        yield pod
    finally:
        pod.stop()
