"""Strategic merge patch: a merge patch that merges lists of objects by a key (Kubernetes, "Update API Objects in
Place").

Directives: `$patch: replace|delete|merge`, `$deleteFromPrimitiveList/<field>`, `$setElementOrder/<field>`,
`$retainKeys`.
"""

from typing import Any

from cli.local.apiserver.patch import PatchError, merge_patch
from cli.local.apiserver.schema import Schema

_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_RETAIN = "$retainKeys"


def strategic_merge(schema: Schema, target: Any, patch: Any) -> Any:
    """Apply `patch` to `target`, which is consumed, by the merge keys of the schema. Raises PatchError."""
    if not isinstance(patch, dict):
        return patch
    if not isinstance(target, dict):
        target = {}
    directive = patch.get("$patch")
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise PatchError(f"unknown $patch directive {directive!r}: use merge, replace or delete")
    if _RETAIN in patch:
        kept = patch[_RETAIN]
        target = {name: value for name, value in target.items() if name in kept}
    _delete_primitives(target, patch)
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        child = schema.child(name)
        if value is None:
            target.pop(name, None)
        elif child is None:
            target[name] = merge_patch(target.get(name), value)
        elif isinstance(value, list):
            target[name] = _merge_list(child, target.get(name), value, name)
        else:
            target[name] = strategic_merge(child, target.get(name), value)
    _order_lists(schema, target, patch)
    return target


def _delete_primitives(target: dict[str, Any], patch: dict[str, Any]) -> None:
    for name, doomed in patch.items():
        if name.startswith(_DELETE_PRIMITIVES):
            field = name.removeprefix(_DELETE_PRIMITIVES)
            if isinstance(target.get(field), list):
                target[field] = [item for item in target[field] if item not in doomed]


def _merge_list(schema: Schema, target: Any, patch: list[Any], name: str) -> list[Any]:
    current: list[Any] = target if isinstance(target, list) else []
    if not schema.strategy_merge:
        return [_without_directives(item) for item in patch]
    if not schema.merge_key:
        return current + [item for item in patch if item not in current]
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [_without_directives(item) for item in patch if not (isinstance(item, dict) and set(item) == {"$patch"})]
    return _merge_by_key(schema, current, patch, name)


def _merge_by_key(schema: Schema, result: list[Any], patch: list[Any], name: str) -> list[Any]:
    key = schema.merge_key
    items = schema.items
    for item in patch:
        if not isinstance(item, dict):
            raise PatchError(f"{name} is a list of objects, the patch has {item!r}")
        if key not in item:
            raise PatchError(f"map: {item!r} does not contain declared merge key: {key}")
        at = next((i for i, old in enumerate(result) if isinstance(old, dict) and old.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            result = [old for old in result if not (isinstance(old, dict) and old.get(key) == item[key])]
        elif at is None:
            result.append(_without_directives(item))
        elif items is not None:
            result[at] = strategic_merge(items, result[at], item)
    return result


def _without_directives(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_directives(v) for k, v in value.items() if not k.startswith("$") and v is not None}
    return value


def _order_lists(schema: Schema, target: dict[str, Any], patch: dict[str, Any]) -> None:
    for name, order in patch.items():
        field = name.removeprefix(_ORDER)
        child = schema.child(field)
        current = target.get(field)
        if not name.startswith(_ORDER) or child is None or not isinstance(current, list) or not isinstance(order, list):
            continue
        key = child.merge_key
        wanted = [item.get(key) if key and isinstance(item, dict) else item for item in order]
        target[field] = _ordered(current, wanted, key)


def _ordered(items: list[Any], wanted: list[Any], key: str) -> list[Any]:
    """Items named by `wanted` in its order; the others stay after the item that they followed."""

    def identity(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    named = sorted((i for i in items if identity(i) in wanted), key=lambda item: wanted.index(identity(item)))
    others: dict[int, list[Any]] = {}
    last = -1
    for item in items:
        if identity(item) in wanted:
            last = wanted.index(identity(item))
        else:
            others.setdefault(last, []).append(item)
    result = list(others.get(-1, []))
    for item in named:
        result.append(item)
        result += others.get(wanted.index(identity(item)), [])
    return result
