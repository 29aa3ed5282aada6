"""A real nats-server with the platform's accounts and users, for one test."""

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.local.ports import free_port
from cli.local.topology import nats_server
from services.contracts.accounts import SERVICES, caller, render
from tests.support.patience import PATIENCE

ALL_NAMESPACES: Mapping[str, Sequence[str]] = {"default": ["*"]}


@dataclass
class Bus:
    """A running nats-server. ``kill``, ``pause``, ``resume`` and ``restart`` act on the process itself."""

    directory: Path
    port: int
    passwords: Mapping[str, str]
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """The address without credentials, as services get it."""
        return f"nats://127.0.0.1:{self.port}"

    def user_url(self, user: str) -> str:
        """The address with the credentials of a service's user, or of ``caller-<tenant>``."""
        return f"nats://{user}:{self.passwords[user]}@127.0.0.1:{self.port}"

    @property
    def caller_url(self) -> str:
        """The address for a plain client of the default tenant."""
        return self.user_url("caller-default")

    def environment(self, user: str) -> dict[str, str]:
        """The settings with which a service connects as ``user``."""
        file = self.directory / f"{user}.password"
        file.write_text(self.passwords[user])
        file.chmod(0o600)
        return {"FAAS_NATS_URL": self.url, "FAAS_NATS_USER": user, "FAAS_NATS_PASSWORD_FILE": str(file)}

    def kill(self) -> None:
        """kill -9, and waits for the end of the process."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Kills the server when it still runs and starts it again on the same port and store."""
        if self.process.poll() is None:
            self.kill()
        self.process = _start(self.directory, self.port)

    def pause(self) -> None:
        """SIGSTOP: connected, but silent. Returns when no thread runs any more, which nothing but its state tells."""
        self.process.send_signal(signal.SIGSTOP)
        threads = list(Path(f"/proc/{self.process.pid}/task").iterdir())
        while any(") T " not in (each / "stat").read_text() for each in threads):
            time.sleep(0.001)

    def resume(self) -> None:
        """Ends a pause."""
        self.process.send_signal(signal.SIGCONT)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address on which nothing listens."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


@contextmanager
def running_bus(directory: Path, tenants: Mapping[str, Sequence[str]] = ALL_NAMESPACES) -> Iterator[Bus]:
    """Starts nats-server in ``directory`` on a free loopback port; stopped at the end."""
    port = free_port(set())
    passwords = {name: secrets.token_urlsafe(18) for name in (*SERVICES, *(caller(t) for t in tenants))}
    config = render(
        listen=f"127.0.0.1:{port}",
        store_dir=str(directory / "js"),
        passwords=passwords,
        tenants=tenants,
        sync_always=False,
    )
    (directory / "nats.conf").write_text(config)
    bus = Bus(directory, port, passwords, _start(directory, port))
    try:
        yield bus
    finally:
        if bus.process.poll() is None:
            bus.resume()
            bus.process.terminate()
            try:
                bus.process.wait(20)
            except subprocess.TimeoutExpired:
                bus.kill()


def _start(directory: Path, port: int) -> subprocess.Popen[bytes]:
    with (directory / "nats.log").open("ab") as log:
        process = subprocess.Popen(
            [nats_server(), "-c", str(directory / "nats.conf")],
            stdout=log,
            stderr=log,
            env={"PATH": os.environ["PATH"]},
        )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, (directory / "nats.log").read_text()
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                if probe.recv(4) == b"INFO":
                    return process
        except OSError:
            time.sleep(0.01)  # nothing tells when a server begins to listen
    raise AssertionError(f"nats-server did not start:\n{(directory / 'nats.log').read_text()}")
