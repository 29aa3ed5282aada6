"""Processes by identity: a pid and its start time, so that a reused pid is never taken for an old process."""

import os
import signal
import subprocess
import time
from pathlib import Path

import msgspec

from cli.local.topology import ProcessSpec

MAX_LOG = 10 * 1024 * 1024
"""Bytes; a larger log is put aside as ``.1`` when its process starts."""


class Running(msgspec.Struct, frozen=True):
    """A process that was started. ``started`` is field 22 of /proc/PID/stat, clock ticks since boot (proc(5))."""

    name: str
    pid: int
    started: int

    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        return start_time(self.pid) == self.started

    def send(self, number: signal.Signals) -> None:
        """Signals the process if it is still this one."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # the pidfd is open before the identity is checked: from here on the pid cannot become another's
            if self.alive():
                signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            return
        finally:
            os.close(descriptor)


def start_time(pid: int) -> int | None:
    """The start time of ``pid``; None when there is no such process or only its zombie.

    A process whose first thread is a zombie holds its ports until its last one (field 20 counts them) has ended.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" and int(fields[17]) <= 1 else int(fields[19])


def start(spec: ProcessSpec, logs: Path) -> tuple[Running, "subprocess.Popen[bytes]"]:
    """Starts ``spec`` in a session of its own, so that it outlives a killed supervisor and no Ctrl-C reaches it."""
    path = logs / f"{spec.name}.log"
    if path.exists() and path.stat().st_size > MAX_LOG:
        path.replace(path.with_suffix(".log.1"))
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
        process = subprocess.Popen(
            spec.argv, env=spec.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    return Running(spec.name, process.pid, start_time(process.pid) or 0), process


def stop(running: list[Running], patience: float) -> list[Running]:
    """SIGTERM to all, SIGKILL to those left after ``patience`` seconds; returns those that had to be killed."""
    for process in running:
        process.send(signal.SIGTERM)
    deadline = time.monotonic() + patience
    left = [process for process in running if not _gone(process, deadline)]
    for process in left:
        process.send(signal.SIGKILL)
    return left


def _gone(process: Running, deadline: float) -> bool:
    """Waits until ``process`` has ended or ``deadline`` (monotonic) is over."""
    while process.alive():
        if time.monotonic() > deadline:
            return False
        _reap(process.pid)
        time.sleep(0.01)  # an adopted process is not our child: only /proc tells, and a pidfd needs no less code
    return True


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
