"""Names of what runs do outside: of children and of whoever waits for a child. Pure."""

import hashlib
from typing import NamedTuple

from services.contracts.names import MAX_LABEL, FunctionRef

_TAIL = 24
"""Hexadecimal digits of an id that make it unique."""


def child_id(key: str, workflow: str) -> str:
    """The id of the run that the command with this key starts: the same each time it is repeated."""
    tail = hashlib.sha256(key.encode()).hexdigest()[:_TAIL]
    return f"{workflow[: MAX_LABEL - len(tail) - 1].rstrip('-')}-{tail}"


class Parent(NamedTuple):
    """What waits for a run's end: a task of another run."""

    run: FunctionRef
    task: int

    def __str__(self) -> str:
        return f"{self.run}/{self.task}"


def parse_parent(text: str) -> Parent | None:
    """Of ``<namespace>/<run>/<task>``; None for the empty text, which stands in runs that nobody waits for."""
    if not text:
        return None
    namespace, run, task = text.split("/")
    return Parent(FunctionRef(namespace, run), int(task))
