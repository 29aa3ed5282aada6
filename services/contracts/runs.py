"""Runs of workflows as they cross process boundaries: what asks for one, and how one is shown.

Times are epoch seconds. A reader tolerates unknown fields; a changed shape needs a new version.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType, field

RunStatus = Literal["running", "suspended", "completed", "faulted", "cancelled"]
ENDED: frozenset[str] = frozenset({"completed", "faulted", "cancelled"})


class StartRun(msgspec.Struct, frozen=True, rename="camel"):
    """Asks for a run. ``id``: a DNS-1123 label, unique in the namespace; the same one again is the same run. ``wait``:
    for how many seconds the answer may be held until the run has ended."""

    input: msgspec.Raw | UnsetType = UNSET
    id: str = ""
    wait: float = 0.0
    version: int = 1


class Waiting(msgspec.Struct, frozen=True, rename="camel"):
    """Something that a run waits for: ``call``, ``timer``, ``retry``, ``events``, ``child`` … at a task."""

    pointer: str
    kind: str
    until: float | None = None


class RunSummary(msgspec.Struct, frozen=True, rename="camel"):
    """A line of a list of runs. ``definition``: the SHA-256 of the definition that it started with."""

    namespace: str
    id: str
    workflow: str
    workflow_version: str
    status: RunStatus
    started_at: float
    ended_at: float | None = None
    definition: str = ""
    owner: str = ""
    version: int = 1


class RunView(msgspec.Struct, frozen=True, rename="camel"):
    """A run as it is now. ``error`` is an RFC 7807 object."""

    run: RunSummary
    input: Any = None
    output: Any = None
    error: dict[str, Any] | None = None
    waiting: list[Waiting] = field(default_factory=list)
    version: int = 1


class ListRuns(msgspec.Struct, frozen=True, rename="camel"):
    """Asks for the runs of a namespace, newest first, perhaps of one workflow or status."""

    workflow: str = ""
    status: str = ""
    limit: int = 100
    version: int = 1


class RunList(msgspec.Struct, frozen=True, rename="camel"):
    """Runs; ``more``: there are others that did not fit into the limit."""

    items: list[RunSummary]
    more: bool = False
    version: int = 1


class Attempt(msgspec.Struct, frozen=True, rename="camel"):
    """One attempt of a ``try``."""

    number: int
    started_at: float
    ended_at: float | None = None
    error: dict[str, Any] | None = None


class TraceNode(msgspec.Struct, rename="camel", kw_only=True):
    """A task of a run with what ran inside it. ``frame`` numbers it in the run's history; the workflow itself is 0.

    ``status`` is ``pending``, ``running``, ``waiting``, ``completed``, ``skipped``, ``faulted`` or ``cancelled``.
    """

    frame: int
    pointer: str
    name: str
    kind: str
    status: str
    started_at: float | None = None
    ended_at: float | None = None
    input: Any = UNSET
    output: Any = UNSET
    error: dict[str, Any] | None = None
    waiting: Waiting | None = None
    attempts: list[Attempt] = field(default_factory=list)
    round: int | None = None
    branch: int | None = None
    children: list["TraceNode"] = field(default_factory=list)


class Trace(msgspec.Struct, frozen=True, rename="camel"):
    """A run as a tree. ``truncated``: older tasks were left out, since the history is longer than a reply may be."""

    run: RunSummary
    root: TraceNode
    truncated: bool = False
    version: int = 1


class ReadHistory(msgspec.Struct, frozen=True, rename="camel"):
    """Asks for records of a run from the sequence ``start`` on."""

    start: int = 0
    limit: int = 1000
    version: int = 1


class HistoryEntry(msgspec.Struct, frozen=True, rename="camel"):
    """One transition: the sequence in the stream, who wrote it, and its records."""

    sequence: int
    owner: str
    records: list[msgspec.Raw]


class HistoryPage(msgspec.Struct, frozen=True, rename="camel"):
    """Transitions in order; ``next``: where the following page starts, 0 at the end."""

    run: RunSummary
    entries: list[HistoryEntry]
    next: int = 0
    version: int = 1


class Alive(msgspec.Struct, frozen=True):
    """A sign of life of one workflow service: sent twice a second. ``boot`` is new with each start of an instance."""

    instance: str
    boot: str
    version: int = 1
