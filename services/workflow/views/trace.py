"""The trace of a run: its records as a tree of tasks, with inputs, outputs, attempts, times and waits."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from msgspec import UNSET

from services.contracts.runs import Attempt, RunSummary, Trace, TraceNode, Wait
from services.workflow.engine import records as r
from services.workflow.engine.apply import apply
from services.workflow.engine.plan import Plan
from services.workflow.engine.state import ROOT, State
from services.workflow.views.bounds import cut_error
from services.workflow.views.nodes import Nodes, add_attempt, add_wait, end_attempt, end_wait

R = TypeVar("R", bound=r.Record)
_BEFORE: dict[type[r.Record], Callable[["Tracer", Any], None]] = {}
_AFTER: dict[type[r.Record], Callable[["Tracer", Any], None]] = {}
Note = Callable[["Tracer", R], None]


class Tracer:
    """Takes a run's records in order, from the first one or from those behind a snapshot on.

    Its memory is bounded by what a trace may hold, not by the length of the history. ``state`` is changed.
    """

    def __init__(self, plan: Plan, state: State | None = None) -> None:
        self.state = State() if state is None else state
        self.nodes = Nodes(plan)
        self.retried: dict[str, int | None] = {}
        """The place of the task that is retried, for the one that takes it."""
        if state is not None:
            self.nodes.restore(state)

    def add(self, record: r.Record) -> None:
        """The next record."""
        kind = type(record)
        if kind in _BEFORE:
            _BEFORE[kind](self, record)
        apply(self.state, record)
        if kind in _AFTER:
            _AFTER[kind](self, record)

    def trace(self, run: RunSummary) -> Trace:
        """The tree as it is now; later records change it."""
        state = self.state
        failed = self.above(state.failed, None) if state.status == "faulted" else set()
        for number, node in self.nodes.live.items():
            frame = state.frames[number]
            if state.status == "faulted":
                node.status, node.ended_at = "faulted" if number in failed else "cancelled", state.ended_at
                node.error = state.error and cut_error(state.error) if number in (state.failed, ROOT) else None
            else:
                waits = frame.phase == "waiting"
                node.status = "pending" if frame.phase == "new" else "waiting" if waits else "running"
                node.ended_at = node.error = None
        return Trace(run=run, root=self.nodes.root, truncated=self.nodes.truncated)

    def above(self, number: int | None, stop: int | None) -> set[int]:
        """A frame and those around it, up to ``stop`` and without it."""
        found = set()
        while number is not None and number != stop:
            found.add(number)
            number = self.state.frames[number].parent
        return found

    def live(self, record: Any) -> TraceNode:
        """The node of a record's frame."""
        return self.nodes.live[record.frame]


def trace(plan: Plan, records: Iterable[r.Record], run: RunSummary, state: State | None = None) -> Trace:
    """The trace of a run by all its records, or by those after ``state``."""
    tracer = Tracer(plan, state)
    for record in records:
        tracer.add(record)
    return tracer.trace(run)


def _before(kind: type[R]) -> Callable[[Note[R]], Note[R]]:
    return lambda function: _BEFORE.setdefault(kind, function)


def _after(kind: type[R]) -> Callable[[Note[R]], Note[R]]:
    return lambda function: _AFTER.setdefault(kind, function)


@_after(r.RunStarted)
def _run_started(tracer: Tracer, record: r.RunStarted) -> None:
    tracer.nodes.create(tracer.state.frames[ROOT])


@_after(r.TaskCreated)
def _task_created(tracer: Tracer, record: r.TaskCreated) -> None:
    frame, parent = tracer.state.frames[record.frame], tracer.state.frames[record.parent]
    tries = tracer.nodes.live[record.parent].attempts and not parent.catching
    tracer.nodes.create(frame, round=record.round, attempt=parent.attempt if tries else None)


@_after(r.TaskStarted)
def _task_started(tracer: Tracer, record: r.TaskStarted) -> None:
    tracer.nodes.start(tracer.live(record), tracer.state.frames[record.frame])


@_after(r.TaskWaits)
def _task_waits(tracer: Tracer, record: r.TaskWaits) -> None:
    add_wait(tracer.live(record), Wait(record.waits, record.at, record.until))


@_after(r.TaskAnswered)
def _task_answered(tracer: Tracer, record: r.TaskAnswered) -> None:
    end_wait(tracer.live(record), record.at)


@_after(r.EventConsumed)
def _event_consumed(tracer: Tracer, record: r.EventConsumed) -> None:
    end_wait(tracer.live(record), record.at)


@_after(r.TaskRetried)
def _task_retried(tracer: Tracer, record: r.TaskRetried) -> None:
    node = tracer.live(record)
    end_wait(node, record.at)
    add_attempt(node, Attempt(tracer.state.frames[record.frame].attempt, record.at))


@_before(r.ErrorCaught)
def _error_caught(tracer: Tracer, record: r.ErrorCaught) -> None:
    faulted = tracer.above(record.origin, record.frame)
    for number in reversed(tracer.state.below(record.frame)):
        status = "faulted" if number in faulted else "cancelled"
        tracer.nodes.end(number, status, record.at, error=record.error if number == record.origin else None)
    node = tracer.live(record)
    end_attempt(node, record.at, record.error)
    if record.retry_at is not None:
        add_wait(node, Wait("retry", record.at, record.retry_at))


@_before(r.TaskEnded)
def _task_ended(tracer: Tracer, record: r.TaskEnded) -> None:
    state, nodes = tracer.state, tracer.nodes
    frame = state.frames[record.frame]
    output: Any = record.output
    if output is UNSET:
        output = frame.raw if record.skipped else frame.data
    around: set[int] = set()
    others: list[int] = []
    if record.end:
        around, others = tracer.above(record.frame, ROOT), state.below(ROOT)
    elif record.fork in ("all", "won") and frame.parent is not None:
        others = state.below(frame.parent)
    for number in reversed(others):
        if number not in around and number != record.frame:
            nodes.end(number, "cancelled", record.at)
    nodes.end(record.frame, "skipped" if record.skipped else "completed", record.at, output=output)
    for number in sorted(around - {record.frame}, reverse=True):
        nodes.end(number, "completed", record.at)


@_before(r.RunCompleted)
def _run_completed(tracer: Tracer, record: r.RunCompleted) -> None:
    output = tracer.state.frames[ROOT].data if record.output is UNSET else record.output
    tracer.nodes.end(ROOT, "completed", record.at, output=output)


@_after(r.RunFaulted)
def _run_faulted(tracer: Tracer, record: r.RunFaulted) -> None:
    """Its frames stay, but nothing is waited for until it is retried."""
    for node in tracer.nodes.live.values():
        end_wait(node, record.at)


@_before(r.RunCancelled)
def _run_cancelled(tracer: Tracer, record: r.RunCancelled) -> None:
    for number in sorted(tracer.state.frames, reverse=True):
        tracer.nodes.end(number, "cancelled", record.at)


@_before(r.RunRetried)
def _before_retry(tracer: Tracer, record: r.RunRetried) -> None:
    """What failed stays as it ended; frames around it go on."""
    state, nodes = tracer.state, tracer.nodes
    assert state.failed is not None
    assert state.ended_at is not None
    for number in reversed(state.below(state.failed)):
        nodes.end(number, "cancelled", state.ended_at)
    for node in nodes.live.values():
        node.ended_at = node.error = None
    if state.failed != ROOT:
        node = nodes.live[state.failed]
        tracer.retried = {"round": node.round, "attempt": node.attempt}
        nodes.end(state.failed, "faulted", state.ended_at, error=state.error)


@_after(r.RunRetried)
def _after_retry(tracer: Tracer, record: r.RunRetried) -> None:
    for number, frame in tracer.state.frames.items():
        node = tracer.nodes.live.get(number)
        if node is None:
            tracer.nodes.create(frame, **tracer.retried)
        elif frame.waits:
            add_wait(node, Wait(frame.waits, record.at, frame.wait_until))
