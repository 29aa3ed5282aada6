"""Finds fields of a user's document that a struct does not have, and guesses which one was meant."""

import difflib
from typing import Any

from msgspec import inspect


def unknown_fields(type_: Any, document: Any) -> list[str]:
    """One sentence a field that ``type_`` has not, with its path and the nearest known name; empty when there is none.

    Metadata is the API server's and is not judged here.
    """
    return _walk(inspect.type_info(type_), document, "")


def _walk(info: inspect.Type, value: Any, path: str) -> list[str]:
    if isinstance(info, inspect.Metadata):
        return _walk(info.type, value, path)
    if isinstance(info, inspect.UnionType):
        return next((_walk(t, value, path) for t in info.types if _fits(t, value)), [])
    if isinstance(info, inspect.StructType) and isinstance(value, dict):
        return _struct(info, value, path)
    if isinstance(info, inspect.ListType) and isinstance(value, list):
        return [p for index, item in enumerate(value) for p in _walk(info.item_type, item, f"{path}[{index}]")]
    if isinstance(info, inspect.DictType) and isinstance(value, dict):
        return [p for key, item in value.items() for p in _walk(info.value_type, item, f"{path}.{key}")]
    return []


def _struct(info: inspect.StructType, value: dict[str, Any], path: str) -> list[str]:
    known = {f.encode_name: f.type for f in info.fields}
    problems = []
    for key, item in value.items():
        where = f"{path}.{key}" if path else str(key)
        if where == "metadata":
            continue
        if key in known:
            problems += _walk(known[key], item, where)
        else:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
            problems.append(
                f"{where}: unknown field"
                + (f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}")
            )
    return problems


def _fits(info: inspect.Type, value: Any) -> bool:
    return isinstance(info, inspect.StructType | inspect.DictType) == isinstance(value, dict) and not isinstance(
        info, inspect.NoneType
    )


__all__ = ["unknown_fields"]
