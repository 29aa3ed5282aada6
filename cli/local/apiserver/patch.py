"""JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7386). Both work on a tree of their own: the caller passes a fresh
copy.
"""

import copy
from typing import Any


class PatchError(Exception):
    """The patch cannot be applied; the message says which operation and why."""


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply an RFC 7386 patch and return the result; `target` is consumed."""
    if not isinstance(patch, dict):
        return patch
    result: dict[str, Any] = target if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def json_patch(target: Any, operations: Any) -> Any:
    """Apply RFC 6902 operations in order and return the result; `target` is consumed. Raises PatchError."""
    if not isinstance(operations, list):
        raise PatchError("a JSON patch is an array of operations")
    for operation in operations:
        if not isinstance(operation, dict):
            raise PatchError("an operation of a JSON patch is an object")
        target = _apply(target, operation)
    return target


def _apply(document: Any, operation: dict[str, Any]) -> Any:
    name = operation.get("op")
    path = _pointer(operation, "path")
    if name in ("add", "replace", "test") and "value" not in operation:
        raise PatchError(f"{name} operation needs a value")
    if name == "add":
        return _add(document, path, operation["value"])
    if name == "remove":
        return _remove(document, path)
    if name == "replace":
        _find(document, path, "replace")
        return _put(document, path, operation["value"])
    if name == "test":
        if not _equal(_find(document, path, "test"), operation["value"]):
            raise PatchError(f"testing value {operation['path']} failed: test failed")
        return document
    if name in ("move", "copy"):
        source = _pointer(operation, "from")
        value = copy.deepcopy(_find(document, source, name))
        if name == "move":
            if path[: len(source)] == source and path != source:
                raise PatchError(f"cannot move {operation['from']} into itself")
            document = _remove(document, source)
        return _add(document, path, value)
    raise PatchError(f"Unexpected kind: {name}")


def _pointer(operation: dict[str, Any], field: str) -> list[str]:
    text = operation.get(field)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise PatchError(f"{field} of a JSON patch operation must be a JSON pointer (RFC 6901), found {text!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _missing(verb: str, path: list[str]) -> PatchError:
    pointer = "".join(f"/{part}" for part in path)
    return PatchError(f"{verb} operation does not apply: doc is missing path: {pointer}: missing value")


def _find(document: Any, path: list[str], verb: str) -> Any:
    for part in path:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and _is_index(part) and int(part) < len(document):
            document = document[int(part)]
        else:
            raise _missing(verb, path)
    return document


def _is_index(part: str) -> bool:
    return part == "0" or (part.isascii() and part.isdigit() and part[0] != "0")


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _find(document, path[:-1], "add")
    last = path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        if last == "-":
            parent.append(value)
        elif _is_index(last) and int(last) <= len(parent):
            parent.insert(int(last), value)
        else:
            raise PatchError(f"add operation does not apply: index {last} is out of bounds")
    else:
        raise _missing("add", path)
    return document


def _put(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _find(document, path[:-1], "replace")
    if isinstance(parent, list):
        parent[int(path[-1])] = value
    else:
        parent[path[-1]] = value
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        return None
    _find(document, path, "remove")
    parent = _find(document, path[:-1], "remove")
    if isinstance(parent, list):
        del parent[int(path[-1])]
    else:
        del parent[path[-1]]
    return document


def _equal(left: Any, right: Any) -> bool:
    # In Python True == 1, in JSON they differ (RFC 6902 section 4.6).
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_equal(a, b) for a, b in zip(left, right, strict=True))
    return bool(left == right)
