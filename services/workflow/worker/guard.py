"""Evaluates for the engine, and lets the service know what, so that what can't be ended from inside can be from
outside: jq, JSON Schema patterns and event filters run for as long and with as much memory as their author likes."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from services.contracts.workflow.data import Schema
from services.contracts.workflow.expressions import Expression
from services.workflow import expressions
from services.workflow.engine.environment import takes
from services.workflow.engine.errors import standard
from services.workflow.engine.schemas import violation
from services.workflow.worker.notes import Notes
from services.workflow.worker.protocol import Forbidden

V = TypeVar("V")


class Guard:
    """Of one request. ``allow`` begins the time that one evaluation may take. An error that ends the process
    (MemoryError) leaves the note in place, on purpose."""

    def __init__(
        self,
        notes: Notes,
        allow: Callable[[], None],
        forbidden: list[Forbidden],
        places: Mapping[int, str] | None = None,
    ) -> None:
        self._notes, self._allow, self._forbidden = notes, allow, {each.pointer: each for each in forbidden}
        self._places = places or {}
        self._number = 0

    def evaluate(self, expression: Expression, data: Any, arguments: Mapping[str, Any], now: float) -> Any:
        """As ``expressions.evaluate``. Raises ExpressionError."""
        why = self._enter(expression.pointer)
        if why:
            raise expressions.ExpressionError(why, expression.pointer)
        return self._noted(expressions.evaluate, expression, data, arguments, now)

    def validate(self, schema: Schema, value: Any) -> str | None:
        """As ``schemas.violation``; one that may not be applied is the specification's validation error. Raises
        Raised."""
        why = self._enter(self._places.get(id(schema), "/schema"))
        if why:
            raise standard("validation", f"checking it {why}")
        return self._noted(violation, schema, value)

    def match(self, pattern: str, text: str, pointer: str) -> bool:
        """As ``environment.takes``; one that may not be tried takes nothing."""
        return not self._enter(pointer) and self._noted(takes, pattern, text, pointer)

    def _noted(self, function: Callable[..., V], *arguments: Any) -> V:
        try:
            value = function(*arguments)
        except MemoryError:
            raise
        except BaseException:
            self._notes.leave()
            raise
        self._notes.leave()
        return value

    def _enter(self, pointer: str) -> str:
        """Notes the next evaluation; why it may not be, when it may not."""
        self._number += 1
        forbidden = self._forbidden.get(pointer)
        if forbidden is not None and self._number >= forbidden.number:
            return forbidden.why
        self._notes.enter(self._number, pointer)
        self._allow()
        return ""
