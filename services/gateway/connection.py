"""One HTTP connection: uvicorn's, with bounds on what a slow or silent client may hold, and errors as JSON."""

import asyncio
import sys
from math import inf
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from services.contracts.archives import MAX_ARCHIVE
from services.contracts.errors import Code, FaasError
from services.gateway.respond import error_fields

PATIENCE = 10.0
"""Seconds that a request may take to arrive, plus one for each SLOWEST bytes of it that have."""
SLOWEST = 16 * 1024
MAX_HEAD = 128 * 1024
"""Bytes of request line and header fields."""
MAX_DISCARDED = 2 * MAX_ARCHIVE
"""Bytes of a refused body that are read and thrown away so that its sender, still writing, gets to read the answer."""
IDLE = 75.0
"""Seconds that a connection is kept open between requests."""
STALLED = 120.0
"""Seconds after which a client that takes nothing of its answer is dropped; a pager may be read for a while."""
SWEEP_SECONDS = 1.0
_JOINED = 64 * 1024
"""Bytes of a body up to which copying it behind its head costs less than a write of its own."""


class Connections:
    """All open connections of this process, swept each second; and whether it is about to stop."""

    def __init__(self) -> None:
        self.open: set[Connection] = set()
        self.closing = False
        """When set, every answer says ``Connection: close``."""

    def make(self, *args: Any, **options: Any) -> "Connection":
        """A connection that is counted here; what uvicorn calls for each client."""
        return Connection(self, *args, **options)

    async def run(self) -> None:
        """Sweeps until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = loop.time()
            for connection in list(self.open):
                connection.sweep(now)


class Corked:
    """A transport that sends the head of an answer together with the body that follows it.

    uvicorn writes them one after the other; on loopback each write is a system call that wakes the reader, together
    more than a fifth of what a call costs here.
    """

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        """Sends ``data``; a head waits for what is written next, at most until the loop's next round."""
        if self._transport.is_closing():
            self._held = b""  # the reader has gone; uvicorn will hear of it in a moment
            return
        if self._held:
            if len(data) > _JOINED:
                self.flush()
            else:
                data, self._held = self._held + data, b""
        elif data.startswith(b"HTTP/1.1 "):
            self._held = data
            self._loop.call_soon(self.flush)
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Sends what is held, unless its reader has gone meanwhile."""
        if self._held:
            data, self._held = self._held, b""
            if not self._transport.is_closing():
                self._transport.write(data)

    def write_eof(self) -> None:
        """Ends this direction."""
        self.flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Closes once all is sent."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Connection(HttpToolsProtocol):
    """A connection that ends when its client is too slow to ask or to listen."""

    def __init__(self, registry: Connections, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._registry = registry
        self._owed_since = inf  # since when a request is awaited or arriving; inf: it is here
        self._received = 0  # bytes of it
        self._in_head = True
        self._idle_since = 0.0
        self._discarded = 0
        self._refused = False
        self._unread = 0  # bytes that the client left unread at the last sweep, and since when they are as many
        self._unread_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected: it owes a request."""
        super().connection_made(transport)
        self.transport = Corked(transport, self.loop)  # type: ignore[assignment]
        self._registry.open.add(self)
        self._owed_since = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._registry.open.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes of requests."""
        if not self._refused:
            super().data_received(data)
        if self._refused:
            self._discard(len(data))
            return
        self._received += len(data)
        if self._owed_since == inf:
            return
        if self._in_head:
            if self._received > MAX_HEAD:
                self.refuse(FaasError(Code.HEADERS_TOO_LARGE, f"the request's head has over {MAX_HEAD} bytes"))
        elif self.cycle is not None and self.cycle.response_complete:
            self._discard(len(data))

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > MAX_DISCARDED:
            self.transport.close()

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def on_message_begin(self) -> None:
        """A request begins."""
        self._owed_since = self.loop.time()
        self._received = self._discarded = 0
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A request's head is here."""
        self._in_head = False
        super().on_headers_complete()
        if self._registry.closing:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """A request is here as a whole."""
        self._owed_since = inf
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is written. As uvicorn does it, but for a timer each: ``sweep`` ends idle connections."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._idle_since = self.loop.time()
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client will send nothing more. One that asked something whole may still be reading."""
        if self._idle() or self.cycle.more_body or self.cycle.response_started:
            return None
        self.cycle.keep_alive = False
        return True

    def shutdown(self) -> None:
        """The server is stopping. A request that is arriving is still served: ``closing`` ends it afterwards."""
        if self._idle() and self._owed_since != inf and self._received:
            return
        super().shutdown()

    def sweep(self, now: float) -> None:
        """Ends the connection when its client is too slow. ``now`` is the loop's time."""
        if self.transport is None or self.transport.is_closing():
            return
        if self.flow.read_paused and self._owed_since != inf:
            self._owed_since, self._received = now, 0  # it is this side that is slow
        elif now - self._owed_since > PATIENCE + self._received / SLOWEST:
            if self._received and (self._in_head or not self.cycle.response_started):
                self.refuse(FaasError(Code.BAD_REQUEST, "the request did not arrive in time"))
            else:
                self.transport.close()
        unread = self.transport.get_write_buffer_size()
        if unread == 0 and self._owed_since == inf and self._idle() and now - self._idle_since > IDLE:
            self.transport.close()
        if unread == 0 or unread != self._unread:
            self._unread, self._unread_since = unread, now
        elif now - self._unread_since > STALLED:
            self.transport.abort()

    def refuse(self, error: FaasError) -> None:
        """Answers what never became a request, and closes once the client has, or had its time to.

        Closing at once would reset the connection under a client that is still sending, and take the answer with it.
        """
        self._refused, self._owed_since, self._received = True, self.loop.time(), 0
        arriving = not self._in_head and not self._idle()
        if arriving and (self.pipeline or self.cycle.response_started):
            self.transport.close()  # this answer would stand in the middle of another
            return
        if not arriving and not self._idle():
            self._owed_since, self.cycle.keep_alive = inf, False  # the request before it is answered first, and alone
            return
        body = error.body()
        fields = error_fields(error) | {"content-length": str(len(body)), "connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.transport.write(STATUS_LINE[error.status] + head.encode() + b"\r\n" + body)
        self.transport.write_eof()
        if arriving:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def send_400_response(self, msg: str) -> None:
        """For bytes that are no HTTP request; called while what is wrong with them is being handled."""
        if isinstance(sys.exception(), httptools.HttpParserInvalidURLError):
            path = "the path has characters that no address has: names are lower-case letters a-z, digits and '-'"
            self.refuse(FaasError(Code.INVALID_NAME, path))
        else:
            self.refuse(FaasError(Code.BAD_REQUEST, "this is not a valid HTTP/1.1 request"))
