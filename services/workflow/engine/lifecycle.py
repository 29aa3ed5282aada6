"""The specification's lifecycle events, as records bring them about."""

from collections.abc import Callable
from typing import Any

from services.workflow.engine import records as r
from services.workflow.engine.commands import Publish
from services.workflow.engine.plan import Plan
from services.workflow.engine.scope import iso
from services.workflow.engine.state import ROOT, Frame, State


def lifecycle(plan: Plan, state: State, record: r.Record) -> list[Publish]:
    """The events of a record, ``state`` being the one before it."""
    tell = _TELLERS.get(type(record))
    if tell is None:
        return []
    events = _Events(plan, state, record)
    tell(events, state, record)
    return events.made


class _Events:
    """Those of one record."""

    def __init__(self, plan: Plan, state: State, record: r.Record) -> None:
        document = plan.definition.document
        run = record.id if isinstance(record, r.RunStarted) else state.id
        self.definition = {"name": document.name, "namespace": document.namespace, "version": document.version}
        self.workflow = f"{document.name}-{run}.{document.namespace}"
        self.time = iso(record.at)
        self.made: list[Publish] = []

    def task(self, kind: str, pointer: str, **more: Any) -> None:
        """A task's; the workflow itself, which has no pointer, is no task."""
        if pointer:
            data = {"workflow": self.workflow, "task": pointer, f"{kind}At": self.time} | more
            self.made.append(Publish(kind=f"task.{kind}", data=data))

    def run(self, kind: str, **more: Any) -> None:
        """The workflow's."""
        data = {"name": self.workflow, f"{kind.rpartition('-')[2]}At": self.time} | more
        self.made.append(Publish(kind=f"workflow.{kind}", data=data))


def _run_started(events: _Events, state: State, record: r.RunStarted) -> None:
    events.run("started", definition=events.definition)


def _run_suspended(events: _Events, state: State, record: r.Record) -> None:
    _all_tasks(events, state, "suspended")


def _run_resumed(events: _Events, state: State, record: r.Record) -> None:
    _all_tasks(events, state, "resumed")


def _all_tasks(events: _Events, state: State, kind: str) -> None:
    for frame_id in state.below(ROOT):
        events.task(kind, state.frames[frame_id].pointer)
    events.run(kind)


def _run_completed(events: _Events, state: State, record: r.RunCompleted) -> None:
    events.run("completed")


def _run_faulted(events: _Events, state: State, record: r.RunFaulted) -> None:
    _broken_off(events, state, ROOT, record.frame, record.error)
    events.run("faulted", error=record.error)


def _run_cancelled(events: _Events, state: State, record: r.RunCancelled) -> None:
    _cancelled(events, state, ROOT)
    events.run("cancelled")


def _task_created(events: _Events, state: State, record: r.TaskCreated) -> None:
    events.task("created", record.pointer)


def _task_started(events: _Events, state: State, record: r.TaskStarted) -> None:
    events.task("started", state.frames[record.frame].pointer)


def _task_waits(events: _Events, state: State, record: r.TaskWaits) -> None:
    if record.waits == "events" and not state.frames[record.frame].waits:  # the workflow begins to consume
        events.run("correlation-started")


def _event_consumed(events: _Events, state: State, record: r.EventConsumed) -> None:
    if record.complete:
        _correlated(events, state.frames[record.frame], record.correlations)


def _round_ended(events: _Events, state: State, record: r.RoundEnded) -> None:
    if record.complete:
        _correlated(events, state.frames[record.frame], {})


def _correlated(events: _Events, frame: Frame, more: dict[str, Any]) -> None:
    """The workflow has what it listened for; messages of a subscription are no events."""
    if frame.waits == "events":
        keys = frame.correlations | more
        events.run("correlation-completed", **({"correlationKeys": keys} if keys else {}))


def _task_retried(events: _Events, state: State, record: r.TaskRetried) -> None:
    events.task("retried", state.frames[record.frame].pointer)


def _task_ended(events: _Events, state: State, record: r.TaskEnded) -> None:
    frame = state.frames[record.frame]
    events.task("completed", frame.pointer)
    if record.fork == "won":
        assert frame.parent is not None
        _cancelled(events, state, frame.parent, but=record.frame)
    elif record.end:
        _all_end(events, state, record.frame)


def _all_end(events: _Events, state: State, ended: int) -> None:
    """The whole run ends with a task: those around it are complete, others are not."""
    around = _up(state, state.frames[ended].parent, ROOT)
    for frame_id in reversed(state.below(ROOT)):
        if frame_id != ended:
            events.task("completed" if frame_id in around else "cancelled", state.frames[frame_id].pointer)


def _error_caught(events: _Events, state: State, record: r.ErrorCaught) -> None:
    _broken_off(events, state, record.frame, record.origin, record.error)


def _broken_off(events: _Events, state: State, above: int, origin: int, error: dict[str, Any]) -> None:
    """An error ends all tasks inside ``above``: those around its origin fault, others are cancelled."""
    faulted = _up(state, origin, above)
    for frame_id in reversed(state.below(above)):
        pointer = state.frames[frame_id].pointer
        if frame_id in faulted:
            events.task("faulted", pointer, error=error)
        else:
            events.task("cancelled", pointer)


def _cancelled(events: _Events, state: State, above: int, but: int | None = None) -> None:
    """Tasks that a record ends without completing them."""
    for frame_id in reversed(state.below(above)):
        if frame_id != but:
            events.task("cancelled", state.frames[frame_id].pointer)


def _up(state: State, frame_id: int | None, stop: int | None) -> list[int]:
    """A task and those around it, up to but without ``stop``."""
    found = []
    while frame_id is not None and frame_id != stop:
        found.append(frame_id)
        frame_id = state.frames[frame_id].parent
    return found


_TELLERS: dict[type[r.Record], Callable[[_Events, State, Any], None]] = {
    r.RunStarted: _run_started,
    r.RunSuspended: _run_suspended,
    r.RunResumed: _run_resumed,
    r.RunCompleted: _run_completed,
    r.RunFaulted: _run_faulted,
    r.RunCancelled: _run_cancelled,
    r.TaskCreated: _task_created,
    r.TaskStarted: _task_started,
    r.TaskWaits: _task_waits,
    r.EventConsumed: _event_consumed,
    r.RoundEnded: _round_ended,
    r.TaskRetried: _task_retried,
    r.TaskEnded: _task_ended,
    r.ErrorCaught: _error_caught,
}
