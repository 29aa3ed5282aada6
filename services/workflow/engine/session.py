"""One step under way: its records so far, and the state that they make."""

from typing import Any

from services.contracts.workflow.data import Timeout
from services.contracts.workflow.durations import iso8601_seconds
from services.contracts.workflow.expressions import Expression
from services.contracts.workflow.task import Task
from services.workflow.engine import records as r
from services.workflow.engine.apply import apply
from services.workflow.engine.commands import Command
from services.workflow.engine.environment import Environment
from services.workflow.engine.errors import standard
from services.workflow.engine.lifecycle import lifecycle
from services.workflow.engine.plan import Plan
from services.workflow.engine.scope import More, Scope
from services.workflow.engine.state import Frame, State


class Session:
    """The state changes by ``record`` alone. ``arguments`` are those of calls that begin in this step, by frame."""

    def __init__(self, plan: Plan, state: State, environment: Environment, now: float) -> None:
        self.plan, self.state, self.environment, self.now = plan, state, environment, now
        self.records: list[r.Record] = []
        self.events: list[Command] = []
        self.arguments: dict[int, Any] = {}

    def record(self, record: r.Record) -> None:
        """Something happened."""
        self.records.append(record)
        self.events.extend(lifecycle(self.plan, self.state, record))
        self.state = apply(self.state, record)

    def scope(self, frame: Frame) -> Scope:
        """Where the expressions of a task are evaluated."""
        return Scope(self.plan, self.state, self.environment, frame, self.now)

    def task(self, frame: Frame) -> Task | None:
        """The frame's task; None for the workflow itself."""
        return self.plan.task(frame.pointer)

    def seconds(self, duration: float | Expression, scope: Scope, data: Any, more: More = None) -> float:
        """A duration, evaluated when it is an expression. Raises Raised."""
        if not isinstance(duration, Expression):
            return duration
        text = scope.value(duration, data, more=more)
        seconds = iso8601_seconds(text) if isinstance(text, str) else None
        if seconds is None:
            raise standard("expression", f"{duration.pointer}: gave no ISO 8601 duration such as PT30S")
        return seconds

    def deadline(self, timeout: Timeout | str | None, scope: Scope, input: Any) -> float | None:
        """When a timeout that begins now, with the transformed input of what it is for, is due. Raises Raised."""
        found = self.plan.definition.timeout_of(timeout)
        return None if found is None else self.now + self.seconds(found.after, scope, input, {"input": input})
