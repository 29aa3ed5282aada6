"""Operators, functions and methods of CEL expressions (see cel.py)."""

import datetime
import itertools
import re
from typing import Any

from cli.local.apiserver import quantity
from cli.local.apiserver.schema import compile_pattern

FUNCTIONS = frozenset(("size", "string", "int", "uint", "double", "duration", "timestamp", "quantity", "isQuantity"))
METHODS = frozenset(
    (
        "size", "startsWith", "endsWith", "contains", "lowerAscii", "upperAscii", "trim", "indexOf", "lastIndexOf",
        "replace", "split", "matches", "substring", "find", "isSorted", "sum", "min", "max", "join",
        "getSeconds", "getMinutes", "getHours",
    )
)  # fmt: skip


class CelError(Exception):
    """An expression does not compile, or its evaluation fails."""


def compare(operator: str, left: Any, right: Any) -> bool:
    """`==`, `!=`, `<`, `<=`, `>`, `>=` and `in`."""
    if operator == "in":
        if not isinstance(right, list | dict):
            raise CelError("no such overload: 'in' needs a list or a map")
        return any(_equal(left, item) for item in right)
    if operator in ("==", "!="):
        return _equal(left, right) is (operator == "==")
    if _family(left) != _family(right) or _family(left) is None:
        raise CelError(f"no such overload: {operator}")
    if operator in ("<", ">="):
        return bool(left < right) is (operator == "<")
    return bool(left > right) is (operator == ">")


def _equal(left: Any, right: Any) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _family(value: Any) -> str | None:
    kinds = {bool: "bool", str: "string", datetime.timedelta: "duration", datetime.datetime: "time"}
    return next(
        (name for kind, name in kinds.items() if isinstance(value, kind)), "number" if _numeric(value) else None
    )


def _numeric(value: Any) -> bool:
    return hasattr(value, "__add__") and hasattr(value, "__truediv__")


def arithmetic(operator: str, left: Any, right: Any) -> Any:
    """`+`, `-`, `*`, `/` and `%`; whole numbers divide towards zero."""
    if isinstance(left, bool) or isinstance(right, bool):
        raise CelError(f"no such overload: {operator}")
    try:
        if operator == "+":
            return left + right
        if operator == "-":
            return left - right
        if operator == "*" and _numeric(left) and _numeric(right):
            return left * right
        whole = isinstance(left, int) and isinstance(right, int)
        if operator == "/":
            return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1) if whole else left / right
        if operator == "%" and whole:
            return abs(left) % abs(right) * (-1 if left < 0 else 1)
    except ZeroDivisionError:
        raise CelError("division by zero") from None
    except TypeError:
        raise CelError(f"no such overload: {operator}") from None
    raise CelError(f"no such overload: {operator}")


def call_function(name: str, arguments: list[Any]) -> Any:
    """A global function. Raises CelError when it cannot take its argument."""
    if len(arguments) != 1:
        raise CelError(f"no such overload: {name} with {len(arguments)} arguments")
    value = arguments[0]
    functions: dict[str, Any] = {
        "size": len,
        "string": lambda v: str(v).lower() if isinstance(v, bool) else str(v),
        "int": int,
        "uint": int,
        "double": float,
        "duration": duration,
        "timestamp": lambda v: datetime.datetime.fromisoformat(v.replace("Z", "+00:00")),
        "quantity": quantity.parse,
        "isQuantity": _is_quantity,
    }
    try:
        return functions[name](value)
    except (TypeError, ValueError, AttributeError) as error:
        raise CelError(f"{name}(): {error}") from None


def call_method(name: str, target: Any, arguments: list[Any]) -> Any:
    """A method of a string, list, map or duration. Raises CelError when it has none of that name."""
    try:
        if name == "size":
            return len(target)
        if isinstance(target, str):
            return _string_method(name, target, arguments)
        if isinstance(target, list):
            return _list_method(name, target)
        if isinstance(target, datetime.timedelta):
            seconds = target.total_seconds()
            return int(seconds / {"getSeconds": 1, "getMinutes": 60, "getHours": 3600}[name])
    except (TypeError, KeyError, IndexError, ValueError) as error:
        raise CelError(f"no such overload: {name} ({error})") from None
    raise CelError(f"no such overload: {name}")


def _string_method(name: str, target: str, arguments: list[Any]) -> Any:
    if name == "matches":
        return compile_pattern(arguments[0]).search(target) is not None
    if name == "find":
        found = compile_pattern(arguments[0]).search(target)
        return found[0] if found else ""
    if name == "substring":
        return target[slice(*arguments)]
    methods: dict[str, Any] = {
        "startsWith": target.startswith, "endsWith": target.endswith, "contains": target.__contains__,
        "lowerAscii": target.lower, "upperAscii": target.upper, "trim": target.strip, "indexOf": target.find,
        "lastIndexOf": target.rfind, "replace": target.replace, "split": target.split,
    }  # fmt: skip
    return methods[name](*arguments)


def _list_method(name: str, target: list[Any]) -> Any:
    methods: dict[str, Any] = {
        "isSorted": lambda: all(a <= b for a, b in itertools.pairwise(target)),
        "sum": lambda: sum(target),
        "min": lambda: min(target),
        "max": lambda: max(target),
        "join": lambda: "".join(target),
    }
    return methods[name]()


_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|us|µs|ns|m|s)")


def duration(text: str) -> datetime.timedelta:
    """A Go duration such as `1h30m`. Raises ValueError when it is none."""
    body = text.lstrip("+-")
    parts = _PART.findall(body)
    if body != "0" and (not parts or "".join(number + unit for number, unit in parts) != body):
        raise ValueError(f"{text!r} is no duration")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return datetime.timedelta(seconds=-seconds if text.startswith("-") else seconds)


def _is_quantity(text: str) -> bool:
    try:
        quantity.parse(text)
    except ValueError:
        return False
    return True
