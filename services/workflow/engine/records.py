"""Records: what happened in a run, in order. The history is these and nothing else.

They carry what cannot be made again by reading them: outcomes, times, ids, outputs, what chance chose. Never the
resolved arguments of a call, nor a secret.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, field


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="record", tag=True):
    """Base; ``at`` is the time in epoch seconds."""

    at: float


class RunStarted(Record, frozen=True, kw_only=True):
    """``seed``: what jitter and the ids of emitted events are drawn from."""

    id: str
    seed: str
    input: Any = None


class RunSuspended(Record, frozen=True, kw_only=True):
    """An operator paused it: what is under way goes on, nothing new begins."""


class RunResumed(Record, frozen=True, kw_only=True):
    """An operator let it go on."""


class RunCompleted(Record, frozen=True, kw_only=True):
    """The run's end, with its output, unless it is what the last task ended with."""

    output: Any = UNSET


class RunFaulted(Record, frozen=True, kw_only=True):
    """An error that nothing caught. Its frames stay, so that it can be retried from the task that raised."""

    error: dict[str, Any]
    frame: int


class RunCancelled(Record, frozen=True, kw_only=True):
    """An operator, or a parent run, ended it."""


class RunRetried(Record, frozen=True, kw_only=True):
    """An operator retried it from the task that failed."""


class TaskCreated(Record, frozen=True, kw_only=True):
    """A task is about to run inside ``parent``. ``variables`` are new ones of the parent (a round's item and index);
    ``raw`` is its raw input when that is not the parent's data; ``by_arguments``: it is made from the parent's
    arguments each time, since they may carry secrets. ``round`` of a loop and ``branch`` of a fork count from 0."""

    frame: int
    parent: int
    pointer: str
    variables: dict[str, Any] = field(default_factory=dict)
    raw: Any = UNSET
    by_arguments: bool = False
    round: int | None = None
    branch: int | None = None


class TaskStarted(Record, frozen=True, kw_only=True):
    """Its ``if`` holds and its input is valid. ``input``: the transformed one, unless it is the raw one
    or a call's (``secret``). The workflow's own is the first context, when it is an object."""

    frame: int
    input: Any = UNSET
    timeout_at: float | None = None
    attempt_until: float | None = None
    secret: bool = False


class TaskWaits(Record, frozen=True, kw_only=True):
    """A task waits for something outside; ``event`` is what an emit publishes."""

    frame: int
    waits: Literal["timer", "call", "emit", "child", "spawn", "events", "messages"]
    until: float | None = None
    event: dict[str, Any] | None = None


class TaskAnswered(Record, frozen=True, kw_only=True):
    """What it waited for came; ``output`` unless it keeps its data."""

    frame: int
    output: Any = UNSET


class ItemsFound(Record, frozen=True, kw_only=True):
    """What a loop goes over."""

    frame: int
    items: list[Any]


class EventConsumed(Record, frozen=True, kw_only=True):
    """A listening task took an event, or a subscription a message. ``item``: as read, unless only ``until`` took it, or
    a subscription's time is over. ``sequence``: an event's place among all."""

    frame: int
    item: Any = UNSET
    matched: int | None = None
    until_matched: int | None = None
    correlations: dict[str, Any] = field(default_factory=dict)
    complete: bool = False
    sequence: int = 0


class RoundEnded(Record, frozen=True, kw_only=True):
    """``foreach`` is done with an event or message; ``item`` is what it made of it. ``complete``: enough was
    consumed."""

    frame: int
    round: int
    item: Any
    context: Any = UNSET
    complete: bool = False


class TaskEnded(Record, frozen=True, kw_only=True):
    """``output``: the transformed one, unless it is the task's data (or, when skipped, its raw input).

    ``next``: the pointer of the task that follows; "" at the end of its list. ``ending``: the task around it ends too,
    and then the one around that; ``end``: the whole run ends with it.
    ``fork``: of a branch, whether others are still to come, all have ended, or this one has won.
    """

    frame: int
    output: Any = UNSET
    context: Any = UNSET
    next: str = ""
    ending: bool = False
    end: bool = False
    skipped: bool = False
    fork: Literal["", "more", "all", "won"] = ""


class ErrorCaught(Record, frozen=True, kw_only=True):
    """A try caught an error of the frame ``origin``.

    ``retry_at``: when it is attempted again; None: it goes on with ``catch.do``.
    """

    frame: int
    origin: int
    error: dict[str, Any]
    variable: str
    retry_at: float | None = None


class TaskRetried(Record, frozen=True, kw_only=True):
    """A try begins its next attempt."""

    frame: int
    attempt_until: float | None = None


AnyRecord = (
    RunStarted | RunSuspended | RunResumed | RunCompleted | RunFaulted | RunCancelled | RunRetried
    | TaskCreated | TaskStarted | TaskWaits | TaskAnswered | ItemsFound | EventConsumed | RoundEnded
    | TaskEnded | ErrorCaught | TaskRetried
)  # fmt: skip
