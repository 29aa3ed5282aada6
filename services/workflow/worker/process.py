"""One worker process as the service holds it: its socket, its notes, and why it ended."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable
from typing import cast

import msgspec

from services.workflow.worker.framing import Splitter, framed
from services.workflow.worker.notes import Notes, shared
from services.workflow.worker.serving import Limits

_ENDING = 2.0
"""Seconds in which a worker whose socket is closed ends by itself; it may be in the middle of a request."""
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


class Process(asyncio.Protocol):
    """Starts with ``start``, ends with ``end``. ``received`` is called with each message; ``closed`` is set when
    there will be none any more."""

    def __init__(self, limits: Limits, received: Callable[[bytes], None]) -> None:
        self._limits, self._received = limits, received
        self._splitter = Splitter()
        self._unsent: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._notes: Notes | None = None
        self.closed = asyncio.Event()

    async def start(self) -> None:
        """Spawns it: a fork of this process, with its loop and its connections, would not be safe. Raises OSError."""
        ours, theirs = socket.socketpair()
        notes = shared()
        try:
            self._notes = Notes(notes)
            ours.setblocking(False)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "services.workflow.worker",
                str(theirs.fileno()),
                str(notes),
                msgspec.json.encode(self._limits).decode(),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), notes),
                env={key: value for key, value in os.environ.items() if key in _PASSED or key.startswith("PYTHON")},
            )
            await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=ours)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(notes)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is ready."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none of asyncio's class

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        for message in self._splitter.feed(data):
            self._received(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the worker closed its end, by ending."""
        self.closed.set()

    def send(self, message: bytes) -> None:
        """Writes a message. Lost when the worker has ended, which ``closed`` tells."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(framed(message))

    def _flush(self) -> None:
        """What was sent in one turn of the loop is one write, which costs a fifth of a step."""
        unsent, self._unsent = self._unsent, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(unsent))

    def kill(self) -> None:
        """Ends it at once."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    @property
    def pid(self) -> int:
        """Of the process; 0 before it was started."""
        return 0 if self._process is None else self._process.pid

    async def end(self, at_once: bool = False) -> int:
        """Closes the socket and waits for the end of the process, or kills it; its
        exit code, negative for a signal."""
        if self._transport is not None:
            self._transport.close()
        if self._process is None:
            return 0
        if at_once:
            self.kill()
        try:
            async with asyncio.timeout(_ENDING):
                return await self._process.wait()
        except TimeoutError:
            self.kill()
            return await self._process.wait()  # the kernel ends it: no deadline is needed
        finally:
            if self._process.returncode is None:  # cancelled
                self.kill()

    @property
    def ticks(self) -> tuple[int, bool]:
        """A number that changes as it gets on, and whether it is at a request, and not starting or idle."""
        assert self._notes is not None
        return self._notes.ticks

    def evaluated(self) -> tuple[int, str]:
        """After the end: number and pointer of the evaluation that was under way; number 0: none was."""
        assert self._notes is not None
        return self._notes.read()

    def release(self) -> None:
        """Gives the notes' memory back."""
        if self._notes is not None:
            self._notes.close()
            self._notes = None
