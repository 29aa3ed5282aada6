"""The warm parent of one machine: starts Python Pods by fork, in milliseconds (``python -m faas_runtime.forkserver``).

It is single-threaded, runs no event loop and has loaded the runtime alone: everything of a function's own is imported
in the function's process. Protocol, over a Unix stream socket (mode 0600), one JSON object a line:

    -> {"id": "…", "env": {…}, "cwd": "dir", "stdout": "file", "oom_score_adj": 500}    (the last one optional)
    <- {"id": "…", "pid": N}  or  {"id": "…", "error": "…"}
    <- {"exit": pid, "code": N}  or  {"exit": pid, "signal": N}                          (to the owner)

The first connection is the owner: when it closes, the forkserver exits and its children live on.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import select
import signal
import socket
import stat
import sys
import time
from typing import NoReturn

import msgspec

from faas_runtime import archive, pod
from faas_runtime.children import ended_children

# Loaded here once for all children, together with all that they import. Never anything of a function's.
PRELOADED = (archive, pod)

_LONGEST_REQUEST = 1024 * 1024
_OWNER_PATIENCE = 10.0
# Seconds in which an owner has to connect: one killed while its forkserver was starting would leave it for ever.
OWNERLESS_SECONDS = 60.0


class StartRequest(msgspec.Struct):
    """One Pod to start. ``stdout`` is the file that both output streams are appended to."""

    id: str
    env: dict[str, str]
    cwd: str
    stdout: str
    oom_score_adj: int | None = None


class Answer(msgspec.Struct, omit_defaults=True):
    """The pid of the started Pod, or why it was not started."""

    id: str
    pid: int = 0
    error: str = ""


class Child(Exception):
    """Unwinds the stack in a forked child, so that nothing of the server's is left in it."""


class Client:
    """One connection and the part of a line it has sent so far."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.buffer = b""

    def send(self, message: object) -> None:
        """Write one line. A reader that takes nothing for seconds is dropped, and noticed as gone."""
        with contextlib.suppress(OSError):
            self.connection.sendall(msgspec.json.encode(message) + b"\n")


class ForkServer:
    """Accepts start requests, forks, and reports exits."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.clients: dict[int, Client] = {}
        self.owner: Client | None = None
        self.poll = select.poll()
        self.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.poll.register(self.wake_read, select.POLLIN)
        self.poll.register(listener.fileno(), select.POLLIN)

    def serve(self) -> None:
        """Until the owner has gone. Raises Child in every forked child."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        deadline = time.monotonic() + OWNERLESS_SECONDS
        while self.owner is not None or time.monotonic() < deadline:
            for descriptor, _ in self.poll.poll(None if self.owner else OWNERLESS_SECONDS * 1000):
                if descriptor == self.wake_read:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self.wake_read, 4096)
                elif descriptor == self.listener.fileno():
                    self._accept()
                elif not self._read(self.clients[descriptor]):
                    return
            self._report_exits()

    def _accept(self) -> None:
        connection, _ = self.listener.accept()
        connection.settimeout(_OWNER_PATIENCE)
        client = self.clients[connection.fileno()] = Client(connection)
        self.poll.register(connection.fileno(), select.POLLIN)
        self.owner = self.owner or client

    def _read(self, client: Client) -> bool:
        """Take what a client has sent; False when it was the owner and has gone."""
        try:
            data = client.connection.recv(65536)
        except OSError:
            data = b""
        if not data or len(client.buffer) > _LONGEST_REQUEST:
            self.poll.unregister(client.connection.fileno())
            del self.clients[client.connection.fileno()]
            client.connection.close()
            return client is not self.owner
        *lines, client.buffer = (client.buffer + data).split(b"\n")
        for line in lines:
            client.send(self._start(line))
        return True

    def _start(self, line: bytes) -> Answer:
        try:
            request = msgspec.json.decode(line, type=StartRequest)
        except msgspec.DecodeError as error:
            return Answer(id=_id_of(line), error=f"the request is wrong: {error}")
        if wrong := _wrong_in(request.env):
            return Answer(id=request.id, error=wrong)
        try:
            directory = os.open(request.cwd, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            return Answer(id=request.id, error=f"cwd {request.cwd}: {error.strerror}")
        try:
            log = os.open(request.stdout, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            os.close(directory)
            return Answer(id=request.id, error=f"stdout {request.stdout}: {error.strerror}")
        try:
            pid = os.fork()
        except OSError as error:
            pid, failure = -1, f"fork: {error.strerror}"
        if pid == 0:
            self._become_child(request, directory, log)
        os.close(directory)
        os.close(log)
        return Answer(id=request.id, pid=pid) if pid > 0 else Answer(id=request.id, error=failure)

    def _become_child(self, request: StartRequest, directory: int, log: int) -> NoReturn:
        """Raises Child in the new process, or ends it: it must never go on as a second server."""
        try:
            self._shed_the_server(request, directory, log)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        raise Child

    def _shed_the_server(self, request: StartRequest, directory: int, log: int) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.setsid()
        os.fchdir(directory)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        for descriptor in (null, directory, log):
            os.close(descriptor)
        for client in self.clients.values():
            client.connection.close()
        self.listener.close()
        for descriptor in (self.wake_read, self.wake_write):
            os.close(descriptor)
        if request.oom_score_adj is not None:
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # lowering needs rights
                file.write(str(request.oom_score_adj))
        os.environ.clear()
        os.environ.update(request.env)

    def _report_exits(self) -> None:
        for pid, code in ended_children():
            if self.owner is not None:
                self.owner.send({"exit": pid, "code": code} if code >= 0 else {"exit": pid, "signal": -code})


def main() -> int:
    """Listen, serve, and in each child run the Pod."""
    parser = argparse.ArgumentParser(
        prog="python -m faas_runtime.forkserver", description="Warm parent of Python Pods."
    )
    parser.add_argument("--socket", required=True, help="path of the Unix socket to listen on")
    path = parser.parse_args().socket
    try:
        listener = _listen(path)
    except OSError as error:
        print(f"faas_runtime.forkserver: cannot listen on {path}: {error.strerror}", file=sys.stderr)
        return 1
    gc.collect()
    gc.freeze()  # keeps the collector from touching, and so copying, the pages shared with the children
    try:
        ForkServer(listener).serve()
    except Child:
        pass
    except KeyboardInterrupt:
        return 0
    else:
        return 0
    gc.collect()
    return pod.main()


def _listen(path: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)  # left behind by one that was killed
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    listener.listen(16)
    return listener


def _wrong_in(env: dict[str, str]) -> str:
    """What of an environment the operating system could not take; empty when nothing."""
    for name, value in env.items():
        if not name or "=" in name or "\0" in name:
            return f"env: {name!r} cannot be the name of a variable"
        if "\0" in value:
            return f"env: the value of {name!r} has a NUL character"
    return ""


def _id_of(line: bytes) -> str:
    try:
        return str(msgspec.json.decode(line, type=dict[str, object]).get("id", ""))
    except msgspec.DecodeError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
