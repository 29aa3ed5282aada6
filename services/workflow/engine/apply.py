"""Folds records into a run's state. No expression is evaluated here, and nothing is decided."""

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import UNSET

from services.workflow.engine import records as r
from services.workflow.engine.state import ROOT, Frame, State

R = TypeVar("R", bound=r.Record)
_APPLIERS: dict[type[r.Record], Callable[[State, Any], None]] = {}


def apply(state: State | None, record: r.Record) -> State:
    """The state after a record. Changes and returns the given state (``State.copy`` keeps the old one)."""
    state = State() if state is None else state
    _APPLIERS[type(record)](state, record)
    return state


def _applies(kind: type[R]) -> Callable[[Callable[[State, R], None]], Callable[[State, R], None]]:
    def enter(function: Callable[[State, R], None]) -> Callable[[State, R], None]:
        _APPLIERS[kind] = function
        return function

    return enter


def _wake(state: State, frame_id: int) -> None:
    if frame_id not in state.ready:
        state.ready.append(frame_id)


def _rest(state: State, frame_id: int) -> None:
    if frame_id in state.ready:
        state.ready.remove(frame_id)


def _remove(state: State, ids: list[int]) -> None:
    for frame_id in ids:
        del state.frames[frame_id]
    state.ready = [frame_id for frame_id in state.ready if frame_id in state.frames]


@_applies(r.RunStarted)
def _run_started(state: State, record: r.RunStarted) -> None:
    state.id, state.seed, state.input, state.started_at = record.id, record.seed, record.input, record.at
    state.frames[ROOT] = Frame(id=ROOT, pointer="", raw=record.input, started_at=record.at)
    _wake(state, ROOT)


@_applies(r.RunSuspended)
def _run_suspended(state: State, record: r.RunSuspended) -> None:
    state.status = "suspended"


@_applies(r.RunResumed)
def _run_resumed(state: State, record: r.RunResumed) -> None:
    state.status = "running"


@_applies(r.RunCompleted)
def _run_completed(state: State, record: r.RunCompleted) -> None:
    state.output = state.frames[ROOT].data if record.output is UNSET else record.output
    state.status, state.ended_at = "completed", record.at
    state.frames, state.ready = {}, []


@_applies(r.RunCancelled)
def _run_cancelled(state: State, record: r.RunCancelled) -> None:
    state.status, state.ended_at = "cancelled", record.at
    state.frames, state.ready = {}, []


@_applies(r.RunFaulted)
def _run_faulted(state: State, record: r.RunFaulted) -> None:
    state.status, state.error, state.failed, state.ended_at = "faulted", record.error, record.frame, record.at


@_applies(r.RunRetried)
def _run_retried(state: State, record: r.RunRetried) -> None:
    """The failed task begins anew; deadlines are put off by the time that the run lay still."""
    assert state.failed is not None
    assert state.ended_at is not None
    _remove(state, state.below(state.failed))
    old = state.frames.pop(state.failed)
    _rest(state, old.id)
    frame_id = old.id if old.id == ROOT else state.next_id  # another id: it is another attempt, with a key of its own
    state.next_id = max(state.next_id, frame_id + 1)
    state.frames[frame_id] = Frame(
        id=frame_id, pointer=old.pointer, parent=old.parent, raw=old.raw, started_at=record.at, branch=old.branch
    )
    pause = record.at - state.ended_at
    for frame in map(state.own, list(state.frames)):
        frame.timeout_at = None if frame.timeout_at is None else frame.timeout_at + pause
    _wake(state, frame_id)
    state.status, state.error, state.failed, state.ended_at = "running", None, None, None


@_applies(r.TaskCreated)
def _task_created(state: State, record: r.TaskCreated) -> None:
    parent = state.own(record.parent)
    parent.variables = parent.variables | record.variables
    raw: Any = parent.data if record.raw is UNSET else record.raw
    state.frames[record.frame] = Frame(
        id=record.frame,
        pointer=record.pointer,
        parent=record.parent,
        raw=UNSET if record.by_arguments else raw,
        started_at=record.at,
        branch=record.branch,
    )
    state.next_id = record.frame + 1
    parent.index = parent.index if record.round is None else record.round
    parent.phase = "running"
    _rest(state, record.parent)
    _wake(state, record.frame)


@_applies(r.TaskStarted)
def _task_started(state: State, record: r.TaskStarted) -> None:
    frame = state.own(record.frame)
    frame.input = UNSET if record.secret else frame.raw if record.input is UNSET else record.input
    frame.data = None if frame.input is UNSET else frame.input
    frame.started_at = record.at
    frame.timeout_at, frame.attempt_until = record.timeout_at, record.attempt_until
    frame.phase = "running"
    if frame.id == ROOT:
        state.context = frame.input if isinstance(frame.input, dict) else {}


@_applies(r.TaskWaits)
def _task_waits(state: State, record: r.TaskWaits) -> None:
    frame = state.own(record.frame)
    frame.phase, frame.waits, frame.wait_until, frame.held = "waiting", record.waits, record.until, False
    if record.event is not None:
        frame.data = record.event
    _rest(state, record.frame)


@_applies(r.TaskAnswered)
def _task_answered(state: State, record: r.TaskAnswered) -> None:
    frame = state.own(record.frame)
    frame.phase, frame.waits, frame.wait_until = "answered", "", None
    if record.output is not UNSET:
        frame.data = record.output
    _wake(state, record.frame)


@_applies(r.ItemsFound)
def _items_found(state: State, record: r.ItemsFound) -> None:
    frame = state.own(record.frame)
    frame.items, frame.phase = list(record.items), "next"


@_applies(r.EventConsumed)
def _event_consumed(state: State, record: r.EventConsumed) -> None:
    frame = state.own(record.frame)
    if record.item is not UNSET:
        frame.items = [*frame.items, record.item]
    if record.matched is not None:
        frame.matched = [*frame.matched, record.matched]
    if record.until_matched is not None:
        frame.until_matched = [*frame.until_matched, record.until_matched]
    frame.correlations = frame.correlations | record.correlations
    frame.held = frame.is_full
    frame.complete = record.complete
    frame.last_event = max(frame.last_event, record.sequence)
    if record.complete:
        frame.waits = ""
    if frame.phase == "waiting":
        frame.phase = "answered"
        _wake(state, record.frame)


@_applies(r.RoundEnded)
def _round_ended(state: State, record: r.RoundEnded) -> None:
    frame = state.own(record.frame)
    frame.outputs, frame.index = frame.outputs | {record.round: record.item}, record.round
    frame.phase = "answered"
    frame.held = frame.is_full
    if record.context is not UNSET:
        state.context = record.context
    if record.complete:  # what came meanwhile is not wanted any more
        frame.complete, frame.waits, frame.items = True, "", frame.items[: record.round + 1]
    _wake(state, record.frame)


@_applies(r.ErrorCaught)
def _error_caught(state: State, record: r.ErrorCaught) -> None:
    frame = state.own(record.frame)
    _remove(state, state.below(record.frame))
    frame.data, frame.attempt_until = frame.input, None
    frame.failed_at = record.at if frame.failed_at is None else frame.failed_at
    frame.variables = frame.variables | {record.variable: record.error}
    if record.retry_at is not None:
        frame.phase, frame.waits, frame.wait_until = "waiting", "retry", record.retry_at
        _rest(state, record.frame)
    else:
        frame.phase, frame.catching = "answered", True
        _wake(state, record.frame)


@_applies(r.TaskRetried)
def _task_retried(state: State, record: r.TaskRetried) -> None:
    frame = state.own(record.frame)
    frame.phase, frame.waits, frame.wait_until = "answered", "", None
    frame.attempt, frame.attempt_until = frame.attempt + 1, record.attempt_until
    frame.variables = {}
    _wake(state, record.frame)


@_applies(r.TaskEnded)
def _task_ended(state: State, record: r.TaskEnded) -> None:
    frame = state.own(record.frame)
    output = record.output
    if output is UNSET:
        output = frame.raw if record.skipped else frame.data
    if record.context is not UNSET:
        state.context = record.context
    if record.end:
        _remove(state, state.below(ROOT))
        root = state.own(ROOT)
        root.data, root.phase, root.next = output, "ended", ""
        _wake(state, ROOT)
        return
    assert frame.parent is not None
    parent = state.own(frame.parent)
    _remove(state, [record.frame])
    if record.fork:
        _branch_ended(state, parent, frame, output, record.fork)
        return
    parent.data, parent.phase, parent.next = output, "ended" if record.ending else "next", record.next
    parent.ending = record.ending
    _wake(state, parent.id)


def _branch_ended(state: State, fork: Frame, branch: Frame, output: Any, place: str) -> None:
    assert branch.branch is not None
    fork.outputs = fork.outputs | {branch.branch: output}
    if place == "more":
        return
    _remove(state, state.below(fork.id))
    fork.data = output if place == "won" else [fork.outputs[key] for key in sorted(fork.outputs)]
    fork.phase = "ended"
    _wake(state, fork.id)
