"""What expressions of a run see: the arguments of the language and the variables of enclosing tasks."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from msgspec import UNSET

from services.contracts.workflow.calls import Call, CallFunction
from services.contracts.workflow.expressions import Expression, Template, Text
from services.contracts.workflow.tasks import TryTask
from services.workflow.engine.authorization import descriptor
from services.workflow.engine.environment import Environment
from services.workflow.engine.errors import Raised, standard
from services.workflow.engine.plan import Plan
from services.workflow.engine.state import Frame, State
from services.workflow.expressions import fill, fill_text

More = dict[str, Any] | None
"""Further variables, by name."""


@lru_cache(maxsize=8)  # the records of a step have one time
def iso(at: float) -> str:
    """A time as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(at: float) -> dict[str, Any]:
    """The date time descriptor of the specification."""
    return {"iso8601": iso(at), "epoch": {"seconds": int(at), "milliseconds": round(at * 1000)}}


class Scope:
    """Evaluates expressions in the place of one task, at one time."""

    def __init__(self, plan: Plan, state: State, environment: Environment, frame: Frame, now: float) -> None:
        self._plan, self._state, self._environment, self._frame, self._now = plan, state, environment, frame, now
        self.raw_output: Any = None
        """For ``$task.output``, once there is one."""

    @property
    def context(self) -> Any:
        """The run's context."""
        return self._state.context

    def raw(self) -> Any:
        """The task's raw input, made again when it is not kept."""
        if self._frame.raw is not UNSET:
            return self._frame.raw
        assert self._frame.parent is not None
        parent = self._state.frames[self._frame.parent]
        task = self._plan.tasks[parent.pointer]
        assert isinstance(task, CallFunction)
        above = Scope(self._plan, self._state, self._environment, parent, self._frame.started_at)
        return above.input() if task.with_ is None else above.fill(task.with_, above.input())

    def input(self) -> Any:
        """The task's transformed input, made again when it is not kept (at the time of its start: the same)."""
        if self._frame.input is not UNSET and self._frame.phase != "new":
            return self._frame.input
        input_, _ = self._plan.data_flow(self._frame.pointer)
        raw = self.raw()
        if input_ is None or input_.from_ is None:
            return raw
        return self.fill(input_.from_, raw, given=False)

    def value(self, expression: Expression, data: Any, *, given: bool = True, more: More = None) -> Any:
        """An expression's value over ``data``. ``given``: $input is there already; ``more``: further variables.

        Raises Raised.
        """
        try:
            return self._environment.value(expression, data, self._arguments(expression, given, more), self._now)
        except Raised as raised:
            raise self._withheld(raised, expression.pointer) from None

    def holds(self, expression: Expression | None, data: Any, *, given: bool = True, more: More = None) -> bool:
        """Whether a condition is true as jq sees it: neither false nor null."""
        if expression is None:
            return True
        found = self.value(expression, data, given=given, more=more)
        return found is not None and found is not False

    def fill(self, template: Template | Text | None, data: Any, *, given: bool = True, more: More = None) -> Any:
        """A template's value over ``data``."""
        return fill(template, lambda expression: self.value(expression, data, given=given, more=more))

    def text(self, text: Text | None, data: Any) -> str | None:
        """A text's value over ``data``; None when it has none."""
        return fill_text(text, lambda expression: self.value(expression, data))

    def check(self, schema: Any, value: Any, what: str) -> None:
        """Raises Raised when the value breaks the schema."""
        try:
            self._environment.check(schema, value, what)
        except Raised as raised:
            raise self._withheld(raised, f"{self._frame.pointer}/{what}") from None

    def matches(self, pattern: str, text: str) -> bool:
        """Whether a regular expression takes the whole text."""
        return self._environment.match(pattern, text, self._frame.pointer)

    def _withheld(self, raised: Raised, pointer: str) -> Raised:
        """The error without what jq or the schema quotes, where that may be a secret: an error is recorded."""
        error = raised.error
        if error["status"] == 403 or not self._plan.definition.use.secrets:
            return raised
        if not isinstance(self._plan.task(self._frame.pointer), Call):
            return raised
        return Raised(error | {"detail": f"{pointer}: the details are withheld, since a call's data may have a secret"})

    def variables(self) -> dict[str, Any]:
        """The variables of enclosing tasks, inner ones before outer ones of the same name. A try sees its own too: the
        error that it caught, null when there was none."""
        task = self._plan.task(self._frame.pointer)
        frame: Frame | None = self._frame if isinstance(task, TryTask) else self._above(self._frame)
        made: dict[str, Any] = {}
        while frame is not None:
            made = frame.variables | made
            frame = self._above(frame)
        return {task.catch.as_: None} | made if isinstance(task, TryTask) else made

    def _above(self, frame: Frame) -> Frame | None:
        return None if frame.parent is None else self._state.frames[frame.parent]

    def _arguments(self, expression: Expression, given: bool, more: More) -> dict[str, Any]:
        """Only what the text mentions is made; the others are null, so that a name is always known."""
        text = expression.text
        made: dict[str, Any] = dict.fromkeys(("input", "output", "authorization", "task"))
        made["context"] = self._state.context
        made["secrets"] = self._secrets(text) if "secrets" in text else None
        made["runtime"] = self._environment.runtime
        made["workflow"] = self._workflow() if "workflow" in text else None
        if "task" in text and self._frame.pointer:
            made["task"] = self._task()
        if "input" in text:
            made["input"] = self.input() if given else self._input_around()
        if given and "authorization" in text and "authorization" not in (more or {}):
            made["authorization"] = self._authorization()
        return made | self.variables() | (more or {})

    def _input_around(self) -> Any:
        """What $input is before the task has one of its own: that of the task around it, or of the workflow."""
        parent = None if self._frame.parent is None else self._state.frames[self._frame.parent]
        if parent is None or isinstance(self._plan.task(parent.pointer), Call):  # a call's is made of secrets, perhaps
            return None
        return parent.input

    def _authorization(self) -> dict[str, Any] | None:
        none: More = {"authorization": None}  # its own expressions have none
        data = self.input()
        task = self._plan.task(self._frame.pointer)
        return descriptor(self._plan.definition, task, lambda text: self.fill(text, data, more=none))

    def _secrets(self, text: str) -> Any:
        """The secrets; one that the text names and nobody gave is the specification's authorization error."""
        secrets = self._environment.secrets
        for name in self._plan.definition.use.secrets:
            if name not in secrets and name in text:
                raise standard("authorization", f"there is no secret {name} that this workflow may use")
        return secrets

    def _workflow(self) -> dict[str, Any]:
        return {
            "id": self._state.id,
            "definition": self._plan.definition.source,
            "input": self._state.input,
            "startedAt": moment(self._state.started_at),
        }

    def _task(self) -> dict[str, Any]:
        task = self._plan.tasks[self._frame.pointer]
        return {
            "name": task.name,
            "reference": task.pointer,
            "definition": task.definition,
            "input": self.raw(),
            "output": self.raw_output,
            "startedAt": moment(self._frame.started_at),
        }
