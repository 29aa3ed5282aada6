"""Processes of containers: making one from a command, watching one through its pidfd whoever its parent is."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from cli.local.kubelet import procfs

UNKNOWN_EXIT_CODE = 255
"""Reported when the process was not our child (adopted after a kill -9) and its parent can't be asked."""
OOM_SCORE_ADJ = 300
"""When the machine itself runs out of memory, Pods are to go before the platform."""


class ExitStatus(NamedTuple):
    """Exit code, or the signal that ended the process (then the code is 0)."""

    code: int
    signal: int = 0
    known: bool = True


class StartError(Exception):
    """The command could not be executed; the message says why."""


AskExit = Callable[[], Awaitable[ExitStatus | None]]


class Process:
    """A container's main process. `wait` may be called once; `close` when it is no longer needed."""

    def __init__(
        self, pid: int, ask_exit: AskExit | None = None, child: "subprocess.Popen[bytes] | None" = None
    ) -> None:
        self.pid = pid
        self.started = procfs.start_time(pid)
        self._ask_exit = ask_exit
        self._child = child
        try:
            self._pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._pidfd = -1

    async def wait(self) -> ExitStatus:
        """Return when the process has ended."""
        if self._pidfd >= 0:
            await readable(self._pidfd)
        if self._child is not None:
            code = self._child.wait()
            return ExitStatus(code) if code >= 0 else ExitStatus(0, -code)
        status = await self._ask_exit() if self._ask_exit is not None else None
        return status or ExitStatus(UNKNOWN_EXIT_CODE, known=False)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the process is gone."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def close(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


async def readable(fd: int) -> None:
    """Return when there is something to read; a pidfd is readable once its process has ended."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(fd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(fd)


def spawn(command: list[str], environment: Mapping[str, str], directory: Path, log_path: Path, mark: int) -> Process:
    """Execute a command as the leader of a session of its own, marked, its output appended to `log_path`.

    Raises StartError. The process's limits are inherited from this one for the moment of the fork.
    """
    if not directory.is_dir():
        raise StartError(f"workingDir {directory} does not exist")
    descriptor = open_log(log_path)
    try:
        with procfs.marking(0, mark):
            child = subprocess.Popen(
                command, env=dict(environment), cwd=directory, stdin=subprocess.DEVNULL, stdout=descriptor,
                stderr=descriptor, start_new_session=True,
            )  # fmt: skip
    except FileNotFoundError:
        raise StartError(f'exec: "{command[0]}": executable file not found in $PATH') from None
    except (OSError, ValueError) as error:
        raise StartError(f'exec: "{command[0]}": {getattr(error, "strerror", None) or error}') from None
    finally:
        os.close(descriptor)
    with contextlib.suppress(OSError):
        Path(f"/proc/{child.pid}/oom_score_adj").write_text(str(OOM_SCORE_ADJ))
    return Process(child.pid, child=child)


def open_log(path: Path) -> int:
    """A descriptor that appends to the log file, which is made if need be."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
