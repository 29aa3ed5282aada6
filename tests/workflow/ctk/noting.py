"""What a run did, task by task, from its records and lifecycle events."""

from collections.abc import Iterable
from typing import Any

from msgspec import UNSET

from services.workflow.engine import Plan, State, Transition, apply
from services.workflow.engine import commands as c
from services.workflow.engine import records as r
from tests.workflow.ctk.driver import Outcome, TaskResult


class Notes:
    """Fills an Outcome, transition by transition."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._tasks: list[str] = []
        self._ended: list[str] = []
        self._results: dict[str, TaskResult] = {}
        self._lifecycle: list[str] = []
        self.emitted: list[dict[str, Any]] = []

    def note(self, before: State | None, made: Transition) -> None:
        """Takes a transition in."""
        self.fold(before, made.records)
        for command in made.commands:
            if isinstance(command, c.Publish):
                self.event(command.kind, command.data)

    def fold(self, before: State | None, records: Iterable[r.Record]) -> State | None:
        """Takes records in; the state after them."""
        state = None if before is None else before.copy()
        for record in records:
            if isinstance(record, r.TaskStarted) and state is not None:
                self._started(state.frames[record.frame].pointer)
            elif isinstance(record, r.TaskEnded) and state is not None:
                self._end(state, record)
            state = apply(state, record)
        return state

    def event(self, kind: str, data: dict[str, Any]) -> None:
        """Takes a lifecycle event in."""
        self._lifecycle.append(kind)
        if kind == "task.completed":  # also of tasks around one that ended the whole run, which have no record
            name = self._name(data["task"])
            if name not in self._results:
                self._results[name] = TaskResult(status="completed")
        elif kind in ("task.faulted", "task.cancelled"):
            result = TaskResult(status=kind.partition(".")[2], error=data.get("error"))
            self._results[self._name(data["task"])] = result

    def _name(self, pointer: str) -> str:
        return self._plan.tasks[pointer].name

    def _started(self, pointer: str) -> None:
        if pointer:
            self._tasks.append(self._name(pointer))

    def _end(self, state: State, record: r.TaskEnded) -> None:
        frame = state.frames[record.frame]
        output = record.output
        if output is UNSET:
            output = frame.raw if record.skipped else frame.data
        name = self._name(frame.pointer)
        status = "skipped" if record.skipped else "completed"
        self._results[name] = TaskResult(status=status, output=None if output is UNSET else output)
        if not record.skipped:
            self._ended.append(name)

    def outcome(self, state: State) -> Outcome:
        """How it ended."""
        return Outcome(
            status=state.status,
            output=state.output,
            error=state.error,
            tasks=self._tasks,
            ended=self._ended,
            results=self._results,
            lifecycle=self._lifecycle,
            emitted=self.emitted,
        )
