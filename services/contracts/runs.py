"""Runs of workflows as they cross process boundaries: what asks for one, and how one is shown.

Times are epoch seconds. A reader tolerates unknown fields; a changed shape needs a new version.

Control requests (``subjects.control``), answered with the header ``Faas-Status``, an error also with ``Faas-Error`` and
the body of ErrorBody (``headers.of_error``):

| verb | name in the subject | request | answer |
| --- | --- | --- | --- |
| start | the workflow | StartRun | RunView; status 201 for a new run, 200 for one that was there |
| list | ``runs`` (the filter is in the body) | ListRuns | RunList |
| get | the run's id | empty | RunView |
| wait | the run's id | WaitRun | RunView, as soon as the run has ended or the time is over |
| trace | the run's id | empty | Trace |
| definition | the run's id | empty | the document that the run goes by, as JSON |
| history | the run's id | ReadHistory | HistoryPage |
| cancel, pause, resume, retry | the run's id | empty | RunView; ``conflict`` when its status forbids it |
"""

import secrets
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType, field

from services.contracts.names import MAX_LABEL

RunStatus = Literal["running", "suspended", "completed", "faulted", "cancelled"]
RunFilter = Literal["running", "suspended", "completed", "faulted", "cancelled", "open"]
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


def new_run_id(workflow: str) -> str:
    """An id for a run that was given none: the workflow's name and a random part."""
    tail = secrets.token_hex(8)
    return f"{workflow[: MAX_LABEL - len(tail) - 1].rstrip('-')}-{tail}"


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
    """Asks for the runs of a namespace, newest first, perhaps of one workflow or status (RunFilter; ``open``: running
    or suspended)."""

    workflow: str = ""
    status: str = ""
    limit: int = 100
    version: int = 1


class RunList(msgspec.Struct, frozen=True, rename="camel"):
    """Runs; ``more``: there are others that did not fit into the limit."""

    items: list[RunSummary]
    more: bool = False
    version: int = 1


class WaitRun(msgspec.Struct, frozen=True, rename="camel"):
    """Asks for a run once it has ended, or as it is after so many ``seconds``."""

    seconds: float
    version: int = 1


class Attempt(msgspec.Struct, frozen=True, rename="camel"):
    """One attempt of a ``try``."""

    number: int
    started_at: float
    ended_at: float | None = None
    error: dict[str, Any] | None = None


class Wait(msgspec.Struct, rename="camel"):
    """A time that a task waited for something outside: ``timer``, ``retry``, ``call``, ``emit``, ``child``, ``spawn``
    or ``events``. ``until``: when a timer is due."""

    kind: str
    since: float
    until: float | None = None
    ended_at: float | None = None


class TraceNode(msgspec.Struct, rename="camel", kw_only=True):
    """A task of a run with what ran inside it. ``frame`` numbers it in the run's history; the workflow itself is 0.

    ``status`` is ``pending``, ``running``, ``waiting``, ``completed``, ``skipped``, ``faulted`` or ``cancelled``.
    ``target``: what is called, run or emitted. ``round``, ``branch`` (from 0) and ``attempt`` (from 1) say where in the
    task around it. ``input`` and ``output`` are left out where they are not known or may carry secrets; a large one is
    cut. ``run``: the other run, ``namespace/id``, that it started. ``omitted``: so many older tasks inside were left
    out.
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
    waits: list[Wait] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    target: str = ""
    run: str = ""
    round: int | None = None
    branch: int | None = None
    attempt: int | None = None
    omitted: int = 0
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
    """A sign of life of one workflow service: sent twice a second. ``boot`` is new with each start of an instance;
    ``leaving``: it has stopped in order, and others may take its runs at once; ``sent``: when, by a clock of the
    sender that means nothing to others."""

    instance: str
    boot: str
    leaving: bool = False
    sent: float = 0.0
    version: int = 2
