"""What the engine is given: how expressions are evaluated, how schemas are checked, secrets, who runs it."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from services.contracts.workflow.data import Schema
from services.contracts.workflow.expressions import Expression
from services.workflow import expressions
from services.workflow.engine.errors import standard
from services.workflow.engine.schemas import violation

Evaluate = Callable[[Expression, Any, Mapping[str, Any], float], Any]
"""Expression, data, arguments and time to a value; raises ExpressionError."""
Validate = Callable[[Schema, Any], str | None]
"""What is wrong with a value; None when nothing is."""
Match = Callable[[str, str, str], bool]
"""A regular expression, a text, and the pointer of the task that asks."""


def takes(pattern: str, text: str, pointer: str) -> bool:
    """Whether a regular expression takes the whole text; not when it is none."""
    try:
        return re.fullmatch(pattern, text) is not None
    except (re.error, RecursionError, OverflowError):
        return False


def _never() -> bool:
    return False


class Environment(msgspec.Struct, frozen=True):
    """``secrets``: those that the definition may use, by name. ``runtime``: the argument ``$runtime``. ``enough``:
    whether a step has taken so long that it is to leave the rest to the next one (``Continue``)."""

    evaluate: Evaluate = expressions.evaluate
    validate: Validate = violation
    match: Match = takes
    enough: Callable[[], bool] = _never
    secrets: Mapping[str, Any] = msgspec.field(default_factory=dict)
    runtime: Mapping[str, Any] = msgspec.field(
        default_factory=lambda: {"name": "faas", "version": "0.1.0", "metadata": {}}
    )

    def value(self, expression: Expression, data: Any, arguments: Mapping[str, Any], now: float) -> Any:
        """An expression's value; raises Raised with the specification's expression error."""
        try:
            return self.evaluate(expression, data, arguments, now)
        except expressions.ExpressionError as error:
            raise standard("expression", f"{error.pointer}: {error}") from None

    def check(self, schema: Schema | None, value: Any, what: str) -> None:
        """Raises Raised with the specification's validation error when the value breaks the schema."""
        wrong = None if schema is None else self.validate(schema, value)
        if wrong is not None:
            raise standard("validation", f"{what}{wrong}")
