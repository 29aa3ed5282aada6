"""Child processes of the test cluster: logged to files, watched while one waits for them, gone with their starter."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cli.local.ports import free_port

LIBC = ctypes.CDLL(None, use_errno=True)  # loaded here: the child of a fork may do next to nothing
PR_SET_PDEATHSIG = 1
LOG_LINES_SHOWN = 30


class ClusterError(Exception):
    """Something of the test cluster does not come up; the message has the end of its log."""


class Child:
    """A started process with its log; it dies with the thread that started it, even one that is killed."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        directory: Path,
        *,
        environment: Mapping[str, str] | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self._command = [str(word) for word in command]
        self._environment = None if environment is None else dict(environment)
        self._death_signal = death_signal
        self.start()

    def start(self) -> None:
        """Starts it (again, after `stop`)."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self.log.parent,
                start_new_session=True,  # Ctrl-C is for the test run, which then stops its children in order
                preexec_fn=lambda: die_with_parent(self._death_signal, os.getppid()),
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until(self, ready: Callable[[], bool], what: str, *, seconds: float = 60, interval: float = 0.03) -> None:
        """Asks `ready` again and again; raises ClusterError when the process ends or the time (seconds) is over."""
        deadline = time.monotonic() + seconds
        while True:
            if (code := self.process.poll()) is not None:
                raise ClusterError(f"{self.name} exited with {code} before {what}:\n{self.last_lines()}")
            if ready():
                return
            if time.monotonic() > deadline:
                raise ClusterError(f"{self.name}: no {what} within {seconds:.0f} s:\n{self.last_lines()}")
            time.sleep(interval)

    def stop(self, *, seconds: float = 0) -> int:
        """Gives it `seconds` to end after a SIGTERM, then kills it (at once with 0); returns the exit code."""
        if seconds:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        self.process.kill()  # does nothing when it was waited for
        return self.process.wait()

    def last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])


def die_with_parent(death_signal: signal.Signals, parent_seen: int) -> None:
    """Runs in the child between fork and exec: Linux then sends it the signal when its parent thread ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, int(death_signal))
    if os.getppid() != parent_seen:  # the parent was killed before the call above
        os._exit(1)


def free_ports(count: int) -> list[int]:
    """Returns loopback ports that nothing listens on now; another process may still take one before it is used."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port(found))
    return list(found)
