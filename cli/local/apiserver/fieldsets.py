"""Sets of fields, as server-side apply keeps them in `metadata.managedFields` (FieldsV1).

A set is a tree: `f:<name>` for a field, `k:<keys as JSON>` for an item of a list merged by keys, `v:<value as JSON>`
for a member of a list that is a set. Here "." marks a node that is itself in the set; FieldsV1 writes a node that is
nothing but that as `{}`.
"""

from typing import Any

import msgspec

from cli.local.apiserver.schema import ANY, Schema

Json = dict[str, Any]
FieldSet = dict[str, Any]

SELF = "."
_LEAF: FieldSet = {SELF: {}}


def from_fields_v1(fields: Json) -> FieldSet:
    """Read FieldsV1."""
    if not fields:
        return dict(_LEAF)
    return {name: {} if name == SELF else from_fields_v1(child) for name, child in fields.items()}


def to_fields_v1(fields: FieldSet) -> Json:
    """Write FieldsV1."""
    return {
        name: {} if name == SELF or child == _LEAF else to_fields_v1(child) for name, child in sorted(fields.items())
    }


def fields_of(schema: Schema, value: Any) -> FieldSet:
    """The fields that `value` sets. Lists and maps of one piece, and empty ones, count as one field."""
    if isinstance(value, dict) and value and is_granular(schema, value):
        found = {f"f:{name}": fields_of(schema.child(name) or ANY, child) for name, child in value.items()}
        return found or dict(_LEAF)
    if isinstance(value, list) and value and is_granular(schema, value):
        items = schema.items or ANY
        if schema.list_type == "set":
            return {f"v:{_json(item)}": dict(_LEAF) for item in value}
        return {item_key(schema, item): {SELF: {}, **fields_of(items, item)} for item in value}
    return dict(_LEAF)


def is_granular(schema: Schema, value: Any) -> bool:
    """Whether parts of the value have owners of their own."""
    if isinstance(value, dict):
        return schema.map_type != "atomic"
    if schema.list_type == "map":
        return all(isinstance(item, dict) for item in value)
    return schema.list_type == "set"


def item_key(schema: Schema, item: Json) -> str:
    """`k:{"name":"a"}`: what tells an item of a list from the others."""
    keys = {name: item.get(name, _key_default(schema, name)) for name in sorted(schema.map_keys)}
    return f"k:{_json(keys)}"


def _key_default(schema: Schema, name: str) -> Any:
    child = schema.items.child(name) if schema.items is not None else None
    return child.default if child is not None and child.has_default else "TCP" if name == "protocol" else None


def changes(schema: Schema, old: Any, new: Any) -> tuple[FieldSet, FieldSet]:
    """The fields that `new` adds or changes, and those that it removes."""
    if old == new:
        return {}, {}
    if isinstance(old, dict) and isinstance(new, dict) and is_granular(schema, new):
        before = {f"f:{name}": (schema.child(name) or ANY, value) for name, value in old.items()}
        after = {f"f:{name}": (schema.child(name) or ANY, value) for name, value in new.items()}
        return _compare(before, after, in_list=False)
    if isinstance(old, list) and isinstance(new, list) and is_granular(schema, new) and is_granular(schema, old):
        items = schema.items or ANY
        if schema.list_type == "set":
            return _compare(
                {f"v:{_json(v)}": (ANY, v) for v in old}, {f"v:{_json(v)}": (ANY, v) for v in new}, in_list=False
            )
        before = {item_key(schema, item): (items, item) for item in old}
        after = {item_key(schema, item): (items, item) for item in new}
        return _compare(before, after, in_list=True)
    return fields_of(schema, new), {}


_Parts = dict[str, tuple[Schema, Any]]


def _compare(before: _Parts, after: _Parts, *, in_list: bool) -> tuple[FieldSet, FieldSet]:
    changed: FieldSet = {}
    removed: FieldSet = {}
    itself: FieldSet = {SELF: {}} if in_list else {}
    for name, (schema, value) in after.items():
        if name not in before:
            changed[name] = itself | fields_of(schema, value)
        else:
            inner, gone = changes(schema, before[name][1], value)
            if inner:
                changed[name] = inner
            if gone:
                removed[name] = gone
    for name, (schema, value) in before.items():
        if name not in after:
            removed[name] = {SELF: {}} | fields_of(schema, value)
    return changed, removed


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    merged = dict(left)
    for name, child in right.items():
        merged[name] = union(merged[name], child) if name in merged else child
    return merged


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """What is in `left` and not in `right`."""
    found: FieldSet = {}
    for name, child in left.items():
        if name == SELF:
            if SELF not in right:
                found[SELF] = {}
        elif name not in right:
            found[name] = child
        elif rest := difference(child, right[name]):
            found[name] = rest
    return found


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    found: FieldSet = {}
    for name, child in left.items():
        if name in right:
            if name == SELF:
                found[SELF] = {}
            elif common := intersection(child, right[name]):
                found[name] = common
    return found


def with_ancestors(fields: FieldSet) -> FieldSet:
    """The set and every node on the way to its members."""
    return {name: {} if name == SELF else {SELF: {}, **with_ancestors(child)} for name, child in fields.items()}


def paths(fields: FieldSet, prefix: str = "") -> list[str]:
    """Members as text: `.spec.containers[name="a"].image`."""
    found: list[str] = []
    for name, child in fields.items():
        if name == SELF:
            found.append(prefix)
        elif name.startswith("f:"):
            found += paths(child, f"{prefix}.{name[2:]}")
        elif name.startswith("v:"):
            found += paths(child, f"{prefix}[={name[2:]}]")
        else:
            keys = msgspec.json.decode(name[2:])
            found += paths(child, f"{prefix}[{','.join(f'{k}={_json(v)}' for k, v in keys.items())}]")
    return found


def remove(schema: Schema, value: Any, fields: FieldSet) -> Any:
    """`value` without the members of the set; `value` is consumed."""
    if isinstance(value, dict):
        for name, child in fields.items():
            field = name[2:]
            if name.startswith("f:") and field in value:
                if SELF in child:
                    del value[field]
                else:
                    value[field] = remove(schema.child(field) or ANY, value[field], child)
    elif isinstance(value, list) and schema.list_type == "set":
        return [item for item in value if f"v:{_json(item)}" not in fields]
    elif isinstance(value, list) and is_granular(schema, value):
        items = schema.items or ANY
        kept = [(item_key(schema, item), item) for item in value]
        return [remove(items, item, fields.get(key, {})) for key, item in kept if SELF not in fields.get(key, {})]
    return value


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
