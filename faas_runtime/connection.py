"""HTTP/1.1 on one connection: bytes to calls, answers to bytes, in order (RFC 9112)."""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic
from typing import Protocol, cast

import httptools

from faas_runtime.call import Call
from faas_runtime.limits import HEAD_DEADLINE, IDLE_TIMEOUT, MAX_BODY, MAX_HEAD, MAX_HEADERS, REQUEST_DEADLINE
from faas_runtime.response import CONTINUE, DRAINING, error_answer


class Server(Protocol):
    """What a connection needs of its server."""

    def opened(self, connection: HttpConnection) -> bytes | None:
        """Register a connection; the answer to close it with when it is not wanted."""

    def closed(self, connection: HttpConnection) -> None:
        """Forget a connection."""

    def receive(self, call: Call) -> None:
        """Take a complete request; the answer comes by `HttpConnection.respond`, now or later."""


class HttpConnection(asyncio.Protocol):
    """One client. At most one call runs at a time; pipelined requests wait, and reading stops while they do."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.loop = loop
        self.parser = httptools.HttpRequestParser(self)
        self.transport: asyncio.Transport
        self.current: Call | None = None
        self.waiting: deque[Call] = deque()
        self.closing = False  # the last answer is written; what still arrives is read and dropped
        self.half_closed = False  # the client sends no more
        self.garbled = False  # what it sends is no longer understood: the answers due are its last ones
        self.idle_since = self.partial_since = self.closing_since = 0.0
        self._reset()
        self.partial = False

    def _reset(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: bytes | list[bytes] = b""
        self.body_size = self.head_size = 0
        self.head_done = False

    # --- transport ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it
        self.idle_since = monotonic()
        if (refusal := self.server.opened(self)) is not None:
            self._close_after(refusal)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        self.waiting.clear()  # nothing of them was started
        self.server.closed(self)

    def data_received(self, data: bytes) -> None:
        if self.closing or self.garbled:
            return
        self.partial = True
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # refused with its headers
        except httptools.HttpParserError as error:
            self._refuse(400, "bad_request", f"the request is not HTTP/1.1: {error}")
        if self.partial and not self.closing and not self.garbled:
            if not self.partial_since:
                self.partial_since = monotonic()
            if not self.head_done:
                self.head_size += len(data)
                if self.head_size > MAX_HEAD:
                    self._refuse_head()

    def eof_received(self) -> bool:
        self.half_closed = True
        return not self.closing and (
            self.current is not None or bool(self.waiting)
        )  # True keeps the connection open for the answer

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.waiting:
            self.transport.resume_reading()

    # --- parser ---

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.head_done:  # trailers after a chunked body are dropped (RFC 9110 §6.5.1 allows it)
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.head_done = True
        if self.parser.should_upgrade():  # CONNECT too
            self._refuse(400, "bad_request", "protocol upgrades are not supported")
            return
        headers = self.headers
        if len(headers) > MAX_HEADERS or sum([len(name) + len(value) for name, value in headers]) > MAX_HEAD:
            self._refuse_head()
            return
        for name, value in headers:
            if name == b"content-length" and int(value) > MAX_BODY:
                self._refuse_body(int(value))
            elif name == b"expect" and value.lower() == b"100-continue" and not self.closing and not self.current:
                self.transport.write(CONTINUE)

    def on_body(self, chunk: bytes) -> None:
        self.body_size += len(chunk)
        if self.body_size > MAX_BODY:
            if not self.closing:
                self._refuse_body(self.body_size)
        elif not self.body:
            self.body = chunk
        elif isinstance(self.body, list):
            self.body.append(chunk)
        else:
            self.body = [self.body, chunk]

    def on_message_complete(self) -> None:
        self.partial = False
        self.partial_since = 0.0
        if self.closing:
            return
        body = self.body if isinstance(self.body, bytes) else b"".join(self.body)
        call = Call(self, self.parser.get_method(), self.url, self.headers, body, self.parser.should_keep_alive())
        self._reset()
        if self.current is None and not self.waiting:
            self.current = call
            self.server.receive(call)
        else:
            self.waiting.append(call)
            self.transport.pause_reading()

    # --- answers ---

    def respond(self, call: Call, answer: bytes) -> None:
        """Send the answer of the current call and go on with the next; dropped when the client has gone."""
        self.current = None
        if self.closing or self.transport.is_closing():
            return
        if call.method == b"HEAD":
            answer = answer[: answer.index(b"\r\n\r\n") + 4]
        if not call.keep_alive or ((self.half_closed or self.garbled) and not self.waiting):
            self._close_after(answer)
            return
        self.transport.write(answer)
        self.idle_since = monotonic()
        if self.waiting:
            self.loop.call_soon(self._next)

    def say_goodbye(self) -> None:
        """The worker ends: tell the client that whatever it may have just sent was not started, and close."""
        if self.current is None and not self.closing:
            self._close_after(DRAINING)

    def sweep(self, now: float, linger: float) -> None:
        """Close a connection that is idle, slow or already finished for too long."""
        if self.closing:
            if now - self.closing_since > linger:
                self.transport.abort()
        elif self.partial_since:
            if now - self.partial_since > (REQUEST_DEADLINE if self.head_done else HEAD_DEADLINE):
                self._refuse(408, "bad_request", "the request did not arrive in time")
        elif self.current is None and now - self.idle_since > IDLE_TIMEOUT:
            self.transport.close()

    def _next(self) -> None:
        if self.waiting and self.current is None and not self.closing:
            call = self.current = self.waiting.popleft()
            if not self.waiting:
                self.transport.resume_reading()
            self.server.receive(call)

    def _refuse(self, status: int, code: str, message: str) -> None:
        if self.current is not None or self.waiting:  # answers of earlier requests come first, then the end
            self.garbled = True
        else:
            self._close_after(error_answer(status, code, message))

    def _refuse_head(self) -> None:
        self._refuse(431, "bad_request", f"the headers are over the limit of {MAX_HEAD} bytes or {MAX_HEADERS} lines")

    def _refuse_body(self, size: int) -> None:
        self._refuse(413, "payload_too_large", f"the body has {size} bytes or more, the limit is {MAX_BODY}")

    def _close_after(self, answer: bytes) -> None:
        """Send a last answer, close our half, and read on for a moment: closing with unread bytes would reset the
        connection and could take the answer from the client (RFC 9112 §9.6)."""
        self.closing = True
        self.closing_since = monotonic()
        self.waiting.clear()
        self.transport.write(answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        if self.half_closed:
            self.transport.close()
        elif self.transport.can_write_eof():
            self.transport.write_eof()
            self.transport.resume_reading()
