"""A platform of its own for a benchmark."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.platform import CHOICE, LEVEL1, running_platform

FAAS = str(Path(sys.executable).with_name("faas"))


def faas(directory: str, *arguments: str) -> str:
    """Runs ``faas`` and returns what it printed; raises CalledProcessError when it fails."""
    env = os.environ | {"FAAS_DIR": directory}
    return subprocess.run(
        [FAAS, *arguments], env=env, check=True, stdout=subprocess.PIPE, text=True, timeout=120
    ).stdout


@contextlib.contextmanager
def running() -> Iterator[tuple[str, dict[str, Any]]]:
    """The platform's directory and its status; ``up_seconds`` in it says how long ``faas up`` took."""
    with tempfile.TemporaryDirectory(prefix="faas-benchmark-") as directory:
        began = time.perf_counter()
        faas(directory, "up", "--detach", "--gateway-port", "0", "--nats-port", "0")
        took = time.perf_counter() - began
        try:
            yield directory, json.loads(faas(directory, "status", "-o", "json")) | {"up_seconds": took}
        finally:
            faas(directory, "down")


@contextlib.contextmanager
def running_level1() -> Iterator[tuple[str, dict[str, Any]]]:
    """The same around a real Kubernetes control plane, as the tests of tests/cluster run it."""
    os.environ[CHOICE] = LEVEL1
    with (
        tempfile.TemporaryDirectory(prefix="faas-benchmark-") as directory,
        running_platform(Path(directory)) as platform,
    ):
        yield directory, platform.status()


def write_function(directory: Path, source: str) -> Path:
    """A folder with ``source`` as its main.py, to deploy."""
    directory.mkdir(parents=True)
    (directory / "main.py").write_text(source)
    return directory
