"""Runs ``faas`` as the installed command, or its entry point in this process, against a canned gateway."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.app import run
from services.contracts.errors import MEANING, Code
from tests.support.canned import Say, Server

BIN = Path(sys.executable).parent


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def faas(*arguments: str | bytes, command: str = "faas", stdin: bytes = b"", **env: str) -> Done:
    """Runs an installed command with an environment of PATH, HOME and ``env`` alone."""
    base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [str(BIN / command), *arguments], input=stdin, capture_output=True, env=base | env, timeout=100, check=False
    )
    return Done(done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode())


class Here:
    """Runs the command's entry point in this process against a server: a start costs 0.15 s."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, server: Server, *arguments: str) -> Done:
        """``faas ARGUMENTS`` with ``server`` as its gateway."""
        self._monkeypatch.setenv("FAAS_GATEWAY", server.url)
        code = run(arguments)
        return Done(code, *self._capfd.readouterr())


def error(code: Code, message: str, **headers: str) -> Say:
    """An error as the contract has it; ``_`` in a header's name stands for '-'."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()} | {"Faas-Error": code.value}
    return Say(MEANING[code].status, json.dumps({"code": code, "message": message}).encode(), fields)
