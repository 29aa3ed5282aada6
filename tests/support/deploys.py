"""A stand-in for the platform that ``faas deploy`` talks to, and folders for it to deploy."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import msgspec

from services.contracts.errors import Code
from tests.support.canned import Asked, Say
from tests.support.command import error

HANDLE = "def handle(event):\n    return event\n"

Conditions = dict[str, tuple[str, str, str]]
STARTING: Conditions = {"Ready": ("Unknown", "Starting", "no Pod yet"), "Progressing": ("True", "Starting", "")}
READY: Conditions = {"Ready": ("True", "PodsReady", ""), "Progressing": ("True", "Complete", "")}


class Platform:
    """Keeps functions and archives; a function goes through ``states`` one look at a time."""

    def __init__(self, *states: Conditions) -> None:
        self.states = list(states or (STARTING, READY))
        self.functions: dict[str, dict[str, Any]] = {}
        self.archives: dict[str, bytes] = {}
        self.looks = 0

    def __call__(self, asked: Asked) -> Say:
        if "/archives/" in asked.path:
            return self._archive(asked)
        if "/logs" in asked.path:
            return Say(200, b"" if "previous" not in asked.path else b"Traceback\nModuleNotFoundError: nope\n")
        return self._put(asked) if asked.method == "PUT" else self._get(asked)

    def _archive(self, asked: Asked) -> Say:
        digest = asked.path.rpartition("/")[2]
        if asked.method == "PUT":
            assert hashlib.sha256(asked.body).hexdigest() == digest
            self.archives[digest] = asked.body
        elif digest not in self.archives:
            return error(Code.NOT_FOUND, "no such archive")
        return Say(200, b"{}")

    def _put(self, asked: Asked) -> Say:
        self.looks = 0
        function = msgspec.json.decode(asked.body)
        function["metadata"]["generation"] = 7
        status = 200 if asked.path in self.functions else 201
        self.functions[asked.path] = function
        return Say(status, json.dumps(function).encode())

    def _get(self, asked: Asked) -> Say:
        state = self.states[min(self.looks, len(self.states) - 1)]
        self.looks += 1
        conditions = [
            {"type": type_, "status": status, "reason": reason, "message": message}
            for type_, (status, reason, message) in state.items()
        ]
        status = {"observedGeneration": 7 if state else 6, "conditions": conditions}
        return Say(200, json.dumps(self.functions[asked.path] | {"status": status}).encode())


def write(root: Path, texts: dict[str, str | bytes]) -> Path:
    """Writes files; the folder."""
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def members(data: bytes) -> dict[str, bytes]:
    """The files of an archive."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
