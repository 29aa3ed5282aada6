"""What the service and its worker processes say to each other.

A worker does all that needs jq and the run's state; the service does all that needs the network. So a worker is given
stimuli and gives back a transition ready to be appended, and its commands in a form that needs no evaluation.
"""

from typing import Any

import msgspec

from services.contracts.runs import Waiting
from services.contracts.workflow import Problem
from services.contracts.workflow.expressions import Expression
from services.workflow.engine.stimuli import AnyStimulus


class Begin(msgspec.Struct, tag=True):
    """The stimulus Start with its input as JSON, which the service has not decoded; empty: none was given."""

    id: str
    seed: str
    input: bytes = b""


class Answered(msgspec.Struct, tag=True):
    """The stimulus CallEnded with an output as JSON, which the service has not decoded. What is no JSON ends the call
    in a runtime error."""

    task: int
    output: bytes


Wanted = AnyStimulus | Begin | Answered
"""What the service may ask of a run; ``stimuli.decoded`` makes the engine's own of it."""


class Forbidden(msgspec.Struct, array_like=True, frozen=True):
    """An expression (or schema) that ended a worker: the one at ``pointer``, from the ``number``-th evaluation of the
    request on. It is not evaluated again but raises an error that says ``why``."""

    number: int
    pointer: str
    why: str


class History(msgspec.Struct, array_like=True):
    """A run as it is stored: the state at some transition, if one was snapshotted, and the transitions after it.
    ``blobs``: the large records that they refer to, by digest."""

    snapshot: bytes
    messages: list[bytes]
    blobs: dict[str, bytes]


class Step(msgspec.Struct, array_like=True, tag=True):
    """Asks for the transition of ``run`` (``namespace/id``) by some stimuli, taken one after another at ``now``.

    ``definition`` is the SHA-256 of its document. ``history`` is None for a new run, and when the worker is believed
    to have the run's state; one that has not answers Missing. ``document`` is given when asked for by Missing.
    ``secrets``: the values of those that the definition names; they go into no answer but a call's arguments.
    """

    run: str
    definition: str
    stimuli: list[Wanted]
    now: float
    history: History | None = None
    document: bytes = b""
    secrets: dict[str, Any] = {}
    new: bool = False
    forbidden: list["Forbidden"] = []
    """Filled in by the pool, when a worker has died of an expression."""


class Look(msgspec.Struct, array_like=True, tag=True):
    """Asks ``pool.look`` how a run is, open or ended; nothing is changed. Fields as in Step, but that a given
    history is not remembered; answered by Looked, Missing or Failed."""

    run: str
    definition: str
    history: History | None = None
    document: bytes = b""


class Looked(msgspec.Struct, array_like=True, tag=True):
    """A run as it is. ``input``, ``output`` and ``error`` are JSON; the last two are empty before its end."""

    status: str
    started_at: float
    ended_at: float | None
    input: bytes
    output: bytes
    error: bytes
    waiting: list[Waiting]


class Missing(msgspec.Struct, array_like=True, tag=True):
    """The worker needs the history, the document, or both; nothing was done. ``whole``: the history from its
    beginning, since the snapshot in the one that it was given is of another version of the service."""

    history: bool
    document: bool
    whole: bool = False


class CallFunction(msgspec.Struct, array_like=True, tag=True):
    """A call of a Function with ``body`` (JSON); ``key`` is the idempotency key, the same when it is repeated."""

    task: int
    namespace: str
    name: str
    body: bytes
    key: str
    repeated: bool


class CallOutside(msgspec.Struct, array_like=True, tag=True):
    """A call by ``http``, ``openapi`` or ``asyncapi``; ``arguments`` is the pickled struct of the language whose
    expressions have been replaced by values."""

    task: int
    kind: str
    arguments: bytes
    key: str
    repeated: bool


class EmitEvent(msgspec.Struct, array_like=True, tag=True):
    """A CloudEvent (JSON) to be stored for the workflows of the namespace and published."""

    task: int
    event: bytes


class StartChild(msgspec.Struct, array_like=True, tag=True):
    """Another run; its id follows from ``key``, so that a repeated start is the same run."""

    task: int
    namespace: str
    name: str
    version: str
    input: bytes
    wait: bool
    key: str


class SetTimer(msgspec.Struct, array_like=True, tag=True):
    """TimerFired(timer) is wanted at ``at``."""

    timer: str
    at: float


class DropTimer(msgspec.Struct, array_like=True, tag=True):
    """It no longer is."""

    timer: str


class Listen(msgspec.Struct, array_like=True, tag=True):
    """EventArrived is wanted for events of these types (none: of any), stored after the event with sequence ``after``
    or, when that is 0, from the time ``since`` on."""

    task: int
    types: tuple[str, ...]
    since: float
    after: int


class DropWait(msgspec.Struct, array_like=True, tag=True):
    """What the task waited for (``call``, ``child``, ``events``) is no longer wanted."""

    task: int
    waits: str


class HoldBack(msgspec.Struct, array_like=True, tag=True):
    """MessageArrived and EventArrived are not wanted for a task for now or, when not ``held``, are wanted again."""

    task: int
    held: bool


class PublishEvent(msgspec.Struct, array_like=True, tag=True):
    """A lifecycle event: the verb of its subject, and the CloudEvent (JSON)."""

    verb: str
    event: bytes


WireCommand = (
    CallFunction | CallOutside | EmitEvent | StartChild | SetTimer | DropTimer | Listen | DropWait | HoldBack
    | PublishEvent
)  # fmt: skip


class Stepped(msgspec.Struct, array_like=True, tag=True):
    """A transition. ``message`` (empty: nothing was recorded) is to be appended after ``blobs`` are stored; then the
    commands are to be carried out; then ``more`` asks for the stimulus Continue. ``snapshot``: the state as it is
    after this transition, when it is time to store one. ``output`` and ``error`` (JSON) only when it ended."""

    message: bytes
    blobs: dict[str, bytes]
    commands: list[WireCommand]
    status: str
    started_at: float
    ended_at: float
    more: bool
    snapshot: bytes = b""
    output: bytes = b""
    error: bytes = b""


class Failed(msgspec.Struct, array_like=True, tag=True):
    """The worker could not: a defect of ours, or a history that does not fit its definition. Nothing was done."""

    message: str


class Forget(msgspec.Struct, array_like=True, tag=True):
    """The worker's state of a run is not what was stored, or is no longer wanted. Has no answer."""

    run: str


class Check(msgspec.Struct, array_like=True, tag=True):
    """Asks for the problems of a definition's document (JSON)."""

    document: bytes


class Checked(msgspec.Struct, array_like=True, tag=True):
    """All that is wrong with it; nothing: it may be run."""

    problems: list[Problem]


class Evaluate(msgspec.Struct, array_like=True, tag=True):
    """Asks for the value of one expression; ``data`` and ``arguments`` (its variables, an object) are JSON."""

    expression: Expression
    data: bytes
    arguments: bytes
    now: float


class Evaluated(msgspec.Struct, array_like=True, tag=True):
    """The value (JSON) or, when ``error`` is not empty, why there is none."""

    value: bytes
    error: str


Request = Step | Look | Forget | Check | Evaluate
Answer = Stepped | Looked | Missing | Failed | Checked | Evaluated
