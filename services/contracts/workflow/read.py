"""Reads a document into msgspec structs, by their annotations, and collects every problem on the way.

A struct mirrors an object of the language: a field's name is the key (``with_`` is ``with``, ``operation_id`` is
``operationId``), its type how the value is read. ``Annotated[T, reader]`` names a reader of its own; a class may be
given one by ``register``. ``exactly_one`` lists groups of fields of which one must be there.
"""

import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union

import msgspec
from msgspec.structs import FieldInfo

from services.contracts.workflow.node import Node, Part, Wrong, near, note_unknown

Reader = Callable[[Node], Any]
_REGISTERED: dict[Any, Reader] = {}


def register(type_: Any, reader: Reader) -> None:
    """Makes ``reader`` the way that values of ``type_`` are read."""
    _REGISTERED[type_] = reader


def read_string(node: Node) -> str:
    """A string."""
    if isinstance(node.value, str):
        return node.value
    return node.refuse("a string", hint="write it in quotes" if isinstance(node.value, bool | int | float) else "")


def read_integer(node: Node) -> int:
    """A whole number; 3.0 is one, as in JSON Schema."""
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        return node.value
    if isinstance(node.value, float) and node.value.is_integer():
        return int(node.value)
    return node.refuse("a whole number")


def read_boolean(node: Node) -> bool:
    """true or false."""
    return node.value if isinstance(node.value, bool) else node.refuse("true or false")


def read_object(node: Node) -> dict[str, Any]:
    """An object, its values unread."""
    return node.value if isinstance(node.value, dict) else node.refuse("an object")


def read_all(nodes: list[Node], reader: Reader) -> list[Any]:
    """Each value read, all problems noted; raises Wrong when one is wrong."""
    made, wrong = [], False
    for node in nodes:
        try:
            made.append(reader(node))
        except Wrong:
            wrong = True
    if wrong:
        raise Wrong
    return made


def read_list(node: Node, reader: Reader) -> list[Any]:
    """A list, each item read by ``reader``."""
    if not isinstance(node.value, list):
        node.refuse("a list")
    return read_all([node.child(index) for index in range(len(node.value))], reader)


def read_map(node: Node, reader: Reader) -> dict[str, Any]:
    """An object of free keys, each value read by ``reader``."""
    nodes = [node.child(key) for key in read_object(node)]
    return dict(zip(node.value, read_all(nodes, reader), strict=True))


def either(expected: str, **readers: Any) -> Reader:
    """A reader for what may be a ``string``, an ``object`` or a ``list``: each with its type or reader."""

    def read(node: Node) -> Any:
        value = node.value
        kind = "string" if isinstance(value, str) else "object" if isinstance(value, dict) else "list"
        if kind not in readers or (kind == "list" and not isinstance(value, list)):
            node.refuse(expected)
        chosen = readers[kind]
        return (chosen if isinstance(chosen, types.FunctionType) else reader_of(chosen))(node)

    return read


def with_secrets(type_: Any, allowed: bool = True) -> Reader:
    """A reader of ``type_`` that lets expressions below use ``$secrets``, or not."""
    return lambda node: reader_of(type_)(node._replace(secrets=allowed))


def name_of(group: str) -> Reader:
    """A reader of the name of something in ``use``: in ``use.timeouts`` for the group ``timeouts``."""

    def read(node: Node) -> str:
        node.scope.references.append((group, read_string(node), node.pointer))
        return str(node.value)

    return read


def _literal(choices: tuple[str, ...]) -> Reader:
    def read(node: Node) -> str:
        if not isinstance(node.value, str) or node.value not in choices:
            node.refuse(f"one of {', '.join(choices)}", hint=near(str(node.value), choices))
        return node.value

    return read


_SIMPLE: dict[Any, Reader] = {
    str: read_string,
    int: read_integer,
    bool: read_boolean,
    Any: lambda node: node.value,
}


@cache
def reader_of(type_: Any) -> Reader:
    """The reader of a field's type."""
    if type_ in _REGISTERED:
        return _REGISTERED[type_]
    origin, args = typing.get_origin(type_), typing.get_args(type_)
    if origin is Annotated:
        return typing.cast(Reader, args[1])
    if origin in (Union, types.UnionType):
        present = [arg for arg in args if arg is not types.NoneType]
        if len(present) == 1:
            return reader_of(present[0])
    if origin is Literal:
        return _literal(args)
    if origin is list:
        return lambda node: read_list(node, reader_of(args[0]))
    if origin is dict:
        return lambda node: read_map(node, reader_of(args[1]))
    if type_ in _SIMPLE:
        return _SIMPLE[type_]
    if isinstance(type_, type) and issubclass(type_, Part):
        return lambda node: read_part(type_, node)
    raise TypeError(f"no reader for {type_}")


P = TypeVar("P", bound=Part)


@cache
def _fields(part: type[Part]) -> tuple[FieldInfo, ...]:
    return msgspec.structs.fields(part)


def read_part(part: type[P], node: Node, **given: Any) -> P:
    """An object of the language as its struct; ``given`` are fields that do not come from the document.

    Notes each unknown, missing and wrong field, and raises Wrong when there is one.
    """
    document = read_object(node)
    known = {field.encode_name: field for field in _fields(part) if field.name not in given}
    ok = _check_keys(part, node, list(known))
    values = dict(given)
    for key, field in known.items():
        if key in document:
            try:
                values[field.name] = reader_of(field.type)(node.child(key))
            except Wrong:
                ok = False
        elif field.required:
            node.note(f"the field {key}", found=f"no {key}")
            ok = False
    if not ok:
        raise Wrong
    return part(**values)


def _check_keys(part: type[Part], node: Node, known: list[str]) -> bool:
    """Notes unknown keys and broken ``exactly_one`` groups; whether there was neither."""
    before = len(node.scope.problems)
    for key in node.value:
        if key not in known:
            note_unknown(node, key, known)
    for group in part.exactly_one:
        present = [key for key in group if key in node.value]
        if len(present) != 1:
            node.note(f"exactly one of {', '.join(group)}", found=" and ".join(present) if present else "none of them")
    if part.not_empty and not node.value:
        node.note(f"at least one of {', '.join(known)}")
    return len(node.scope.problems) == before
