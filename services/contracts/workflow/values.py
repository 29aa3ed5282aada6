"""Readers of the values that the language uses everywhere: expressions, texts with them, templates, durations."""

import re
from typing import Annotated, Any

import msgspec

from services.contracts.workflow.durations import UNITS, inline_seconds, iso8601_seconds
from services.contracts.workflow.expressions import (
    Expression,
    Interpolation,
    Template,
    Text,
    Unclosed,
    is_whole,
    split,
    text_of,
)
from services.contracts.workflow.node import Node, Wrong, note_unknown
from services.contracts.workflow.read import read_integer, read_object, read_string

_UNCLOSED = "a jq program between ${ and }"
_URI = re.compile(r"(?!\s*\$\{)(?=\S)(?:([^:/?#]+):)?(?://([^/?#\s]*))?([^?#\s]*)(?:\?([^#\s]*))?(?:#(\S*))?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_ARGUMENTS = ("context", "input", "output", "secrets", "authorization", "task", "workflow", "runtime")
_JQ_WORD = re.compile(
    "and|as|def|elif|else|end|foreach|if|import|include|label|not|or|reduce|then|try|catch|__loc__|ENV|__prog_args"
)


def _noted(node: Node, expression: Expression) -> Expression:
    node.scope.expressions.append((expression, node.secrets))
    return expression


def read_expression(node: Node) -> Expression:
    """A string that is always an expression, ``${ }`` around it or not (``if``, ``when``, ``input.from`` …)."""
    text = read_string(node)
    try:
        parts = split(text)
    except Unclosed:
        node.refuse(_UNCLOSED)
    if is_whole(parts):
        return _noted(node, Expression(parts[0][1], node.pointer))
    if not text.strip() or any(program for program, _ in parts):
        node.refuse("one expression", kind="rule")
    return _noted(node, Expression(text.strip(), node.pointer))


def read_enclosed(node: Node) -> Expression:
    """An expression that must stand in ``${ }``."""
    read = read_text(node)
    return read if isinstance(read, Expression) and not read.loose else node.refuse("an expression in ${ }")


def read_text(node: Node) -> Text:
    """A string that may be an expression or have some inside."""
    text = read_string(node)
    try:
        made = text_of(text, node.pointer, node.scope.loose)
    except Unclosed:
        node.refuse(_UNCLOSED)
    if isinstance(made, Expression):
        _noted(node, made)
    elif isinstance(made, Interpolation):
        for part in made.parts:
            if isinstance(part, Expression):
                _noted(node, part)
    return made


def read_template(node: Node) -> Template:
    """Any JSON value; its strings may be expressions or have some inside."""
    before = len(node.scope.expressions)
    value = _template(node)
    return Template(value, constant=len(node.scope.expressions) == before)


def _template(node: Node) -> Any:
    if isinstance(node.value, str):
        return read_text(node)
    if isinstance(node.value, dict):
        return {key: _template(node.child(key)) for key in node.value}
    if isinstance(node.value, list):
        return [_template(node.child(index)) for index in range(len(node.value))]
    return node.value


def read_object_template(node: Node) -> Template:
    """An object whose strings may be expressions."""
    read_object(node)
    return read_template(node)


def read_string_template(node: Node) -> Expression | Template:
    """A string that is an expression, ``${ }`` around it or not, or text with expressions inside."""
    try:
        parts = split(read_string(node))
    except Unclosed:
        node.refuse(_UNCLOSED)
    mixed = not is_whole(parts) and any(program for program, _ in parts)
    return read_template(node) if mixed else read_expression(node)


def read_transform(node: Node) -> Expression | Template:
    """What shapes data (``from``, ``as``): an expression, text with some inside, or an object."""
    if isinstance(node.value, str):
        return read_string_template(node)
    if not isinstance(node.value, dict):
        node.refuse("an expression or an object")
    return read_template(node)


def read_duration(node: Node) -> float | Expression:
    """Seconds of a duration, or the expression that gives an ISO 8601 text."""
    if isinstance(node.value, dict):
        return _inline(node)
    if not isinstance(node.value, str):
        node.refuse("a duration: an object such as seconds: 30, or a text such as PT30S")
    if node.value.strip().startswith("${"):
        return read_enclosed(node)
    seconds = iso8601_seconds(node.value)
    if seconds is None:
        node.refuse("an ISO 8601 duration such as PT30S, PT1H30M or P1D, of at most 100 years")
    return seconds


def _inline(node: Node) -> float:
    before = len(node.scope.problems)
    for key in node.value:
        if key not in UNITS:
            note_unknown(node, key, list(UNITS))
    if not node.value:
        node.note(f"at least one of {', '.join(UNITS)}")
    amounts = {key: read_integer(node.child(key)) for key in node.value if key in UNITS}
    if len(node.scope.problems) > before:
        raise Wrong
    seconds = inline_seconds(amounts)
    return node.refuse("0 seconds to 100 years", kind="rule") if seconds is None else seconds


def read_uri(node: Node) -> Text:
    """A URI reference (RFC 3986), which may have ``{name}`` (RFC 6570 level 1) and ``${ }`` in it, or an expression."""
    text = read_text(node)
    if isinstance(text, Expression) and not text.loose:
        return text
    parts = text.parts if isinstance(text, Interpolation) else (node.value,)
    if not _URI.fullmatch("".join(part if isinstance(part, str) else "x" for part in parts)):
        node.refuse("a URI, or an expression in ${ }")
    if isinstance(text, Expression):  # of mode loose: a URI is what it looks like
        node.scope.expressions.pop()
        return str(node.value)
    return text


def read_scalar(node: Node) -> Text:
    """A text; a number, true or false stands for its digits or word, as YAML reads them."""
    return str(msgspec.json.encode(node.value), "ascii") if isinstance(node.value, int | float) else read_text(node)


def read_uri_template(node: Node) -> Text:
    """A URI where the language wants no expression."""
    text = read_uri(node)
    return node.refuse("a URI, which may have {name} in it") if isinstance(text, Expression) else text


def read_variable(node: Node) -> str:
    """The name of a variable for expressions, without its dollar sign."""
    name = read_string(node)
    if not _VARIABLE.fullmatch(name) or _JQ_WORD.fullmatch(name):
        node.refuse("a name that jq takes for a variable: letters, digits and _, no digit first", kind="rule")
    if name in _ARGUMENTS:
        node.refuse(f"another name than those the language gives: {', '.join(_ARGUMENTS)}", kind="rule")
    return name


ExpressionField = Annotated[Expression, read_expression]
EnclosedExpression = Annotated[Expression, read_enclosed]
TextField = Annotated[Text, read_text]
ScalarField = Annotated[Text, read_scalar]
Uri = Annotated[Text, read_uri]
UriTemplate = Annotated[Text, read_uri_template]
Value = Annotated[Template, read_template]
ObjectValue = Annotated[Template, read_object_template]
Transform = Annotated[Expression | Template, read_transform]
Duration = Annotated[float | Expression, read_duration]
"""Seconds, or an expression that gives an ISO 8601 text (``durations.iso8601_seconds``)."""
Variable = Annotated[str, read_variable]
Object = Annotated[dict[str, Any], read_object]
