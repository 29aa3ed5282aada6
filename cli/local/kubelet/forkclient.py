"""The warm parent of Python Pods (`python -m faas_runtime.forkserver --socket PATH`) and the connection to it.

One line of JSON a message over a Unix stream socket. Request `{"id", "env", "cwd", "stdout", "oom_score_adj"}`,
answer `{"id", "pid"}` or `{"id", "error"}`; unasked, on the same connection, `{"exit": pid, "code"|"signal": n}`.
When this connection ends, the forkserver exits; when the forkserver dies, another is started and running Pods are
not touched.
"""

import asyncio
import contextlib
import logging
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec

from cli.local.kubelet import procfs
from cli.local.kubelet.processes import OOM_SCORE_ADJ, ExitStatus

log = logging.getLogger("kubelet.fork")

START_SECONDS = 30.0
FORK_SECONDS = 10.0
EXIT_REPORT_SECONDS = 1.0
"""How long after the pidfd says that a Pod has ended its exit code is waited for."""
_RESTART_FIRST, _RESTART_LONGEST = 0.05, 5.0
_SOCKET_PATH_LIMIT = 100
"""Bytes; sun_path holds 108 with the final NUL (unix(7))."""


class ForkFailed(Exception):
    """No process was made, or it is not known whether one was; the message says why."""


class _Request(msgspec.Struct):
    id: str
    env: Mapping[str, str]
    cwd: str
    stdout: str
    oom_score_adj: int


class _Message(msgspec.Struct):
    id: str | None = None
    pid: int = 0
    error: str = ""
    exit: int = 0
    code: int = 0
    signal: int = 0


class ForkServer:
    """The forkserver process; `run` owns it. Calls of `fork` are made one after the other."""

    def __init__(self, command: list[str], directory: Path, environment: Mapping[str, str]) -> None:
        self.pid = 0
        self._command, self._directory, self._environment = command, directory, environment
        self._connected = asyncio.Event()
        self._one_fork = asyncio.Lock()
        self._writer: asyncio.StreamWriter | None = None
        self._answers: dict[str, asyncio.Future[int]] = {}
        self._exits: dict[int, asyncio.Future[ExitStatus]] = {}
        self._count = 0

    async def run(self) -> None:
        """Keep one forkserver going until cancelled, which ends it."""
        pause = _RESTART_FIRST
        while True:
            async with self._process() as (child, socket_path):
                if await self._converse(child, socket_path):
                    pause = _RESTART_FIRST
            log.warning("forkserver (pid %d) has ended with %s; another is started", child.pid, child.returncode)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _RESTART_LONGEST)

    @contextlib.asynccontextmanager
    async def _process(self) -> AsyncIterator[tuple["subprocess.Popen[bytes]", Path]]:
        with tempfile.TemporaryDirectory(prefix="faas-fork-") as temporary:
            socket_path = self._directory / "forkserver.sock"
            if len(os.fsencode(socket_path)) > _SOCKET_PATH_LIMIT:
                socket_path = Path(temporary) / "forkserver.sock"
            socket_path.unlink(missing_ok=True)
            child = self._start(socket_path)
            self.pid = child.pid
            try:
                yield child, socket_path
            finally:
                self.pid = 0
                child.kill()  # its Pods are in sessions of their own
                child.wait()
                socket_path.unlink(missing_ok=True)

    def _start(self, socket_path: Path) -> "subprocess.Popen[bytes]":
        command, environment = [*self._command, "--socket", str(socket_path)], dict(self._environment)
        return subprocess.Popen(
            command, env=environment, cwd=self._directory, stdin=subprocess.DEVNULL, start_new_session=True
        )

    async def _converse(self, child: "subprocess.Popen[bytes]", socket_path: Path) -> bool:
        """Whether the forkserver was there; returns when it is gone."""
        connection = await _connect(child, socket_path)
        if connection is None:
            return False
        reader, self._writer = connection
        self._connected.set()
        try:
            while line := await reader.readline():
                self._take(msgspec.json.decode(line, type=_Message))
        except (OSError, ValueError) as error:
            log.error("forkserver's connection: %s", error)
        finally:
            self._connected.clear()
            self._writer.close()
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(ForkFailed("the forkserver has ended"))
            self._exits.clear()
        return True

    def _take(self, message: _Message) -> None:
        if message.exit:
            self._exit_of(message.exit).set_result(ExitStatus(message.code, message.signal))
            return
        answer = self._answers.get(message.id or "")
        if answer is None or answer.done():
            return
        if message.error:
            answer.set_exception(ForkFailed(message.error))
        else:
            # a child that ends at once is reported right after this line: its place must be there by then
            self._exits[message.pid] = asyncio.get_running_loop().create_future()
            answer.set_result(message.pid)

    def _exit_of(self, pid: int) -> "asyncio.Future[ExitStatus]":
        found = self._exits.get(pid)
        if found is None or found.done():
            found = self._exits[pid] = asyncio.get_running_loop().create_future()
        return found

    async def fork(self, env: Mapping[str, str], cwd: Path, stdout: Path, mark: int) -> int:
        """The pid of a new Python Pod. Raises ForkFailed; the caller then kills what may carry the mark."""
        async with self._one_fork:
            try:
                async with asyncio.timeout(START_SECONDS):
                    await self._connected.wait()
                if not self.pid:
                    raise ForkFailed("the forkserver has ended")
                async with asyncio.timeout(FORK_SECONDS):
                    with procfs.marking(self.pid, mark):
                        return await self._ask(env, cwd, stdout)
            except TimeoutError:
                self._kill()
                raise ForkFailed("the forkserver did not answer in time and is restarted") from None
            except OSError as error:
                raise ForkFailed(f"the forkserver has ended: {error}") from None

    async def _ask(self, env: Mapping[str, str], cwd: Path, stdout: Path) -> int:
        self._count += 1
        request = _Request(str(self._count), env, str(cwd), str(stdout), OOM_SCORE_ADJ)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._answers[request.id] = answer
        try:
            assert self._writer is not None
            self._writer.write(msgspec.json.encode(request) + b"\n")
            return await answer
        finally:
            del self._answers[request.id]

    def _kill(self) -> None:
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, 9)

    async def exit_status(self, pid: int) -> ExitStatus | None:
        """How a forked process ended, or None when its forkserver is gone or does not say in time."""
        if pid not in self._exits:
            return None
        try:
            async with asyncio.timeout(EXIT_REPORT_SECONDS):
                return await self._exits[pid]
        except TimeoutError:
            return None
        finally:
            self._exits.pop(pid, None)


async def _connect(
    child: "subprocess.Popen[bytes]", socket_path: Path
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    """Ask until the socket is there. None: the process has ended, or takes longer than it may."""
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while child.poll() is None and asyncio.get_running_loop().time() < deadline:
        try:
            return await asyncio.open_unix_connection(str(socket_path))
        except (FileNotFoundError, ConnectionRefusedError):
            await asyncio.sleep(0.005)
    return None
