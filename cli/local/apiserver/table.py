"""`meta.k8s.io/v1` Table: the columns that `kubectl get` prints, computed here as a real API server does."""

import time
from typing import Any

import msgspec

from cli.local.apiserver import jsonpath
from cli.local.apiserver.columns import BUILTIN, human_duration, seconds_since
from cli.local.apiserver.registry import Column, ResourceType
from cli.local.apiserver.store import Stored

Json = dict[str, Any]


class Form(msgspec.Struct, frozen=True):
    """What the client accepts: "", "Table" or "PartialObjectMetadata"; `include` says what rows carry beside their
    cells.
    """

    kind: str = ""
    include: str = "Metadata"


def negotiate(accept: str, include: str) -> Form:
    """Read an Accept header; the first form that is known counts."""
    for choice in accept.split(","):
        parameters = dict(part.strip().partition("=")[::2] for part in choice.split(";")[1:])
        wanted = parameters.get("as", "")
        if wanted == "Table" and parameters.get("v", "v1") == "v1":
            return Form("Table", include or "Metadata")
        if wanted.startswith("PartialObjectMetadata") and parameters.get("v", "v1") == "v1":
            return Form("PartialObjectMetadata")
        if not wanted:
            return Form()
    return Form()


def render(rtype: ResourceType, items: list[Stored], meta: Json, include: str = "Metadata", head: bool = True) -> Json:
    """A Table object; without `head` the columns are left out, as in all but the first event of a watch."""
    columns, cells = BUILTIN.get(rtype.key) or (rtype.columns, None)
    now = time.time()
    rows = [
        {
            "cells": cells(item.obj, now) if cells else [_cell(column, item.obj, now) for column in columns],
            "object": _row_object(item, include),
        }
        for item in items
    ]
    definitions = [
        {
            "name": c.name,
            "type": c.type,
            "format": c.format,
            "description": c.description or c.name,
            "priority": c.priority,
        }
        for c in columns
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": definitions if head else None,
        "rows": rows,
    }


def _description(column: Column) -> str:
    if column.description or not column.path:
        return column.description or column.name
    return f"Custom resource definition column (in JSONPath format): {column.path}"


def metadata_only(obj: Json) -> bytes:
    """The object as PartialObjectMetadata."""
    return msgspec.json.encode(_partial(obj))


def _partial(obj: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _row_object(item: Stored, include: str) -> Any:
    if include == "None":
        return None
    return msgspec.Raw(item.raw) if include == "Object" else _partial(item.obj)


def _cell(column: Column, obj: Json, now: float) -> Any:
    values = jsonpath.find(column.path, obj)
    if not values or values[0] is None:
        return None
    value = values[0]
    if column.type == "string":
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if column.type == "date":
        return human_duration(seconds_since(value, now)) if isinstance(value, str) else None
    if column.type == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if column.type == "integer" else float(value)
