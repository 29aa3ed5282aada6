"""The whole one-machine platform, for tests: started in a directory of its own, stopped at the end."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FAAS = str(Path(sys.executable).with_name("faas"))
CHOICE = "FAAS_TEST_PLATFORM"
LEVEL1 = "level1"


def on_level1() -> bool:
    """Whether the tests run around a real Kubernetes control plane instead of the one-machine platform's own."""
    return os.environ.get(CHOICE) == LEVEL1


@dataclass
class Platform:
    """A running platform and the addresses that ``faas status`` gives."""

    directory: Path
    gateway: str
    nats: str
    kubeconfig: str
    bring_back: Callable[[], None]
    """Starts a supervisor again that takes over what a killed one left."""

    def faas(self, *arguments: str, timeout: float = 100.0, check: bool = False, **env: str) -> "Finished":
        """Runs ``faas`` against this platform; with ``check``, fails the test unless it exits with 0."""
        return run(FAAS, *arguments, timeout=timeout, check=check, env={"FAAS_DIR": str(self.directory), **env})

    def kubectl(self, *arguments: str, timeout: float = 100.0, check: bool = False) -> "Finished":
        """Runs ``kubectl`` with the platform's kubeconfig."""
        return run("kubectl", *arguments, timeout=timeout, check=check, env={"KUBECONFIG": self.kubeconfig})

    def status(self) -> dict[str, Any]:
        """``faas status -o json``."""
        return dict(json.loads(self.faas("status", "-o", "json").out))

    def pid(self, name: str) -> int:
        """The pid of one of the platform's processes."""
        return pid_of(self.status(), name)


def pid_of(status: dict[str, Any], name: str) -> int:
    """The pid of one of the processes in what ``Platform.status`` gave."""
    return int(next(process["pid"] for process in status["processes"] if process["name"] == name))


@dataclass(frozen=True)
class Finished:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


def run(*command: str, timeout: float, check: bool = False, env: Mapping[str, str] | None = None) -> Finished:
    """Runs a command with an environment of PATH, HOME and ``env`` alone."""
    base = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=base | dict(env or {}),
        stdin=subprocess.DEVNULL,
        check=False,
    )
    finished = Finished(done.returncode, done.stdout, done.stderr)
    assert not check or finished.code == 0, (
        f"{' '.join(command)} exited with {finished.code}\n{finished.out}{finished.err}"
    )
    return finished


@contextmanager
def running_platform(directory: Path) -> Iterator[Platform]:
    """A platform in ``directory`` on free ports; its logs are shown when the test fails.

    By ``faas up``, or, with ``FAAS_TEST_PLATFORM=level1``, the same processes around a real Kubernetes control plane.
    """
    if on_level1():
        from tests.cluster.platform import control_plane, starter  # it compiles Kubernetes when it must

        with (
            control_plane(directory) as plane,
            starter(plane, directory) as start,
            _started(directory, start) as platform,
        ):
            yield platform
    else:
        with _started(directory, lambda: _up(directory)) as platform:
            yield platform


def _up(directory: Path) -> None:
    ports = ("--gateway-port", "0", "--nats-port", "0")
    done = run(FAAS, "up", "--detach", "--dir", str(directory), *ports, timeout=200)
    assert done.code == 0, f"faas up failed:\n{done.out}{done.err}{_logs(directory)}"


@contextmanager
def _started(directory: Path, start: Callable[[], None]) -> Iterator[Platform]:
    start()
    addresses = json.loads((directory / "faas.json").read_text())
    try:
        yield Platform(directory, addresses["gateway"], addresses["nats"], addresses["kubeconfig"], start)
    except BaseException:
        print(_logs(directory))
        raise
    finally:
        down = run(FAAS, "down", "--dir", str(directory), timeout=120)
        assert down.code == 0, f"faas down failed:\n{down.out}{down.err}{_logs(directory)}"


def _logs(directory: Path) -> str:
    parts = []
    for path in sorted((directory / "logs").glob("*.log")):
        parts.append(f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-25:]))
    return "\n".join(parts)
