"""Python Pods started by hand: the real `python -m faas_runtime`, on a loopback address of its own."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.http import Answer, http
from tests.support.patience import PATIENCE, eventually

ROOT = Path(__file__).parents[2]


# Module `testgate` of every function here: its callers wait until the test opens the gate, so none guesses how long.
GATE = """
import asyncio, os, time
def is_open():
    return os.path.exists(os.environ["TMPDIR"] + "/gate")
def gate():
    while not is_open():
        time.sleep(0.005)
async def async_gate():
    while not is_open():
        await asyncio.sleep(0.005)
"""


def free_address() -> tuple[str, int]:
    """A loopback address of its own, and a port that nobody there has."""
    host = f"127.{random.randint(96, 126)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
    with socket.socket() as probe:
        probe.bind((host, 0))
        return host, probe.getsockname()[1]


def pod_environment(main: str | None, folder: Path, address: tuple[str, int], env: Mapping[str, str]) -> dict[str, str]:
    """What the kubelet would set, and the function's source inline."""
    base = {
        "PATH": os.environ["PATH"],
        "HOST": address[0],
        "PORT": str(address[1]),
        "TMPDIR": str(folder),
        "TERMINATION_LOG": str(folder / "termination-log"),
        "FAAS_NAMESPACE": "default",
        "FAAS_FUNCTION": "probe",
        "FAAS_REVISION": "probe-1",
        "FAAS_TIMEOUT_MS": "5000",
        "FAAS_CONCURRENCY": "10",
    }
    if main is not None:
        base["FAAS_SOURCE_INLINE"] = json.dumps({"main.py": textwrap.dedent(main), "testgate.py": GATE})
    return base | dict(env)


@dataclass
class Pod:
    """A started Pod. ``folder`` has its log and its termination log."""

    process: subprocess.Popen[bytes]
    address: tuple[str, int]
    folder: Path

    @property
    def log(self) -> str:
        """All that the Pod has written."""
        return (self.folder / "log").read_text()

    @property
    def termination_log(self) -> str:
        """What the kubelet would show as the reason."""
        return (self.folder / "termination-log").read_text()

    @property
    def workers(self) -> list[int]:
        """Process ids of the Pod's workers."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def call(
        self,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
        path: str = "/",
        timeout: float = PATIENCE,
    ) -> Answer:
        """One request on a connection of its own; a body that is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        return http(method, f"http://{self.address[0]}:{self.address[1]}{path}", data, headers, timeout)

    def open_gate(self) -> None:
        """Let every handler go on that waits in `GATE`."""
        (self.folder / "gate").touch()

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(self.address, timeout=PATIENCE)

    def wait_ready(self) -> None:
        """Until /healthz answers 200. Connections wait in the socket's queue until a worker is there."""
        eventually(lambda: self._listens(), "the Pod listens")
        answer = self.call(method="GET", path="/healthz")
        assert answer.status == 200, answer

    def _listens(self) -> bool:
        assert self.process.poll() is None, f"the Pod has ended: {self.log}"
        with contextlib.suppress(OSError):
            self.connect().close()
            return True
        return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal the Pod and give its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def pod(main: str | None, *, ready: bool = True, **env: str) -> Iterator[Pod]:
    """A running Pod with ``main`` as its main.py; killed at the end if it still runs."""
    with tempfile.TemporaryDirectory(prefix="faas-test-") as name:
        folder, address = Path(name), free_address()
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "faas_runtime"],
                env=pod_environment(main, folder, address, env),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        running = Pod(process, address, folder)
        try:
            if ready:
                running.wait_ready()
            yield running
        finally:
            process.kill()
            process.wait()


@dataclass
class FailedStart:
    """What is left of a Pod that ended by itself."""

    code: int
    log: str
    reason: str

    @property
    def last_line(self) -> str:
        """The line that says why."""
        return self.log.splitlines()[-1]


def failed_start(main: str | None, **env: str) -> FailedStart:
    """Start a Pod that cannot serve, and wait for its end."""
    with pod(main, ready=False, **env) as ended:
        code = ended.process.wait(PATIENCE)
        return FailedStart(code, ended.log, ended.termination_log)


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
