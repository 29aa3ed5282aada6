"""The Pod's first process: holds the listening socket, forks the worker, replaces it, and ends with the Pod.

It is single-threaded and runs no event loop, so that a fork is safe at any moment.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from faas_runtime.children import ended_children
from faas_runtime.heartbeat import Heartbeat
from faas_runtime.limits import LINGER, STALL_GRACE, START_CRASH_LIMIT, TICK
from faas_runtime.settings import Settings
from faas_runtime.worker import LONGEST_MESSAGE, run_worker

_DRAIN_MARGIN = 3.0
_SHORT_LIFE = 1.0
_SHORT_LIVES_AT_ONCE = 5  # that many workers may die young, one after another, before the next has to wait
_LONGEST_PAUSE = 5.0
_PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = ctypes.CDLL(None)


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

    def is_stuck(self, now: float, timeout: float) -> bool:
        """Whether the loop has been silent past the end of all its calls.

        Only silence that the parent was awake to see counts: a Pod that was stopped as a whole is not stuck.
        """
        beat = self.heartbeat
        if not self.ready or now - beat.last <= TICK + STALL_GRACE:
            self.silent_since = 0.0
            return False
        self.silent_since = self.silent_since or now
        patience = (beat.last_deadline or beat.last + timeout) + STALL_GRACE
        return now - self.silent_since >= TICK and now > patience

    def drain(self) -> None:
        """Ask it to finish; one that serves nothing yet has nothing to finish."""
        if not self.ready:
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):  # it is gone already, as its exit will tell
            self.channel.send(b"drain")


class Parent:
    """Runs workers until the Pod ends."""

    def __init__(self, settings: Settings, listener: socket.socket, workspace: Path) -> None:
        self.settings = settings
        self.listener = listener
        self.workspace = workspace
        self.workers: dict[int, WorkerProcess] = {}
        self.poll = select.poll()
        self.draining = False
        self.kill_at = 0.0
        self.fork_at = 0.0
        self.start_crashes = 0
        self.short_lives = 0
        self.fatal: str | None = None
        self.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> str | None:
        """Until the last worker has gone; why the function cannot be served, or None after a drain."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler makes the wake-up pipe hear of it
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        self.poll.register(self.wake_read, select.POLLIN)
        self._fork()
        while self.workers or self.fork_at:
            self._wait()
            self._reap()
            now = time.monotonic()
            if self.draining:
                self._drain(now)
            elif self.fork_at and now >= self.fork_at:
                self._fork()
            self._kill_stuck(now)
        return self.fatal

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self.draining = True

    def _wait(self) -> None:
        for descriptor, _ in self.poll.poll(TICK * 1000):
            if descriptor == self.wake_read:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake_read, 4096)
            else:
                self._hear(next(w for w in self.workers.values() if w.channel.fileno() == descriptor))

    def _hear(self, worker: WorkerProcess) -> bool:
        """Take one message of a worker; False when there is none (any more)."""
        try:
            message = worker.channel.recv(LONGEST_MESSAGE + 1).decode(errors="replace")
        except BlockingIOError:
            return False
        except OSError:
            message = ""
        if not message:
            with contextlib.suppress(KeyError):
                self.poll.unregister(worker.channel.fileno())
            return False
        if message == "ready":
            worker.ready = True
            self.start_crashes = 0
            if self.draining:
                worker.drain()
        elif message == "replace" and not self.draining:
            worker.replaced = True
            self._log(f"a handler outran its timeout; worker {worker.pid} is replaced")
            self._fork()
        elif message.startswith("fatal "):
            worker.fatal = message.removeprefix("fatal ")
        return True

    def _reap(self) -> None:
        for pid, code in ended_children():
            worker = self.workers.pop(pid, None)
            if worker is not None:  # else an orphan of the function's
                while self._hear(worker):
                    pass
                with contextlib.suppress(KeyError):
                    self.poll.unregister(worker.channel.fileno())
                worker.channel.close()
                worker.heartbeat.close()
                self._after_exit(worker, code)

    def _after_exit(self, worker: WorkerProcess, code: int) -> None:
        if worker.fatal is not None:
            self.fatal = worker.fatal
            self.draining = True
        if self.draining or worker.replaced:
            return
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        if not worker.ready:
            self.start_crashes += 1
            if self.start_crashes >= START_CRASH_LIMIT:
                self.fatal = f"the function's process {how} while starting, {self.start_crashes} times"
                self.draining = True
                return
        self.short_lives = self.short_lives + 1 if time.monotonic() - worker.started < _SHORT_LIFE else 0
        if self.short_lives <= _SHORT_LIVES_AT_ONCE:
            self._log(f"worker {worker.pid} {how}; a new one is started")
            self._fork()
        else:
            pause = min(0.25 * 2 ** (self.short_lives - _SHORT_LIVES_AT_ONCE), _LONGEST_PAUSE)
            self._log(f"worker {worker.pid} {how}, as did those before; a new one is started in {pause:g} s")
            self.fork_at = time.monotonic() + pause

    def _drain(self, now: float) -> None:
        if not self.kill_at:
            self.kill_at = now + self.settings.timeout + LINGER + _DRAIN_MARGIN
            self.fork_at = 0.0
            for worker in self.workers.values():
                worker.drain()
            self.listener.close()  # the worker's is the last one then: it knows when to close it
        elif now > self.kill_at:
            for worker in self.workers.values():
                os.kill(worker.pid, signal.SIGKILL)

    def _kill_stuck(self, now: float) -> None:
        for worker in self.workers.values():
            if worker.is_stuck(now, self.settings.timeout):
                self._log(f"worker {worker.pid} holds its process past its calls' timeout; it is killed")
                os.kill(worker.pid, signal.SIGKILL)

    def _fork(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        heartbeat = Heartbeat()
        self.fork_at = 0.0
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_worker(parent, ours, theirs, heartbeat)
        theirs.close()
        self.workers[pid] = WorkerProcess(pid, ours, heartbeat)
        self.poll.register(ours.fileno(), select.POLLIN)

    def _become_worker(self, parent: int, ours: socket.socket, theirs: socket.socket, heartbeat: Heartbeat) -> NoReturn:
        code = 1
        try:
            # A killed parent takes its worker along, whatever that is busy with, as the end of a container would.
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(code)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, _ignore)
            for worker in self.workers.values():
                worker.channel.close()
            ours.close()
            os.close(self.wake_read)
            os.close(self.wake_write)
            run_worker(self.settings, self.listener, theirs, heartbeat, self.workspace)
            code = 0
        except BaseException:  # nothing of the worker may run on in the parent's frames
            sys.excepthook(*sys.exc_info())
        finally:
            with contextlib.suppress(OSError, ValueError):  # a stream that the function has closed
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _log(self, text: str) -> None:
        print(f"faas: {self.settings.title}: {text}", file=sys.stderr, flush=True)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Ctrl-C in a terminal reaches the whole process group; the parent decides what it means. (A handler instead of
    SIG_IGN, which programs started by the function would inherit.)"""
