"""Validation of values against structural schemas, with the messages of the real API server."""

import base64
import binascii
import datetime
import ipaddress
import re
from collections.abc import Callable
from typing import Any

from cli.local.apiserver import fielderrors
from cli.local.apiserver.fielderrors import FieldError, render
from cli.local.apiserver.schema import Schema


def validate(schema: Schema, value: Any, path: str = "") -> list[FieldError]:
    """All errors of a custom resource's value; an empty list when it is valid."""
    errors: list[FieldError] = []
    _validate(schema, value, path, errors)
    return errors


def type_of(value: Any) -> str:
    """The JSON type of a decoded value, in the words of OpenAPI."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _validate(schema: Schema, value: Any, path: str, errors: list[FieldError]) -> None:
    if value is None and schema.nullable:
        return
    if not _type_fits(schema, value):
        wanted = "integer,string" if schema.int_or_string else schema.type
        actual = type_of(value)
        detail = f'{_name(path)} must be of type {wanted}: "{actual}"'
        errors.append(fielderrors.wrong_type(path, actual, detail))
        return
    if isinstance(value, int) and schema.format in _RANGES and not _RANGES[schema.format](value):
        wider = "int64" if schema.format == "int32" else "number"
        detail = f'{_name(path)} must be of type {schema.format}: "{wider}"'
        errors.append(fielderrors.wrong_type(path, wider, detail))
        return
    if schema.enum is not None and not any(_same(value, allowed) for allowed in schema.enum):
        supported = [a if isinstance(a, str) else render(a) for a in schema.enum]
        errors.append(fielderrors.not_supported(path, value, supported))
    if isinstance(value, dict):
        _validate_object(schema, value, path, errors)
    elif isinstance(value, list):
        _validate_array(schema, value, path, errors)
    elif isinstance(value, str):
        _validate_string(schema, value, path, errors)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _validate_number(schema, value, path, errors)
    if schema.alternatives:
        _validate_alternatives(schema, value, path, errors)


def _type_fits(schema: Schema, value: Any) -> bool:
    if schema.int_or_string:
        return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
    if not schema.type:
        return True
    actual = type_of(value)
    if schema.type == "number":
        return actual in ("number", "integer")
    if schema.type == "integer" and actual == "number":
        return bool(value == int(value)) if abs(value) < 1e18 else False
    return actual == schema.type


def _validate_object(schema: Schema, value: dict[str, Any], path: str, errors: list[FieldError]) -> None:
    for name in schema.required:
        if name not in value:
            errors.append(fielderrors.required(_join(path, name)))
    if schema.min_properties is not None and len(value) < schema.min_properties:
        detail = f"{_name(path)} should have at least {schema.min_properties} properties"
        errors.append(fielderrors.invalid_value(path, len(value), detail))
    if schema.max_properties is not None and len(value) > schema.max_properties:
        errors.append(fielderrors.too_many(path, len(value), schema.max_properties))
    for name, item in value.items():
        child = schema.properties.get(name) or schema.additional
        if child is not None:
            _validate(child, item, _join(path, name), errors)


def _validate_array(schema: Schema, value: list[Any], path: str, errors: list[FieldError]) -> None:
    if schema.min_items is not None and len(value) < schema.min_items:
        detail = f"{_name(path)} should have at least {schema.min_items} items"
        errors.append(fielderrors.invalid_value(path, len(value), detail))
    if schema.max_items is not None and len(value) > schema.max_items:
        errors.append(fielderrors.too_many(path, len(value), schema.max_items))
    if schema.list_type == "set":
        _find_duplicates([render(item) for item in value], value, path, errors)
    elif schema.list_type == "map":
        keys = [{k: item.get(k) for k in schema.map_keys} if isinstance(item, dict) else item for item in value]
        _find_duplicates([render(key) for key in keys], keys, path, errors)
    if schema.items is not None:
        for index, item in enumerate(value):
            _validate(schema.items, item, f"{path}[{index}]", errors)


def _find_duplicates(texts: list[str], shown: list[Any], path: str, errors: list[FieldError]) -> None:
    seen: set[str] = set()
    for index, text in enumerate(texts):
        if text in seen:
            errors.append(fielderrors.duplicate(f"{path}[{index}]", shown[index]))
        seen.add(text)


def _validate_string(schema: Schema, value: str, path: str, errors: list[FieldError]) -> None:
    if schema.min_length is not None and len(value) < schema.min_length:
        detail = f"{_name(path)} should be at least {schema.min_length} chars long"
        errors.append(fielderrors.invalid_value(path, value, detail))
    if schema.max_length is not None and len(value) > schema.max_length:
        errors.append(fielderrors.too_long(path, schema.max_length))
    if schema.pattern is not None and schema.pattern.search(value) is None:
        errors.append(fielderrors.invalid_value(path, value, f"{_name(path)} should match '{schema.pattern_text}'"))
    if schema.format in _FORMATS and not _FORMATS[schema.format](value):
        detail = f"{_name(path)} must be of type {schema.format}: {render(value)}"
        errors.append(fielderrors.invalid_value(path, value, detail))


def _validate_number(schema: Schema, value: float, path: str, errors: list[FieldError]) -> None:
    low, high = schema.minimum, schema.maximum
    problem = ""
    if high is not None and (value > high or (schema.exclusive_maximum and value == high)):
        problem = f"less than {'' if schema.exclusive_maximum else 'or equal to '}{_number(high)}"
    elif low is not None and (value < low or (schema.exclusive_minimum and value == low)):
        problem = f"greater than {'' if schema.exclusive_minimum else 'or equal to '}{_number(low)}"
    elif schema.multiple_of and (value / schema.multiple_of) % 1 != 0:
        problem = f"a multiple of {_number(schema.multiple_of)}"
    if problem:
        errors.append(fielderrors.invalid_value(path, value, f"{_name(path)} should be {problem}"))


def _validate_alternatives(schema: Schema, value: Any, path: str, errors: list[FieldError]) -> None:
    for sub in schema.alternatives.get("allOf", ()):
        _validate(sub, value, path, errors)
    matching = {
        word: sum(not validate(sub, value, path) for sub in schema.alternatives.get(word, ()))
        for word in ("anyOf", "oneOf", "not")
    }
    if "anyOf" in schema.alternatives and matching["anyOf"] == 0:
        detail = f"{_name(path)} must validate at least one schema (anyOf)"
        errors.append(fielderrors.invalid_value(path, value, detail))
    if "oneOf" in schema.alternatives and matching["oneOf"] != 1:
        found = "Found none valid" if matching["oneOf"] == 0 else f"Found {matching['oneOf']} valid alternatives"
        detail = f"{_name(path)} must validate one and only one schema (oneOf). {found}"
        errors.append(fielderrors.invalid_value(path, value, detail))
    if matching["not"]:
        errors.append(fielderrors.invalid_value(path, value, f"{_name(path)} must not validate the schema (not)"))


def _same(value: Any, allowed: Any) -> bool:
    return bool(value == allowed) and isinstance(value, bool) == isinstance(allowed, bool)


def _name(path: str) -> str:
    return f"{path} in body"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return check


_DURATION = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*|0")
_UUID = re.compile(r"(?i)[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S*|/\S*")

_FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _parses(
        lambda text: datetime.datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
    ),
    "date": _parses(datetime.date.fromisoformat),
    "byte": _parses(lambda text: base64.b64decode(text, validate=True)),
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "cidr": _parses(lambda text: ipaddress.ip_network(text, strict=False)),
    "duration": lambda text: _DURATION.fullmatch(text) is not None,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "uri": lambda text: _URI.fullmatch(text) is not None,
}
_RANGES: dict[str, Callable[[int], bool]] = {
    "int32": lambda value: -(2**31) <= value < 2**31,
    "int64": lambda value: -(2**63) <= value < 2**63,
}
