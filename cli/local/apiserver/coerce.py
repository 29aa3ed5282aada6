"""Decoding of JSON into built-in types: what a typed server accepts, refuses, adds and leaves out, in one walk.

Go's decoder decides what clients see: null means absent, zero values of optional fields are not written, those of other
fields always are (typetable.py says which), times and quantities come out in canonical form.
"""

import base64
import binascii
import datetime
import re
from typing import Any

from cli.local.apiserver import quantity
from cli.local.apiserver.errors import StatusError, bad_request
from cli.local.apiserver.schema import Schema
from cli.local.apiserver.validation import type_of

_QUANTITY_RULE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_CANONICAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_CANONICAL_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_PLAIN = {"string": str, "boolean": bool}


class CoercionError(Exception):
    """A value cannot be decoded into its field; the text is what Go's decoder says."""


def coerce(schema: Schema, value: dict[str, Any], *, fill: bool = True) -> list[str]:
    """Make `value`, in place, what decoding into the type gives; return the paths of unknown fields, which are removed.

    With `fill` the fields that are always written are set to their zero values. Raises CoercionError at the first value
    of a wrong type.
    """
    walk = _Walk(fill)
    walk.object(schema, value, "", schema.go_type, "")
    return walk.unknown


def decode_as(schema: Schema, value: dict[str, Any]) -> dict[str, Any]:
    """A small request object, such as a Scale, decoded into its type. Raises a 400 StatusError when it does not fit."""
    try:
        coerce(schema, value, fill=False)
    except CoercionError as error:
        raise undecodable(schema.go_type, "v1", str(error)) from None
    return value


def undecodable(kind: str, version: str, why: str) -> StatusError:
    """400: the body is no object of the kind that the address names."""
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}')


class _Walk:
    """One decoding: `path` is the field's for the reader, `struct` and `go_path` are what Go's messages name."""

    def __init__(self, fill: bool) -> None:
        self.unknown: list[str] = []
        self._fill = fill

    def object(self, schema: Schema, value: dict[str, Any], path: str, struct: str, go_path: str) -> None:
        properties, additional = schema.properties, schema.additional
        for name in list(value):
            item = value[name]
            child = properties.get(name) or additional
            if child is None:
                if not schema.preserve:
                    del value[name]
                    self.unknown.append(f"{path}.{name}" if path else name)
            elif not item and (item is None or child.omit_empty):
                # A null map value is its type's zero value, anything else that is null is absent.
                if additional is not None and item is None:
                    value[name] = _zero(child)
                elif additional is None:
                    del value[name]
            elif additional is None:
                inside = f"{go_path}.{name}" if go_path else name
                value[name] = self.value(child, item, f"{path}.{name}" if path else name, schema.go_type, inside)
            else:
                value[name] = self.value(child, item, f"{path}.{name}", struct, go_path)
        if self._fill:
            for name, child in schema.always:
                if name not in value:
                    value[name] = zero = _zero(child)
                    if child.type == "object":
                        self.object(child, zero, path, struct, go_path)

    def value(self, schema: Schema, value: Any, path: str, struct: str, go_path: str) -> Any:
        if schema.type == "object":
            if type(value) is not dict:
                raise _mismatch(value, struct, go_path, schema)
            if not schema.preserve:
                self.object(schema, value, path, struct, go_path)
            return value
        if schema.type == "array":
            if type(value) is not list:
                raise _mismatch(value, struct, go_path, schema)
            if schema.items is not None:
                for index, item in enumerate(value):
                    value[index] = self.value(schema.items, item, f"{path}[{index}]", struct, go_path)
            return value
        return _scalar(schema, value, struct, go_path)


def _zero(schema: Schema) -> Any:
    if schema.go_type.endswith("Time") or schema.type == "array":
        return None
    return {"object": {}, "string": "", "boolean": False}.get(schema.type, 0)


def _scalar(schema: Schema, value: Any, struct: str, go_path: str) -> Any:
    if schema.int_or_string:
        if type(value) is str or type(value) is int:
            return value
    elif schema.go_type:
        special = _SPECIAL.get(schema.go_type)
        if special is not None:
            return special(value, struct, go_path, schema)
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


def _quantity(value: Any, struct: str, go_path: str, schema: Schema) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return quantity.canonical(str(value))
        except ValueError:
            pass
    raise CoercionError(_QUANTITY_RULE)


def _bytes(value: Any, struct: str, go_path: str, schema: Schema) -> str:
    if type(value) is not str:
        raise _mismatch(value, struct, go_path, schema)
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        bad = next((i for i, c in enumerate(value) if not (c.isascii() and (c.isalnum() or c in "+/="))), len(value))
        raise CoercionError(f"illegal base64 data at input byte {bad}") from None
    return value


def _time(value: Any, struct: str, go_path: str, schema: Schema) -> str:
    micro = schema.go_type == "v1.MicroTime"
    if type(value) is not str:
        raise _mismatch(value, struct, go_path, schema)
    if (_CANONICAL_MICRO_TIME if micro else _CANONICAL_TIME).fullmatch(value):
        return value
    layout = "2006-01-02T15:04:05.000000Z07:00" if micro else "2006-01-02T15:04:05Z07:00"
    try:
        if "T" not in value or not (value[-1:] == "Z" or value[-6:-5] in ("+", "-")):
            raise ValueError
        moment = datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(datetime.UTC)
    except ValueError:
        raise CoercionError(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"') from None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")


_SPECIAL = {"resource.Quantity": _quantity, "[]byte": _bytes, "v1.Time": _time, "v1.MicroTime": _time}


def _mismatch(value: Any, struct: str, go_path: str, schema: Schema) -> CoercionError:
    words = {"boolean": "bool", "integer": "number"}
    found = words.get(type_of(value), type_of(value))
    if found == "number" and schema.type == "integer":
        found = f"number {value}"
    wanted = schema.go_type or {"boolean": "bool", "integer": schema.format}.get(schema.type, schema.type)
    if schema.type == "object" and "." not in wanted and "[" not in wanted:
        wanted = f"v1.{wanted}"
    return CoercionError(f"json: cannot unmarshal {found} into Go struct field {struct}.{go_path} of type {wanted}")
