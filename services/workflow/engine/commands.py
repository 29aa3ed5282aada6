"""What a run wants done outside. ``task`` is the frame's id: ``(run, task)`` is the idempotency key."""

from typing import Any

import msgspec

from services.contracts.workflow.calls import Call


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Base. ``repeated``: commanded before, by an owner that may have done it."""


class StartCall(Command, frozen=True, kw_only=True):
    """A call, answered by CallEnded. ``arguments``: for a Function its body, else the call's ``with`` with expressions
    replaced by their values and references to authentication by the policy. May carry secrets, so they go to no
    history, event or log."""

    task: int
    call: Call
    arguments: Any
    repeated: bool = False


class Emit(Command, frozen=True, kw_only=True):
    """Publishes a CloudEvent, acknowledged by CallEnded; repeated with the same id."""

    task: int
    event: dict[str, Any]
    repeated: bool = False


class RunWorkflow(Command, frozen=True, kw_only=True):
    """Starts another run; CallEnded with its output or error, at once after its start without ``wait``."""

    task: int
    namespace: str
    name: str
    version: str
    input: Any
    wait: bool
    repeated: bool = False


class StartTimer(Command, frozen=True, kw_only=True):
    """TimerFired at ``at`` (epoch seconds)."""

    timer: str
    at: float


class Subscribe(Command, frozen=True, kw_only=True):
    """EventArrived with each event that may match, stored after the one with sequence ``after``, or when that is 0
    from the time ``since`` (epoch seconds) on. ``types``: the constant ``type``s listened for, a superset filter;
    empty: any event."""

    task: int
    types: tuple[str, ...]
    since: float
    after: int


class CancelTimer(Command, frozen=True, kw_only=True):
    """The timer is no longer wanted."""

    timer: str


class Drop(Command, frozen=True, kw_only=True):
    """What a task waits for is no longer wanted: ends the call, subscription or child run named by ``waits``."""

    task: int
    waits: str


class Hold(Command, frozen=True, kw_only=True):
    """More events or messages for a task are to wait where they come from, or (not ``held``) need wait no more. What is
    on its way is taken all the same."""

    task: int
    held: bool


class Publish(Command, frozen=True, kw_only=True):
    """A lifecycle event of the specification: ``io.serverlessworkflow.<kind>.v1``."""

    kind: str
    data: dict[str, Any]


class Continue(Command, frozen=True, kw_only=True):
    """The step ended for its length, not for lack of work: give it the stimulus Continue, after storing its records."""
