"""One HTTP/1.1 connection to a Pod (RFC 9112): one request at a time, written at once, and its answer within limits."""

import asyncio
import socket
from enum import Enum
from typing import NamedTuple, Protocol, cast

import httptools

from services.contracts.headers import MAX_HEADERS, MAX_PAYLOAD

Field = tuple[bytes, bytes]
MAX_HEAD_BYTES = 2 * MAX_HEADERS
"""Bytes received before a head is complete: the parser keeps a line that never ends, so it must not see all of it."""
MAX_BYTES = 8 * MAX_PAYLOAD
"""Bytes received for one answer: the largest body in chunks of one byte each takes six times its size."""


class Answer(NamedTuple):
    """A complete response; header names as the Pod wrote them."""

    status: int
    fields: list[Field]
    body: bytes


class Failure(Enum):
    """Why there is no answer."""

    NOT_SENT = "the Pod took no connection"
    LOST = "the connection to the Pod ended before its answer did"
    TOO_LARGE = "the answer is too large"


class Receiver(Protocol):
    """Who waits for a response: exactly one of the two is called, and only once, unless the request is aborted."""

    def answered(self, answer: Answer) -> None:
        """The response is complete."""

    def failed(self, failure: Failure) -> None:
        """There will be none."""


class Keeper(Protocol):
    """Who has the idle connections."""

    def keep(self, connection: "Connection") -> None:
        """Takes a connection back after a whole answer."""

    def forget(self, connection: "Connection") -> None:
        """Drops a connection that has ended."""


class Connection(asyncio.Protocol):
    """One connection. ``receiver`` is set while a request is under way."""

    def __init__(self, pool: Keeper, sock: socket.socket) -> None:
        self.idle_since = 0.0
        self._pool = pool
        self._sock = sock
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._receiver: Receiver | None = None
        self._without_body = False
        self._reset()

    def _reset(self) -> None:
        self._fields: list[Field] = []
        self._body: list[bytes] = []
        self._size = self._status = self._answers = self._received = 0
        self._head_done = self._complete = self._keep = self._too_large = False

    def send(self, request: bytes, receiver: Receiver, without_body: bool) -> None:
        """Writes a request; ``without_body``: its response ends with the head (HEAD)."""
        self._receiver = receiver
        self._without_body = without_body
        self._transport.write(request)

    def abort(self) -> None:
        """Closes at once; a receiver is forgotten."""
        self._receiver = None
        self._transport.abort()

    def close(self) -> None:
        """Closes an idle connection."""
        self._transport.close()

    def is_open(self) -> bool:
        """Whether the Pod has not closed it. Asks the kernel: the event loop may not have come to it yet."""
        if self._transport.is_closing():
            return False
        try:
            self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False  # the end of the stream, or bytes that nobody asked for

    # --- transport ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it

    def data_received(self, data: bytes) -> None:
        if self._receiver is None:
            self._transport.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # after a whole answer, it is what follows that cannot be read
            self._keep = False
            if not self._complete:
                self._fail(Failure.LOST)
                return
        self._received += len(data)
        if self._complete:
            self._finish()
        elif self._too_large or self._received > (MAX_BYTES if self._head_done else MAX_HEAD_BYTES):
            self._fail(Failure.TOO_LARGE)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.forget(self)
        if self._receiver is None:
            return
        if exc is None and self._head_done and self._ends_with_connection():
            self._complete = True
            self._finish()
        else:
            self._fail(Failure.LOST)

    # --- parser ---

    def on_message_begin(self) -> None:
        self._answers += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_done:
            return  # trailers after a chunked body are dropped (RFC 9110 section 6.5.1)
        self._size += len(name) + len(value) + 4
        if self._size > MAX_HEADERS:
            self._too_large = True
        else:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            return
        if self._head_done:
            return
        self._head_done = True
        self._status = self._parser.get_status_code()
        self._size = 0
        if self._without_body:
            # the parser would wait for the body that Content-Length announces, so this connection ends here
            self._complete = True

    def on_body(self, chunk: bytes) -> None:
        if self._complete:
            return
        self._size += len(chunk)
        if self._size > MAX_PAYLOAD:
            self._too_large = True
            self._body.clear()
        else:
            self._body.append(chunk)

    def on_message_complete(self) -> None:
        if not self._head_done:
            self._fields.clear()  # an interim response (RFC 9110 section 15.2): the final one follows
            self._size = self._answers = 0
        elif not self._complete:
            self._complete = not self._too_large
            self._keep = self._parser.should_keep_alive()

    # --- ends ---

    def _finish(self) -> None:
        receiver, self._receiver = self._receiver, None
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        answer = Answer(self._status, self._fields, body)
        # not reused: after a second answer to one request, and while the Pod has not taken all of the request
        if self._keep and self._answers == 1 and not self._transport.get_write_buffer_size():
            self._reset()
            self._pool.keep(self)
        else:
            self._transport.abort()
        if receiver is not None:
            receiver.answered(answer)

    def _fail(self, failure: Failure) -> None:
        receiver, self._receiver = self._receiver, None
        self._transport.abort()
        if receiver is not None:
            receiver.failed(failure)

    def _ends_with_connection(self) -> bool:
        """Whether the body has no length of its own and so ends where the connection does (RFC 9112 section 6.3)."""
        return not any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self._fields)
