"""Compiles and runs jq programs.

The library compiles variables into a program, which takes a hundred times as long as running it; so they come in with
the input here, and each program is compiled once.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jq
import msgspec

from services.contracts.workflow.expressions import Expression
from services.workflow.expressions.lexis import FORBIDDEN, Refused, variables

_SHADOWS = "".join(
    f'def {name}: error("{name.partition("(")[0]} is not available in a workflow");'
    for name in [*sorted(FORBIDDEN - {"import", "include"}), "debug(f)", "halt_error(f)"]
)
_NOW = "__now"
_encode = msgspec.json.Encoder().encode


class ExpressionError(ValueError):
    """An expression that could not be evaluated; ``pointer`` is where it stands in the document."""

    def __init__(self, message: str, pointer: str) -> None:
        super().__init__(message)
        self.pointer = pointer


@lru_cache(maxsize=4096)
def _compiled(text: str, bound: tuple[str, ...]) -> Any:
    """The program over ``[variables, data]``.

    Builtins that ``lexis`` refuses are shadowed too, should the two read a program differently; ``now`` is the
    engine's time, since a replay must find the same.
    """
    binds = "".join(f"$__faas.{name} as ${name} | " for name in bound)
    return jq.compile(f".[0] as $__faas | {{}} as $ENV | {_SHADOWS} def now: $__faas.{_NOW}; {binds}.[1] | ({text}\n)")


def _program(text: str, known: frozenset[str]) -> tuple[Any, tuple[str, ...]]:
    bound = tuple(sorted(variables(text) & known))
    return _compiled(text, bound), bound


def check(expression: Expression, names: frozenset[str]) -> None:
    """Whether the program compiles with the variables ``names``. Raises ExpressionError."""
    try:
        _program(expression.text, names)
    except (Refused, ValueError) as error:
        raise ExpressionError(_message(_alone(expression.text, error)), expression.pointer) from None


def _alone(text: str, error: Exception) -> Exception:
    """What jq says of the syntax of a program without what stands around it here, such as the bracket behind it."""
    if "syntax error" in str(error):
        try:
            jq.compile(text)
        except ValueError as own:
            return own
    return error


def evaluate(expression: Expression, data: Any, arguments: Mapping[str, Any], now: float = 0.0) -> Any:
    """The first value that the program gives over ``data``; None when it gives none.

    ``arguments`` are its variables, ``now`` the time in epoch seconds. Raises ExpressionError; an expression of mode
    loose gives its own text instead.
    """
    try:
        program, bound = _program(expression.text, frozenset(arguments))
        values = {name: arguments[name] for name in bound} | {_NOW: now}
        text = _encode([values, data]).decode()  # half the time of what input_value does
        return next(iter(program.input_text(text)), None)
    except (ValueError, RecursionError) as error:
        if expression.loose:
            return expression.text
        raise ExpressionError(_message(error), expression.pointer) from None


def _message(error: Exception) -> str:
    """The first line of what jq says, without its own place names."""
    text = str(error).strip().split("\n")[0].removeprefix("jq: error: ")
    return text.split(" at <top-level>")[0][:500] or type(error).__name__


def text_of(value: Any) -> str:
    """A value inside a text: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
