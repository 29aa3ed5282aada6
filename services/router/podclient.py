"""HTTP/1.1 to one Pod (RFC 9112): pooled connections, one request at a time on each, written at once.

What it must know exactly: whether a byte of a request may have reached the Pod. Until a connection is made and found
open nothing was sent (``Failure.NOT_SENT``); from the write on everything may have (``LOST``, ``TOO_LARGE``).
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, Protocol, cast

import httptools

from services.contracts.headers import MAX_HEADERS, MAX_PAYLOAD

Field = tuple[bytes, bytes]


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


class Sent(Protocol):
    """A request under way."""

    def abort(self) -> None:
        """Gives it up and closes its connection; its receiver will not be called."""


class Connection(asyncio.Protocol):
    """One connection. ``receiver`` is set while a request is under way."""

    def __init__(self, pool: "PodPool", sock: socket.socket) -> None:
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
        self._size = self._status = self._answers = 0
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
        if self._complete:
            self._finish()
        elif self._too_large:
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


class _Connecting:
    """A request that waits for its connection."""

    def __init__(self, tasks: asyncio.TaskGroup, pool: "PodPool", request: bytes, receiver: Receiver, head: bool):
        self._pool = pool
        self._request = request
        self._receiver = receiver
        self._without_body = head
        self._connection: Connection | None = None
        self._task = tasks.create_task(self._run())

    def abort(self) -> None:
        if self._connection is not None:
            self._connection.abort()
        else:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            connection = await self._pool.connect()
        except OSError:  # TimeoutError is one
            self._receiver.failed(Failure.NOT_SENT)
            return
        if not connection.is_open():  # taken and closed again: nothing was written yet
            connection.abort()
            self._receiver.failed(Failure.NOT_SENT)
            return
        self._connection = connection
        connection.send(self._request, self._receiver, self._without_body)


class PodPool:
    """The connections to one Pod. The last one used is taken first, so that the rest grow old and are closed."""

    def __init__(
        self, host: str, port: int, tasks: asyncio.TaskGroup, connect_timeout: float, clock: Callable[[], float]
    ) -> None:
        self._address = (host, port)
        self._tasks = tasks
        self._connect_timeout = connect_timeout
        self._clock = clock
        self._idle: deque[Connection] = deque()
        self._closed = False

    def send(self, request: bytes, receiver: Receiver, without_body: bool = False) -> Sent:
        """Sends ``request`` on a pooled connection, or on a new one when none is open."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.is_open():
                connection.send(request, receiver, without_body)
                return connection
            connection.abort()
        return _Connecting(self._tasks, self, request, receiver, without_body)

    async def connect(self) -> Connection:
        """A new connection. Raises OSError (TimeoutError too) when the Pod takes none."""
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            async with asyncio.timeout(self._connect_timeout):
                await loop.sock_connect(sock, self._address)
                _, connection = await loop.create_connection(lambda: Connection(self, sock), sock=sock)
        except BaseException:
            sock.close()
            raise
        return connection

    def keep(self, connection: Connection) -> None:
        """Takes back a connection after a whole answer."""
        if self._closed:
            connection.close()
            return
        connection.idle_since = self._clock()
        self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """Drops a connection that has ended."""
        if connection in self._idle:
            self._idle.remove(connection)

    def close_idle(self, older_than: float) -> None:
        """Closes connections unused since ``older_than``; the deque has the oldest first."""
        while self._idle and self._idle[0].idle_since <= older_than:
            self._idle.popleft().close()

    def close(self) -> None:
        """Closes all idle connections and each other one after its answer."""
        self._closed = True
        while self._idle:
            self._idle.popleft().close()
