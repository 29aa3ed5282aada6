"""The warm parent: its protocol, what its children are, and that they outlive it."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.http import http
from tests.support.patience import PATIENCE, eventually
from tests.support.runtime import ROOT, free_address, is_running, pod_environment

MAIN = """
    import gc, os, random, signal, sys, threading
    FIRST = random.random()
    def handle(event):
        return {
            "env": dict(os.environ), "cwd": os.getcwd(), "sid": os.getsid(0), "parent": os.getppid(),
            "random": FIRST, "stdin": os.readlink("/proc/self/fd/0"), "stdout": os.readlink("/proc/self/fd/1"),
            "fds": sorted(os.readlink(f"/proc/self/fd/{fd}").partition(":")[0] for fd in os.listdir("/proc/self/fd")
                          if os.path.exists(f"/proc/self/fd/{fd}")),
            "oom": open("/proc/self/oom_score_adj").read().strip(),
            "signals": [str(signal.getsignal(n)) for n in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP)],
            "modules": [name for name in event if name in sys.modules],
        }
"""


class ForkServer:
    """A running forkserver and its owner's connection."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "socket"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "faas_runtime.forkserver", "--socket", str(self.path)], cwd=ROOT
        )
        eventually(self.path.exists, "the forkserver listens")
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(PATIENCE)
        eventually(self._connect, "the forkserver accepts")
        self.lines = self.connection.makefile("rwb")
        self.started: list[int] = []

    def _connect(self) -> bool:
        with contextlib.suppress(ConnectionRefusedError):
            self.connection.connect(str(self.path))
            return True
        return False

    def ask(self, request: object) -> dict[str, object]:
        line = request if isinstance(request, bytes) else json.dumps(request).encode()
        self.lines.write(line + b"\n")
        self.lines.flush()
        return self.read()

    def read(self) -> dict[str, object]:
        return json.loads(self.lines.readline())

    def start(self, main: str, address: tuple[str, int], **more: object) -> int:
        """Start a Pod; its process id."""
        env = pod_environment(main, self.folder, address, {})
        request = {"id": "a", "env": env, "cwd": str(self.folder), "stdout": str(self.folder / "log"), **more}
        answer = self.ask(request)
        assert answer["id"] == "a", answer
        pid = answer["pid"]
        assert isinstance(pid, int)
        self.started.append(pid)
        return pid

    def close(self) -> None:
        self.lines.close()
        self.connection.close()
        assert self.process.wait(PATIENCE) == 0
        for pid in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForkServer]:
    running = ForkServer(tmp_path)
    yield running
    running.close()


def call(address: tuple[str, int], body: object) -> dict[str, object]:
    url = f"http://{address[0]}:{address[1]}/"
    eventually(lambda: _accepts(address), "the Pod listens")
    return json.loads(http("POST", url, json.dumps(body).encode()).body)


def _accepts(address: tuple[str, int]) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(address, timeout=PATIENCE).close()
        return True
    return False


def test_what_a_child_is(server: ForkServer) -> None:
    address = free_address()
    os.environ["FORKSERVER_OWN"] = "1"
    try:
        pid = server.start(MAIN, address, oom_score_adj=321)
        seen = call(address, ["asyncio", "tests", "services", "yaml", "faas_runtime.forkserver"])
    finally:
        del os.environ["FORKSERVER_OWN"]
    hidden = ("FAAS_TIMEOUT_MS", "FAAS_CONCURRENCY")
    env = pod_environment(None, server.folder, address, {})
    assert seen["env"] == {name: value for name, value in env.items() if name not in hidden}
    assert (seen["sid"], seen["parent"]) == (
        pid,
        pid,
    )  # the Pod's first process leads a session; the worker is its child
    assert seen["stdin"] == "/dev/null"
    assert seen["stdout"] == str(server.folder / "log")
    assert seen["oom"] == "321"
    assert seen["signals"] == ["0", "0", "0"]  # SIG_DFL
    assert str(server.path) not in str(seen["fds"])
    assert "faas_runtime.forkserver" not in seen["modules"]
    assert {"tests", "services", "yaml"}.isdisjoint(seen["modules"])
    assert stat.S_IMODE((server.folder / "log").stat().st_mode) == 0o600
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o600


def test_children_differ_in_their_random_numbers(server: ForkServer) -> None:
    addresses = [free_address() for _ in range(3)]
    for address in addresses:
        server.start(MAIN, address)
    assert len({call(address, [])["random"] for address in addresses}) == 3


def test_exits_are_reported(server: ForkServer) -> None:
    address = free_address()
    pid = server.start(MAIN, address)
    call(address, [])
    os.kill(pid, signal.SIGTERM)
    assert server.read() == {"exit": pid, "code": 0}
    pid = server.start(MAIN, free_address())
    os.kill(pid, signal.SIGKILL)
    assert server.read() == {"exit": pid, "signal": 9}
    pid = server.start("raise ValueError", free_address())
    assert server.read() == {"exit": pid, "code": 1}
    assert "faas: cannot start: handler main:handle" in (server.folder / "log").read_text()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"cwd": "/absent"}, "cwd /absent: No such file or directory"),
        ({"stdout": "/absent/log"}, "stdout /absent/log: No such file or directory"),
        ({"env": {"A": 1}}, "the request is wrong: Expected `str`, got `int` - at `$.env[...]`"),
        ({"env": None}, "the request is wrong: Expected `object`, got `null` - at `$.env`"),
        ({"env": {"A=B": "x"}}, "env: 'A=B' cannot be the name of a variable"),
        ({"env": {"A": "x\0"}}, "env: the value of 'A' has a NUL character"),
    ],
)
def test_requests_that_cannot_be_served(server: ForkServer, change: dict[str, object], error: str) -> None:
    request = {"id": "7", "env": {}, "cwd": str(server.folder), "stdout": str(server.folder / "log")}
    assert server.ask(request | change) == {"id": "7", "error": error}
    server.start(MAIN, free_address())


def test_requests_that_are_no_json(server: ForkServer) -> None:
    answer = server.ask(b"{")
    assert (answer["id"], answer["error"]) == ("", "the request is wrong: Input data was truncated")


def test_many_requests_in_one_write_and_one_in_many(server: ForkServer) -> None:
    addresses = [free_address() for _ in range(4)]
    lines = b""
    for number, address in enumerate(addresses):
        env = pod_environment(MAIN, server.folder, address, {})
        request = {"id": str(number), "env": env, "cwd": str(server.folder), "stdout": str(server.folder / "log")}
        lines += json.dumps(request).encode() + b"\n"
    server.connection.sendall(lines[:100])
    server.connection.sendall(lines[100:])
    answers = [server.read() for _ in addresses]
    assert [answer["id"] for answer in answers] == ["0", "1", "2", "3"]
    server.started += [int(str(answer["pid"])) for answer in answers]
    for address in addresses:
        call(address, [])


def test_others_may_ask_but_only_the_owner_hears_of_exits(server: ForkServer) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(str(server.path))
        env = pod_environment("raise ValueError", server.folder, free_address(), {})
        request = {"id": "b", "env": env, "cwd": str(server.folder), "stdout": str(server.folder / "log")}
        other.sendall(json.dumps(request).encode() + b"\n")
        pid = json.loads(other.recv(1000))["pid"]
        assert server.read() == {"exit": pid, "code": 1}
    address = free_address()
    server.start(MAIN, address)  # the other's end has ended nothing
    call(address, [])


def test_children_outlive_it(tmp_path: Path) -> None:
    server = ForkServer(tmp_path)
    address = free_address()
    try:
        pid = server.start(MAIN, address)
        call(address, [])
        server.lines.close()
        server.connection.close()
        assert server.process.wait(PATIENCE) == 0
        assert call(address, [])["parent"] == pid
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not is_running(pid), "the child has ended")
    finally:
        for pid in server.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def test_a_socket_left_behind_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    command = [sys.executable, "-m", "faas_runtime.forkserver", "--socket"]
    process = subprocess.Popen([*command, str(path)], cwd=ROOT)
    with socket.socket(socket.AF_UNIX) as owner:
        eventually(lambda: owner.connect_ex(str(path)) == 0, "the forkserver accepts")
    assert process.wait(PATIENCE) == 0
    ended = subprocess.run([*command, "/absent/socket"], cwd=ROOT, capture_output=True, check=False, text=True)
    assert (ended.returncode, "cannot listen on /absent/socket: No such file" in ended.stderr) == (1, True)
