"""Values with expressions inside: a template filled is plain JSON."""

from collections.abc import Callable
from copy import copy
from typing import Any

from services.contracts.workflow.expressions import Expression, Interpolation, Template, Text
from services.workflow.expressions.program import text_of

Evaluate = Callable[[Expression], Any]
"""Evaluates one expression over data and arguments that the caller has bound."""


def fill(template: Template | Text | None, evaluate: Evaluate) -> Any:
    """The JSON value of a template, an expression or a constant. What comes out of data is never evaluated itself.

    A constant object is another one each time: a run's records leave out what is the very object that is there already,
    which must not depend on whether the state was stored in between.
    """
    if isinstance(template, Template):
        return copy(template.value) if template.constant else _fill(template.value, evaluate)
    return _fill(template, evaluate)


def _fill(value: Any, evaluate: Evaluate) -> Any:
    if isinstance(value, Expression):
        return evaluate(value)
    if isinstance(value, Interpolation):
        return "".join(text_of(evaluate(part)) if isinstance(part, Expression) else part for part in value.parts)
    if isinstance(value, dict):
        return {key: _fill(item, evaluate) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, evaluate) for item in value]
    return value


def fill_text(text: Text | None, evaluate: Evaluate) -> str | None:
    """As ``fill``, and whatever it gives as a string."""
    if text is None:
        return None
    value = fill(text, evaluate)
    return None if value is None else text_of(value)
