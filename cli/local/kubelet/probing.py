"""Making one probe: HTTP GET or TCP connect to the Pod's address, or a command: success, or why not."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cli.local.kubelet import procfs
from cli.local.kubelet.processes import readable
from cli.local.kubelet.resources import Container, HttpGetAction, Probe

_HEAD_LIMIT = 4096


class ProbeFailed(Exception):
    """The probe did not succeed; the message is what an Unhealthy event says."""


async def make_probe(
    probe: Probe, container: Container, ip: str, environment: Mapping[str, str], directory: Path, mark: int
) -> None:
    """Probe once, within `timeoutSeconds`. Raises ProbeFailed."""
    try:
        async with asyncio.timeout(max(1, probe.timeout_seconds)):
            if probe.http_get is not None:
                await _http_get(probe.http_get, probe.http_get.host or ip, _port(probe.http_get.port, container))
            elif probe.tcp_socket is not None:
                await _tcp(probe.tcp_socket.host or ip, _port(probe.tcp_socket.port, container))
            elif probe.exec is not None:
                await _execute(probe.exec.command, environment, directory, mark)
    except TimeoutError:
        raise ProbeFailed(f"no answer within {probe.timeout_seconds} s") from None
    except OSError as error:
        raise ProbeFailed(error.strerror or str(error)) from None


def _port(port: int | str, container: Container) -> int:
    if isinstance(port, int):
        return port
    for known in container.ports:
        if known.name == port:
            return known.container_port
    if port.isdigit():
        return int(port)
    raise ProbeFailed(f"container {container.name} has no port named {port!r}")


async def _connected(host: str, port: int) -> socket.socket:
    connection = socket.socket()
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connection, (host, port))
    except BaseException:
        connection.close()
        raise
    return connection


async def _tcp(host: str, port: int) -> None:
    (await _connected(host, port)).close()


async def _http_get(action: HttpGetAction, host: str, port: int) -> None:
    path = action.path if action.path.startswith("/") else f"/{action.path}"
    headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/1.36", "Accept": "*/*", "Connection": "close"}
    headers |= {header.name: header.value for header in action.http_headers}
    head = f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    loop, answer = asyncio.get_running_loop(), b""
    connection = await _connected(host, port)
    try:
        await loop.sock_sendall(connection, head.encode())
        while b"\r\n" not in answer and len(answer) < _HEAD_LIMIT:
            chunk = await loop.sock_recv(connection, _HEAD_LIMIT)
            if not chunk:
                break
            answer += chunk
    finally:
        connection.close()
    words = answer.split(b"\r\n", 1)[0].split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise ProbeFailed("HTTP probe failed: the answer is not HTTP")
    status = int(words[1])
    if not 200 <= status < 400:
        raise ProbeFailed(f"HTTP probe failed with statuscode: {status}")


async def _execute(command: list[str], environment: Mapping[str, str], directory: Path, mark: int) -> None:
    """Runs beside the container with its environment, marked as its own; killed with all it started when its time is
    up."""
    child = _spawn(command, environment, directory, mark)
    descriptor = os.pidfd_open(child.pid)
    try:
        await readable(descriptor)
    finally:
        os.close(descriptor)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        code = child.wait()
    if code != 0:
        raise ProbeFailed(f"exec probe failed: {command[0]} exited with {code}")


def _spawn(command: list[str], environment: Mapping[str, str], directory: Path, mark: int) -> "subprocess.Popen[bytes]":
    with procfs.marking(0, mark):
        return subprocess.Popen(
            command, env=dict(environment), cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
