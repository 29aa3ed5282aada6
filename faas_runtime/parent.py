"""The Pod's first process: holds the listening socket, forks the worker, replaces it, and ends with the Pod.

It is single-threaded and runs no event loop, so that a fork is safe at any moment.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from faas_runtime.errors import StartupError
from faas_runtime.heartbeat import Heartbeat
from faas_runtime.limits import BACKLOG, LINGER, STALL_GRACE, START_CRASH_LIMIT, TICK
from faas_runtime.settings import Settings, read_settings
from faas_runtime.worker import run_worker

_DRAIN_MARGIN = 3.0


def main() -> int:
    """Serve the function that the environment describes; the exit code of the Pod."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    try:
        settings = read_settings(os.environ)
        listener = _listen(settings)
    except StartupError as error:
        return give_up(error.reason)
    workspace = Path(tempfile.mkdtemp(prefix="faas-"))
    try:
        return Parent(settings, listener, workspace).run()
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def give_up(reason: str) -> int:
    """Say why the Pod cannot run: the last line of the log, and the container's termination message."""
    line = f"faas: cannot start: {reason}"
    print(line, file=sys.stderr, flush=True)
    path = os.environ.get("TERMINATION_LOG") or "/dev/termination-log"
    if os.environ.get("TERMINATION_LOG") or os.access(path, os.W_OK):
        with contextlib.suppress(OSError), open(path, "w", encoding="utf-8", errors="replace") as file:
            file.write(line[:4000])  # the kubelet reads the last 4,096 bytes
    return 1


def _listen(settings: Settings) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        raise StartupError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from None
    return listener


class WorkerProcess:
    """A forked worker, as its parent sees it."""

    def __init__(self, pid: int, channel: socket.socket, heartbeat: Heartbeat) -> None:
        self.pid = pid
        self.channel = channel
        self.heartbeat = heartbeat
        self.started = time.monotonic()
        self.ready = False
        self.replaced = False
        self.fatal: str | None = None
        self.silent_since = 0.0

    def tell(self, message: bytes) -> None:
        """Send a command; a worker that is gone is noticed by its exit."""
        with contextlib.suppress(OSError):
            self.channel.send(message)


class Parent:
    """Runs workers until the Pod ends."""

    def __init__(self, settings: Settings, listener: socket.socket, workspace: Path) -> None:
        self.settings = settings
        self.listener = listener
        self.workspace = workspace
        self.workers: dict[int, WorkerProcess] = {}
        self.poll = select.poll()
        self.draining = False
        self.start_crashes = 0
        self.fatal: str | None = None
        self.kill_at = 0.0
        self.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> int:
        """Until the last worker has gone; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        self.poll.register(self.wake_read, select.POLLIN)
        self._fork()
        while self.workers:
            self._wait()
            self._reap()
            self._check_heartbeats(time.monotonic())
        return 0 if self.fatal is None else give_up(self.fatal)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self.draining = True

    def _wait(self) -> None:
        for descriptor, _ in self.poll.poll(TICK * 1000):
            if descriptor == self.wake_read:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake_read, 4096)
            else:
                self._hear(descriptor)
        if self.draining and not self.kill_at:
            self.kill_at = time.monotonic() + self.settings.timeout + LINGER + _DRAIN_MARGIN
            for worker in self.workers.values():
                worker.tell(b"drain\n")

    def _hear(self, descriptor: int) -> None:
        worker = next(worker for worker in self.workers.values() if worker.channel.fileno() == descriptor)
        try:
            text = worker.channel.recv(65536).decode(errors="replace")
        except OSError:
            text = ""
        if not text:
            self.poll.unregister(descriptor)
        for line in text.splitlines():
            if line == "ready":
                worker.ready = True
                self.start_crashes = 0
                if self.draining:
                    worker.tell(b"drain\n")
            elif line == "replace":
                self._replace(worker, "a handler outran its timeout")
            elif line.startswith("fatal "):
                worker.fatal = line.removeprefix("fatal ")

    def _replace(self, worker: WorkerProcess, reason: str) -> None:
        if not worker.replaced and not self.draining:
            worker.replaced = True
            self._log(f"{reason}; worker {worker.pid} is replaced")
            self._fork()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            worker = self.workers.get(pid)
            if worker is not None:  # else an orphan of the function's: the first process of a container inherits them
                self._hear_last_words(worker)
                del self.workers[pid]
                self._after_exit(worker, os.waitstatus_to_exitcode(status))

    def _hear_last_words(self, worker: WorkerProcess) -> None:
        descriptor = worker.channel.fileno()
        with contextlib.suppress(OSError, KeyError):
            worker.channel.setblocking(False)
            self._hear(descriptor)
            self.poll.unregister(descriptor)
        worker.channel.close()
        worker.heartbeat.close()

    def _after_exit(self, worker: WorkerProcess, code: int) -> None:
        if worker.fatal is not None:
            self.fatal = worker.fatal
            self.draining = True
        elif not self.draining and not worker.replaced:
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
            if not worker.ready:
                self.start_crashes += 1
                if self.start_crashes >= START_CRASH_LIMIT:
                    self.fatal = f"the function's process {how} while starting, {self.start_crashes} times"
                    self.draining = True
                    return
            self._log(f"worker {worker.pid} {how}; a new one is started")
            self._fork()

    def _check_heartbeats(self, now: float) -> None:
        for worker in list(self.workers.values()):
            if self.kill_at and now > self.kill_at:
                os.kill(worker.pid, signal.SIGKILL)
            if not worker.ready or worker.fatal is not None:
                continue
            beat = worker.heartbeat
            silent = now - beat.last > TICK + STALL_GRACE
            # Only silence that this process was awake to see counts: a Pod that was stopped as a whole is not stuck.
            if not silent:
                worker.silent_since = 0.0
            elif not worker.silent_since:
                worker.silent_since = now
            elif now - worker.silent_since >= TICK and now > self._patience(beat):
                self._log(f"worker {worker.pid} does not answer and is over its calls' timeout; it is killed")
                os.kill(worker.pid, signal.SIGKILL)
                worker.ready = False

    def _patience(self, beat: Heartbeat) -> float:
        """Until when a silent worker may still be at work on its calls."""
        return (beat.last_deadline or beat.last + self.settings.timeout) + STALL_GRACE

    def _fork(self) -> None:
        ours, theirs = socket.socketpair()
        heartbeat = Heartbeat()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become_worker(ours, theirs, heartbeat)
        theirs.close()
        self.workers[pid] = WorkerProcess(pid, ours, heartbeat)
        self.poll.register(ours.fileno(), select.POLLIN)

    def _become_worker(self, ours: socket.socket, theirs: socket.socket, heartbeat: Heartbeat) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, _ignored)
            ours.close()
            os.close(self.wake_read)
            os.close(self.wake_write)
            for worker in self.workers.values():
                worker.channel.close()
            run_worker(self.settings, self.listener, theirs, heartbeat, self.workspace)
            code = 0
        except BaseException:  # nothing of the worker may run on in the parent's frames
            sys.excepthook(*sys.exc_info())
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _log(self, text: str) -> None:
        print(f"faas: {self.settings.title}: {text}", file=sys.stderr, flush=True)


def _ignored(number: int, frame: FrameType | None) -> None:
    """Ctrl-C reaches the whole process group; the parent decides what it means."""
