"""Where the one-machine platform keeps its files: one directory, readable by its owner alone."""

import os
from pathlib import Path

import msgspec

FORMAT = 1


class Ports(msgspec.Struct, frozen=True):
    """TCP ports on 127.0.0.1, kept over restarts so that addresses given out stay true."""

    gateway: int
    nats: int
    apiserver: int
    router: int
    scaler: int
    workflow: int = 0


class Addresses(msgspec.Struct, frozen=True):
    """What ``faas.json`` tells the CLI: how to reach this platform. ``nats`` has a caller's user and password."""

    gateway: str
    nats: str
    kubeconfig: str
    token: str = ""
    version: int = FORMAT


class Layout:
    """Paths below the platform's directory."""

    def __init__(self, directory: Path) -> None:
        self.root = directory.absolute()
        self.addresses = self.root / "faas.json"
        self.kubeconfig = self.root / "kubeconfig"
        self.ports = self.root / "ports.json"
        self.secrets = self.root / "secrets"
        self.logs = self.root / "logs"
        self.run = self.root / "run"
        self.processes = self.run / "processes.json"
        self.lock = self.run / "supervisor.lock"
        self.nats_config = self.secrets / "nats.conf"
        self.jetstream = self.root / "jetstream"
        self.database = self.root / "apiserver.db"
        self.kubelet = self.root / "kubelet"

    def create(self) -> None:
        """Makes the directories, mode 0700."""
        for directory in (self.root, self.secrets, self.logs, self.run, self.jetstream, self.kubelet):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def password_file(self, user: str) -> Path:
        """The file with the password of a NATS user."""
        return self.secrets / f"nats-{user}"


def default_directory() -> Path:
    """``FAAS_DIR``, or ``~/.faas``."""
    return Path(os.environ.get("FAAS_DIR") or Path.home() / ".faas")


def write_private(path: Path, data: bytes) -> None:
    """Replaces ``path`` in one step by a file that its owner alone may read."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
    draft.replace(path)
