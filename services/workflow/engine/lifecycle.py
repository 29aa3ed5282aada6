"""The specification's lifecycle events, as records bring them about."""

from collections.abc import Callable
from typing import Any

from services.workflow.engine import records as r
from services.workflow.engine.commands import Publish
from services.workflow.engine.plan import Plan
from services.workflow.engine.scope import iso
from services.workflow.engine.state import ROOT, State

_RUN: dict[type[r.Record], tuple[str, str]] = {
    r.RunStarted: ("started", "startedAt"),
    r.RunSuspended: ("suspended", "suspendedAt"),
    r.RunResumed: ("resumed", "resumedAt"),
    r.RunCompleted: ("completed", "completedAt"),
    r.RunFaulted: ("faulted", "faultedAt"),
    r.RunCancelled: ("cancelled", "cancelledAt"),
}
_TASK: dict[type[r.Record], tuple[str, str]] = {
    r.TaskCreated: ("created", "createdAt"),
    r.TaskStarted: ("started", "startedAt"),
    r.TaskRetried: ("retried", "retriedAt"),
    r.TaskEnded: ("completed", "completedAt"),
}


def lifecycle(plan: Plan, state: State, record: r.Record) -> list[Publish]:
    """The events of a record, ``state`` being the one before it."""
    made: list[Publish] = []
    run = record.id if isinstance(record, r.RunStarted) else state.id
    document = plan.definition.document
    workflow = f"{document.name}-{run}.{document.namespace}"

    def task(kind: str, pointer: str, field: str, **more: Any) -> None:
        data = {"workflow": workflow, "task": pointer, field: iso(record.at)} | more
        made.append(Publish(kind=f"task.{kind}", data=data))

    found = _TASK.get(type(record))
    if found is not None:
        pointer = record.pointer if isinstance(record, r.TaskCreated) else _pointer(state, record)
        if pointer:
            task(found[0], pointer, found[1])
    _add_ended(state, record, task)
    if isinstance(record, r.RunSuspended | r.RunResumed):
        verb = "suspended" if isinstance(record, r.RunSuspended) else "resumed"
        for frame_id in state.below(ROOT):
            task(verb, state.frames[frame_id].pointer, f"{verb}At")
    made += _correlation(state, record, workflow)
    if type(record) in _RUN:
        kind, field = _RUN[type(record)]
        data: dict[str, Any] = {"name": workflow, field: iso(record.at)}
        if isinstance(record, r.RunStarted):
            data["definition"] = {
                "name": document.name,
                "namespace": document.namespace,
                "version": document.version,
            }
        if isinstance(record, r.RunFaulted):
            data["error"] = record.error
        made.append(Publish(kind=f"workflow.{kind}", data=data))
    return made


def _correlation(state: State, record: r.Record, workflow: str) -> list[Publish]:
    """The workflow begins to consume events, or has what it listened for."""
    if isinstance(record, r.TaskWaits) and record.waits == "events" and not state.frames[record.frame].waits:
        return [Publish(kind="workflow.correlation-started", data={"name": workflow, "startedAt": iso(record.at)})]
    if isinstance(record, r.EventConsumed) and record.complete and state.frames[record.frame].waits == "events":
        data: dict[str, Any] = {"name": workflow, "completedAt": iso(record.at)}
        keys = state.frames[record.frame].correlations | record.correlations
        return [Publish(kind="workflow.correlation-completed", data=data | ({"correlationKeys": keys} if keys else {}))]
    return []


def _pointer(state: State, record: Any) -> str:
    return state.frames[record.frame].pointer


def _add_ended(state: State, record: r.Record, task: Callable[..., None]) -> None:
    """Tasks that a record ends without completing them."""
    if isinstance(record, r.RunFaulted):
        for pointer in _up(state, record.frame, None):
            task("faulted", pointer, "faultedAt", error=record.error)
    elif isinstance(record, r.ErrorCaught):
        faulted = _up(state, record.origin, record.frame)
        for frame_id in reversed(state.below(record.frame)):
            pointer = state.frames[frame_id].pointer
            if pointer in faulted:
                task("faulted", pointer, "faultedAt", error=record.error)
            else:
                task("cancelled", pointer, "cancelledAt")
    elif isinstance(record, r.RunCancelled) or (isinstance(record, r.TaskEnded) and record.fork == "won"):
        above = 0 if isinstance(record, r.RunCancelled) else state.frames[_parent(state, record)].id
        ended = record.frame if isinstance(record, r.TaskEnded) else None
        for frame_id in reversed(state.below(above)):
            if frame_id != ended:
                task("cancelled", state.frames[frame_id].pointer, "cancelledAt")


def _parent(state: State, record: Any) -> int:
    parent = state.frames[record.frame].parent
    assert parent is not None
    return parent


def _up(state: State, frame_id: int | None, stop: int | None) -> list[str]:
    pointers = []
    while frame_id is not None and frame_id != stop:
        frame = state.frames[frame_id]
        if frame.pointer:
            pointers.append(frame.pointer)
        frame_id = frame.parent
    return pointers
