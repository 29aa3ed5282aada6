"""Runtime expressions in a document: where they begin and end. What stands inside (jq) is checked by the service."""

from collections.abc import Callable
from typing import Any

import msgspec


class Expression(msgspec.Struct, frozen=True):
    """A jq program: its text without ``${ }``, and the JSON pointer of the string that it stands in.

    ``loose``: written without ``${ }`` in a document of mode ``loose``; its value is ``text`` when evaluating it fails.
    """

    text: str
    pointer: str
    loose: bool = False


class Interpolation(msgspec.Struct, frozen=True):
    """Text with expressions inside, such as ``Hello ${ .name }!``; its value is always a string.

    A part's value is put in as it is when it is a string, else as JSON.
    """

    parts: tuple[str | Expression, ...]


Text = str | Expression | Interpolation
"""A string field: constant, one whole expression (then whatever it gives), or text with expressions inside."""


class Template(msgspec.Struct, frozen=True):
    """A JSON value whose strings may be expressions: those stand in ``value`` as Expression or Interpolation.

    ``constant``: there is none, and ``value`` is plain JSON.
    """

    value: Any
    constant: bool


class Unclosed(ValueError):
    """``${`` without its ``}``, or with nothing between."""


_CLOSER = {"(": ")", "[": "]", "{": "}", '"': '"'}


def _end(text: str, start: int) -> int:
    """The index of the brace that closes an expression whose program begins at ``start``; -1 when none does.

    Follows jq's lexis: strings, interpolation ``\\(…)`` inside them, brackets, comments.
    """
    stack, index = ["}"], start
    while index < len(text):
        character = text[index]
        if stack[-1] == '"' and character == "\\":
            if text[index + 1 : index + 2] == "(":
                stack.append(")")
            index += 2
            continue
        if character == stack[-1]:
            stack.pop()
            if not stack:
                return index
        elif stack[-1] != '"':
            if character in _CLOSER:
                stack.append(_CLOSER[character])
            elif character in ")]}":
                return -1
            elif character == "#":
                newline = text.find("\n", index)
                index = len(text) if newline < 0 else newline
        index += 1
    return -1


def split(text: str) -> list[tuple[bool, str]]:
    """The parts of a string: (True, program) for each ``${ program }``, (False, text) for what stands between.

    Blanks around one whole expression do not count. Raises Unclosed.
    """
    stripped = text.strip()
    if stripped.startswith("${") and stripped.endswith("}"):
        end = _end(stripped, 2)
        if end in (-1, len(stripped) - 1):  # -1: jq will say what is wrong with it
            return [(True, _program(stripped[2:-1]))]
    parts: list[tuple[bool, str]] = []
    position = 0
    while (begin := text.find("${", position)) >= 0:
        end = _end(text, begin + 2)
        if end < 0:
            raise Unclosed
        if begin > position:
            parts.append((False, text[position:begin]))
        parts.append((True, _program(text[begin + 2 : end])))
        position = end + 1
    if position < len(text) or not parts:
        parts.append((False, text[position:]))
    return parts


def _program(text: str) -> str:
    if not text.strip():
        raise Unclosed
    return text.strip()


def is_whole(parts: list[tuple[bool, str]]) -> bool:
    """Whether the string is one expression and nothing else."""
    return len(parts) == 1 and parts[0][0]


def text_of(text: str, pointer: str, loose: bool) -> Text:
    """A string of the document as Text. Raises Unclosed."""
    parts = split(text)
    if is_whole(parts):
        return Expression(parts[0][1], pointer)
    if all(not program for program, _ in parts):
        return Expression(text, pointer, loose=True) if loose and text.strip() else text
    return Interpolation(tuple(Expression(part, pointer) if program else part for program, part in parts))


def fill(value: Any, evaluate: Callable[[Expression], Any]) -> Any:
    """The JSON value of a Template, Text or plain value, each expression in it replaced by what ``evaluate`` gives.

    A constant comes back as it is, not copied. ``evaluate`` decides what becomes of errors, and gives ``text`` for a
    ``loose`` expression that has one.
    """
    if isinstance(value, Expression):
        return evaluate(value)
    if isinstance(value, Template):
        return value.value if value.constant else fill(value.value, evaluate)
    if isinstance(value, Interpolation):
        return "".join(part if isinstance(part, str) else _written(evaluate(part)) for part in value.parts)
    if isinstance(value, dict):
        return {key: fill(item, evaluate) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, evaluate) for item in value]
    return value


def _written(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
