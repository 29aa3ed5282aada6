"""A service of the platform as a process of its own."""

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.support.bus import Bus
from tests.support.patience import PATIENCE, until

ROOT = Path(__file__).parents[2]


def environment(bus: Bus, service: str, kubeconfig: Path, **settings: str) -> dict[str, str]:
    """The environment of a service on this bus; ``settings`` are its settings by their names in the code."""
    own = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ} | bus.environment(service)
    own["FAAS_KUBECONFIG"] = str(kubeconfig)
    return own | {f"FAAS_{name.upper()}": value for name, value in settings.items()}


@dataclass
class Service:
    """``python -m services.<name>``; ``start`` again after its end keeps its settings."""

    name: str
    env: dict[str, str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    _began: int = 0

    def start(self) -> None:
        """Starts it; ``ready`` says when it serves."""
        self._began = self.log.stat().st_size if self.log.exists() else 0
        command = [sys.executable, "-m", f"services.{self.name}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=log, stderr=log)

    @property
    def url(self) -> str:
        """Base of its health endpoint, as its log tells since the last start; empty before."""
        lines = [line for line in self.log.read_bytes()[self._began :].splitlines() if b'"listening on ' in line]
        return "http://" + msgspec.json.decode(lines[-1])["message"].rpartition(" ")[2] if lines else ""

    def ready(self) -> bool:
        """Whether /readyz says so; a stopped one is not."""
        if not self.url:
            return False
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def metrics(self) -> str:
        """What /metrics says."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def terminate(self) -> None:
        """SIGTERM; ``ended`` waits for its end."""
        assert self.process is not None
        self.process.terminate()

    def pause(self, number: signal.Signals) -> None:
        """SIGSTOP or SIGCONT."""
        assert self.process is not None
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        assert self.process is not None
        process = self.process
        await until(lambda: process.poll() is not None, why=self.log.read_text())
        return int(process.returncode)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.terminate()
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """kill -9, if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
