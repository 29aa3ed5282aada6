"""The barest call path (a folder with gateway.py, router.py and pod.py), started and stopped for a comparison."""

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cli.local.topology import nats_server

NATS_PORT, POD_PORT, GATEWAY_PORT = 4222, 19001, 18080
"""The folder's files name port 4222; the others are ours to choose."""


@contextlib.contextmanager
def running_floor(folder: Path) -> Iterator[tuple[str, set[int]]]:
    """The barest path's URL and its processes."""
    uvicorn = ["-m", "uvicorn", "gateway:app", "--port", str(GATEWAY_PORT), "--no-access-log", "--log-level", "warning"]
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        pids = set()
        for port, command in (
            (NATS_PORT, [nats_server(), "-a", "127.0.0.1", "-p", str(NATS_PORT), "-l", f"{directory}/nats.log"]),
            (POD_PORT, [sys.executable, "pod.py", str(POD_PORT)]),
            (None, [sys.executable, "router.py", str(POD_PORT)]),
            (GATEWAY_PORT, [sys.executable, *uvicorn, "--loop", "uvloop", "--http", "httptools"]),
        ):
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL)
            stack.callback(process.wait, 10)
            stack.callback(process.terminate)
            pids.add(process.pid)
            if port:
                _wait(port)
        time.sleep(1.0)  # the router subscribes without saying so
        yield f"http://127.0.0.1:{GATEWAY_PORT}/default/add", pids


def _wait(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
