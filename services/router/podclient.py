"""HTTP to Pods: connections pooled for each Pod.

What it must know exactly: whether a byte of a request may have reached the Pod. Until a connection is made and found
open nothing was sent (``Failure.NOT_SENT``); from the write on everything may have (``LOST``, ``TOO_LARGE``).
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Protocol

from services.router.connection import Connection, Failure, Receiver


class Sent(Protocol):
    """A request under way."""

    def abort(self) -> None:
        """Gives it up and closes its connection; its receiver will not be called."""


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
