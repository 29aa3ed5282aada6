"""Decoding of JSON into built-in types: what a typed server accepts, refuses and leaves out, in one walk over the
object.
"""

import re
from typing import Any

from cli.local.apiserver.errors import StatusError, bad_request
from cli.local.apiserver.schema import Schema
from cli.local.apiserver.validation import type_of

_QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")
_QUANTITY_RULE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_PLAIN = {"string": str, "boolean": bool}


class CoercionError(Exception):
    """A value cannot be decoded into its field; the text is what Go's decoder says."""


def coerce(schema: Schema, value: dict[str, Any]) -> list[str]:
    """Make `value`, in place, what decoding into the type gives; return the paths of unknown fields, which are removed.

    Nulls go, as if they had not been written. Raises CoercionError at the first value of a wrong type.
    """
    unknown: list[str] = []
    _object(schema, value, "", schema.go_type, "", unknown)
    return unknown


def undecodable(kind: str, version: str, why: str) -> StatusError:
    """400: the body is no object of the kind that the address names."""
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}')


def _object(schema: Schema, value: dict[str, Any], path: str, struct: str, go_path: str, unknown: list[str]) -> None:
    properties, additional = schema.properties, schema.additional
    for name in list(value):
        item = value[name]
        child = properties.get(name) or additional
        if item is None and not schema.preserve:
            del value[name]
        elif child is not None:
            here = f"{path}.{name}" if path else name
            inner = schema.go_type if name in properties else struct
            inside = go_path if additional is not None and name not in properties else _join(go_path, name)
            value[name] = _value(child, item, here, inner, inside, unknown)
        elif not schema.preserve:
            del value[name]
            unknown.append(f"{path}.{name}" if path else name)


def _value(schema: Schema, value: Any, path: str, struct: str, go_path: str, unknown: list[str]) -> Any:
    kind = schema.type
    if kind == "object":
        if type(value) is not dict:
            raise _mismatch(value, struct, go_path, schema)
        if not schema.preserve:
            _object(schema, value, path, struct, go_path, unknown)
        return value
    if kind == "array":
        if type(value) is not list:
            raise _mismatch(value, struct, go_path, schema)
        items = schema.items
        if items is None:
            return value
        for index, item in enumerate(value):
            value[index] = _value(items, item, f"{path}[{index}]", struct, go_path, unknown)
        return value
    return _scalar(schema, value, struct, go_path)


def _scalar(schema: Schema, value: Any, struct: str, go_path: str) -> Any:
    if schema.int_or_string:
        if type(value) is str or type(value) is int:
            return value
    elif schema.go_type == "resource.Quantity":
        return _quantity(value)
    elif schema.type in _PLAIN:
        if type(value) is _PLAIN[schema.type]:
            return value
    elif schema.type == "integer":
        if type(value) is float and value == int(value):
            value = int(value)
        bits = 31 if schema.format == "int32" else 63
        if type(value) is int and -(2**bits) <= value < 2**bits:
            return value
    else:
        return value
    raise _mismatch(value, struct, go_path, schema)


def _quantity(value: Any) -> str:
    if type(value) in (int, float):
        return str(value)
    if type(value) is str and _QUANTITY.fullmatch(value):
        return value
    raise CoercionError(_QUANTITY_RULE)


def _mismatch(value: Any, struct: str, go_path: str, schema: Schema) -> CoercionError:
    words = {"boolean": "bool", "integer": "number"}
    found = words.get(type_of(value), type_of(value))
    if found == "number" and schema.type == "integer":
        found = f"number {value}"
    wanted = schema.go_type or {"boolean": "bool", "integer": schema.format}.get(schema.type, schema.type)
    if schema.type == "object" and "." not in wanted and "[" not in wanted:
        wanted = f"v1.{wanted}"
    return CoercionError(f"json: cannot unmarshal {found} into Go struct field {struct}.{go_path} of type {wanted}")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
