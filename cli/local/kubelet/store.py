"""The kubelet's memory on disk: one state.json a Pod, written whole, read by the next kubelet."""

import logging
from pathlib import Path
from typing import Any

import msgspec

from cli.local.kubelet.record import PodRecord

log = logging.getLogger("kubelet.store")


class Saved(msgspec.Struct):
    """A Pod as last seen from the API server, and what became of it here."""

    pod: dict[str, Any]
    record: PodRecord


def save(path: Path, saved: Saved) -> None:
    """Replace the file atomically. No fsync: after a crash of the machine no process of the Pod is left to remember."""
    draft = path.with_name("state.json.new")
    draft.write_bytes(msgspec.json.encode(saved))
    draft.replace(path)


def load_all(root: Path) -> list[Saved]:
    """Every Pod that has a readable state; an unreadable one (of another version) is logged and left where it is."""
    found = []
    for path in sorted((root / "pods").glob("*/state.json")):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Saved))
        except (msgspec.DecodeError, OSError) as error:
            log.error("%s can't be read, its Pod is not adopted: %s", path, error)
    return found
