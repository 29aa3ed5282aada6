"""Fingerprints of the messages' shapes: ``python -m tests.contracts.fingerprints`` stores those of new versions.

A stored one is never changed: a message of another shape needs another version, which readers can tell apart.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT

from services.contracts import errors, events, messages, runs

STORED = Path(__file__).parent / "fingerprints.json"


def message_types() -> Iterator[type[msgspec.Struct]]:
    """All structs that cross the bus."""
    for module in (messages, events, runs):
        yield from _structs(module)
    yield errors.ErrorBody


def _structs(module: ModuleType) -> Iterator[type[msgspec.Struct]]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, msgspec.Struct) and value.__module__ == module.__name__:
            yield value


def key(type_: type[msgspec.Struct]) -> str:
    """Name and version; a part without a version of its own counts as version 0 and changes what it is part of."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(type_)}
    return f"{type_.__name__}/{defaults.get('version', defaults.get('specversion', 0))}"


def fingerprint(type_: type[msgspec.Struct]) -> str:
    """A hash over the wire names, types, limits and defaults of all fields, those of parts included."""
    return hashlib.sha256(json.dumps(_shape(type_)).encode()).hexdigest()[:16]


def _shape(type_: Any, within: tuple[type, ...] = ()) -> Any:
    """A type as JSON that is the same in every version of Python. ``within``: the structs that it is a part of."""
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        if type_ in within:
            return ["itself", type_.__name__]
        config = type_.__struct_config__
        fields = sorted(_field(field, (*within, type_)) for field in msgspec.structs.fields(type_))
        return ["struct", config.array_like, config.tag, fields]
    origin = get_origin(type_)
    if origin is None:
        return getattr(type_, "__name__", repr(type_))
    if origin is Annotated:
        return [
            "annotated",
            *(_shape(part, within) if part is type_.__origin__ else repr(part) for part in get_args(type_)),
        ]
    name = "union" if origin in (Union, UnionType) else getattr(origin, "__name__", repr(origin))
    return [name, *(part if isinstance(part, str) else _shape(part, within) for part in get_args(type_))]


def _field(field: msgspec.structs.FieldInfo, within: tuple[type, ...]) -> list[str]:
    default = "factory" if field.default is NODEFAULT else repr(field.default)
    return [field.encode_name, "required" if field.required else default, json.dumps(_shape(field.type, within))]


def main() -> None:
    """Adds the fingerprints of versions that have none yet."""
    stored: dict[str, str] = json.loads(STORED.read_text()) if STORED.exists() else {}
    for type_ in message_types():
        stored.setdefault(key(type_), fingerprint(type_))
    STORED.write_text(json.dumps(stored, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
