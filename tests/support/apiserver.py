"""A real API server process for tests: certificates, token and kubeconfig in a directory, and the process under it.

It is ours, or, with ``FAAS_TEST_PLATFORM=level1``, the one of a real Kubernetes control plane (tests/cluster).
"""

import contextlib
import secrets
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cli.local import pki
from cli.local.ports import free_port
from tests.support.patience import PATIENCE
from tests.support.platform import on_level1


class ApiServer(msgspec.Struct):
    """A running API server. `stop` and `start` keep its port and its data."""

    directory: Path
    host: str
    port: int
    token: str
    authority: pki.KeyPair
    extra_args: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None
    controllers: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        return f"https://{self.host}:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def ca_file(self) -> Path:
        return self.directory / "ca.crt"

    @property
    def log_file(self) -> Path:
        return self.directory / "apiserver.log"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def ssl_context(self) -> ssl.SSLContext:
        """A client context that trusts this server's CA alone."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def start(self) -> None:
        """Start the process and return when it answers; raises RuntimeError with its log when it does not."""
        directory = self.directory
        command = [sys.executable, "-m", "cli.local.apiserver", "--db", str(directory / "apiserver.db")]
        command += ["--host", self.host, "--port", str(self.port), "--token-file", str(directory / "token")]
        command += ["--tls-cert", str(directory / "server.crt"), "--tls-key", str(directory / "server.key")]
        command += ["--kubelet-ca", str(self.ca_file), "--kubelet-client-cert", str(directory / "kubelet-client.crt")]
        command += ["--kubelet-client-key", str(directory / "kubelet-client.key"), *self.extra_args]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"API server did not start:\n{self.log_file.read_text()}")
            time.sleep(0.01)

    def stop(self, *, kill: bool = False) -> int:
        """Stop by SIGTERM (or SIGKILL) and return the exit code."""
        assert self.process is not None
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def start_controllers(self) -> None:
        """Start the ReplicaSet controller and the garbage collector."""
        command = [sys.executable, "-m", "cli.local.controllers", "--kubeconfig", str(self.kubeconfig)]
        with (self.directory / "controllers.log").open("ab") as log:
            self.controllers = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill_controllers(self) -> None:
        """kill -9; `start_controllers` starts others."""
        assert self.controllers is not None
        self.controllers.kill()
        self.controllers.wait()

    def stop_controllers(self) -> int:
        """Stop them by SIGTERM and return the exit code."""
        assert self.controllers is not None
        self.controllers.terminate()
        return self.controllers.wait(PATIENCE)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1):
                return True
        except OSError:
            return False


def prepare(directory: Path, host: str = "127.0.0.1", extra_args: tuple[str, ...] = ()) -> ApiServer:
    """Write CA (ca.crt, ca.key), certificates, token and kubeconfig into `directory`; start nothing."""
    if on_level1():
        if extra_args:
            pytest.skip(f"{extra_args} is for our own API server")
        from tests.cluster.apiserver import shared  # it compiles Kubernetes when it must

        server: ApiServer = shared()
        server.stop()
        return server
    directory.mkdir(parents=True, exist_ok=True)
    authority = pki.create_authority()
    server = ApiServer(directory, host, free_port(set()), secrets.token_urlsafe(32), authority, extra_args)
    pki.write_key_pair(authority, directory / "ca.crt", directory / "ca.key")
    serving = pki.issue_server_certificate(authority, "faas-apiserver", [host], ["localhost"])
    pki.write_key_pair(serving, directory / "server.crt", directory / "server.key")
    client = pki.issue_client_certificate(authority, "faas-apiserver-kubelet-client", "system:masters")
    pki.write_key_pair(client, directory / "kubelet-client.crt", directory / "kubelet-client.key")
    pki.write_secret(directory / "token", server.token)
    pki.write_kubeconfig(server.kubeconfig, server.url, authority.cert_pem, server.token)
    return server


@contextlib.contextmanager
def running_apiserver(
    directory: Path, host: str = "127.0.0.1", extra_args: tuple[str, ...] = ()
) -> Iterator[ApiServer]:
    """Yield a started API server whose files are in `directory`; it is stopped on leaving."""
    if on_level1() and not extra_args:
        from tests.cluster.apiserver import shared

        real = shared()
        real.refresh_controllers()
        try:
            yield real
        finally:
            real.clear()
        return
    server = prepare(directory, host, extra_args)
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()
