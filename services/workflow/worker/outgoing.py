"""The engine's commands as the service carries them out: calls with their arguments encoded, events as CloudEvents."""

import pickle
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from services.contracts.names import FunctionRef
from services.contracts.workflow import calls
from services.workflow.engine import Plan, State
from services.workflow.engine import commands as c
from services.workflow.engine.scope import iso
from services.workflow.worker import protocol as p

_encode = msgspec.json.Encoder().encode
_PREFIX = "io.serverlessworkflow."
C = TypeVar("C", bound=c.Command)


class _Lifecycle(msgspec.Struct, frozen=True):
    """A lifecycle event of the specification as a CloudEvent 1.0."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    data: dict[str, Any]
    datacontenttype: str = "application/json"
    specversion: str = "1.0"


def key_of(namespace: str, run: str, task: int) -> str:
    """The idempotency key of what a run's task does outside."""
    return f"{namespace}.{run}.{task}"


class Outgoing:
    """Of one transition of the run ``namespace/id``, which had ``records`` before. ``state`` is the one after it.

    The ids of its events follow from the run and their place in its history, so that one that is published again, by
    whoever drives the run, keeps its id.
    """

    def __init__(self, run: str, plan: Plan, state: State, records: int, now: float) -> None:
        self.namespace, _, self.id = run.partition("/")
        self.plan, self.state, self.records = plan, state, records
        self.time = iso(now)
        self.source = f"/namespaces/{self.namespace}/workflows/{plan.definition.document.name}"
        self.events = 0

    def wire(self, commands: list[c.Command]) -> list[p.WireCommand]:
        """What the service is to do, in order."""
        return [_WRITERS[type(command)](self, command) for command in commands if type(command) in _WRITERS]

    def key(self, task: int) -> str:
        """The idempotency key of what a task does outside (a ``Faas-Id``): the same whenever it is repeated."""
        return key_of(self.namespace, self.id, task)


_WRITERS: dict[type[c.Command], Callable[[Outgoing, Any], p.WireCommand]] = {}


def _writes(kind: type[C]) -> Callable[[Callable[[Outgoing, C], p.WireCommand]], None]:
    def enter(function: Callable[[Outgoing, C], p.WireCommand]) -> None:
        _WRITERS[kind] = function

    return enter


@_writes(c.StartCall)
def _call(out: Outgoing, command: c.StartCall) -> p.WireCommand:
    task, call, key = command.task, command.call, out.key(command.task)
    if not isinstance(call, calls.CallFunction):
        return p.CallOutside(task, call.call, pickle.dumps(command.arguments), key, command.repeated)
    ref = out.plan.definition.function(call)
    assert isinstance(ref, FunctionRef)
    return p.CallFunction(task, ref.namespace, ref.name, _encode(command.arguments), key, command.repeated)


@_writes(c.Emit)
def _emit(out: Outgoing, command: c.Emit) -> p.WireCommand:
    return p.EmitEvent(command.task, _encode(command.event))


@_writes(c.RunWorkflow)
def _run(out: Outgoing, command: c.RunWorkflow) -> p.WireCommand:
    return p.StartChild(
        task=command.task,
        namespace=command.namespace,
        name=command.name,
        version=command.version,
        input=_encode(command.input),
        wait=command.wait,
        key=out.key(command.task),
    )


@_writes(c.StartTimer)
def _start_timer(out: Outgoing, command: c.StartTimer) -> p.WireCommand:
    return p.SetTimer(command.timer, command.at)


@_writes(c.CancelTimer)
def _cancel_timer(out: Outgoing, command: c.CancelTimer) -> p.WireCommand:
    return p.DropTimer(command.timer)


@_writes(c.Subscribe)
def _subscribe(out: Outgoing, command: c.Subscribe) -> p.WireCommand:
    return p.Listen(command.task, command.types, command.since, command.after)


@_writes(c.Drop)
def _drop(out: Outgoing, command: c.Drop) -> p.WireCommand:
    return p.DropWait(command.task, command.waits)


@_writes(c.Hold)
def _hold(out: Outgoing, command: c.Hold) -> p.WireCommand:
    return p.HoldBack(command.task, command.held)


@_writes(c.Publish)
def _publish(out: Outgoing, command: c.Publish) -> p.WireCommand:
    """``workflow.started`` has the verb ``started``, ``task.started`` the verb ``task-started``."""
    out.events += 1
    event = _Lifecycle(
        id=f"{out.id}.{out.records}.{out.events}",
        source=out.source,
        type=f"{_PREFIX}{command.kind}.v1",
        subject=out.id,
        time=out.time,
        data=command.data,
    )
    return p.PublishEvent(command.kind.removeprefix("workflow.").replace(".", "-"), _encode(event))
