"""Strategic merge patch: a merge patch that merges lists of objects by a key (Kubernetes, "Update API Objects in
Place").

Directives: `$patch: replace|delete|merge`, `$deleteFromPrimitiveList/<field>`, `$setElementOrder/<field>`,
`$retainKeys`.
"""

from typing import Any

from cli.local.apiserver.fielderrors import render
from cli.local.apiserver.patch import PatchError
from cli.local.apiserver.schema import ANY, Schema

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
    before = {name: list(value) for name, value in target.items() if isinstance(value, list)}
    _delete_primitives(target, patch)
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        child = schema.child(name) or ANY
        current = target.get(name)
        if value is None:
            target.pop(name, None)
        elif type(value) is not type(current):
            _set_new(target, name, value)
        elif isinstance(value, list):
            target[name] = _merge_list(child, current, value, name)
        else:
            target[name] = strategic_merge(child, current, value)
    _order_lists(schema, target, patch, before)
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
        return patch
    if not schema.merge_key:
        return current + [item for item in patch if item not in current]
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return _without_directives(patch)  # type: ignore[no-any-return]
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


def _set_new(target: dict[str, Any], name: str, value: Any) -> None:
    """A value that has nothing to merge with; one that is but a directive leaves nothing."""
    if isinstance(value, dict) and "$patch" in value:
        target.pop(name, None)
    else:
        target[name] = _without_directives(value)


def _without_directives(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_directives(item) for item in value if not (isinstance(item, dict) and "$patch" in item)]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for name, item in value.items():
        if not name.startswith("$") and item is not None:
            _set_new(result, name, item)
    return result


def _order_lists(schema: Schema, target: dict[str, Any], patch: dict[str, Any], before: dict[str, list[Any]]) -> None:
    """Order merged lists by `$setElementOrder`, or by the patch itself."""
    for name, order in patch.items():
        field = name.removeprefix(_ORDER)
        child, current = schema.child(field), target.get(field)
        if child is None or not child.strategy_merge or not isinstance(current, list) or not isinstance(order, list):
            continue
        if field == name and f"{_ORDER}{name}" in patch:
            continue
        key = child.merge_key
        wanted = [item.get(key) if key and isinstance(item, dict) else item for item in order]
        target[field] = _ordered(current, wanted, before.get(field, []), key)


def _ordered(items: list[Any], wanted: list[Any], before: list[Any], key: str) -> list[Any]:
    """Items that the patch names in its order, between them the others, in the order that all had before.

    Of two neighbours from either side the one that stood first before goes first; new items go before old ones.
    """

    def identity(item: Any) -> str:
        return render(item.get(key) if key and isinstance(item, dict) else item)

    rank = {identity(item): index for index, item in enumerate(before)}
    order = {render(each): index for index, each in enumerate(wanted)}
    named = sorted((item for item in items if identity(item) in order), key=lambda item: order[identity(item)])
    others = [item for item in items if identity(item) not in order]
    result: list[Any] = []
    while named and others:
        left, right = rank.get(identity(others[0])), rank.get(identity(named[0]))
        source = others if left is not None and right is not None and left < right else named
        result.append(source.pop(0))
    return result + named + others
