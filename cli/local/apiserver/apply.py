"""Server-side apply: merge a configuration into the live object, and keep account of who set which field.

Ownership by updates is recorded only for objects that have been applied at least once: before that nobody asks for it,
and it would cost every status write of every Pod. The first apply gives what is there to the manager
`before-first-apply`, as a real API server does with objects from before it tracked fields.
"""

from typing import Any

import msgspec

from cli.local.apiserver import errors, fieldsets
from cli.local.apiserver.fieldsets import FieldSet
from cli.local.apiserver.schema import ANY, Schema

Json = dict[str, Any]

_FIRST = "before-first-apply"
# What no manager owns: the object's identity and what the server sets.
_UNOWNED: FieldSet = {
    "f:apiVersion": {".": {}},
    "f:kind": {".": {}},
    "f:metadata": {
        f"f:{name}": {".": {}}
        for name in (
            "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
            "deletionGracePeriodSeconds", "managedFields", "selfLink", "generateName",
        )
    },
}  # fmt: skip

# What an object has that its creator need not have said; owned by the first manager, kubectl's move from client-side to
# server-side apply would ask to remove it.
_SET_BY_SERVER: FieldSet = {
    "f:spec": {
        f"f:{name}": {".": {}}
        for name in ("nodeName", "priority", "preemptionPolicy", "tolerations", "finalizers", "conversion")
    },
}


class Manager(msgspec.Struct, frozen=True):
    """Who writes: the key of an entry in managedFields."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""


def apply(schema: Schema, live: Json | None, config: Json, manager: Manager, now: str, *, force: bool) -> Json:
    """The object after applying `config`; `live` and `config` are consumed. Raises a 409 StatusError on conflicts."""
    wanted = _owned(schema, config)
    owners = _read(live or {})
    if live is None:
        merged = config
    else:
        if not owners:
            first = Manager(_FIRST, "Update", manager.api_version)
            said = {name: value for name, value in live.items() if name != "status"}
            owners[first] = (fieldsets.difference(_owned(schema, said), _SET_BY_SERVER), now)
        before = msgspec.json.decode(msgspec.json.encode(live))
        merged = merge(schema, live, config)
        changed, _ = fieldsets.changes(schema, before, merged)
        _settle_conflicts(owners, manager, fieldsets.intersection(changed, wanted), force=force)
    previous, since = owners.get(manager, ({}, now))
    others = [fields for other, (fields, _) in owners.items() if other != manager]
    merged = _prune(schema, merged, previous, wanted, others)
    owners[manager] = (wanted, since if previous == wanted else now)
    merged.setdefault("metadata", {})["managedFields"] = _write(owners)
    return merged


def track_update(schema: Schema, before: Json, after: Json, manager: Manager, now: str) -> None:
    """Record in `after` what an update changed, when the object's fields are tracked at all."""
    owners = _read(after)
    if not owners:
        return
    changed, removed = fieldsets.changes(schema, _without_ledger(before), _without_ledger(after))
    changed = fieldsets.difference(changed, _UNOWNED)
    removed = fieldsets.difference(removed, _UNOWNED)
    if not changed and not removed:
        return
    gone = fieldsets.union(changed, removed)
    owners = {
        other: (fieldsets.difference(fields, removed if other == manager else gone), since)
        for other, (fields, since) in owners.items()
    }
    if changed:
        own, _ = owners.get(manager, ({}, now))
        owners[manager] = (fieldsets.union(own, changed), now)
    after["metadata"]["managedFields"] = _write(owners)


def merge(schema: Schema, live: Any, config: Any) -> Any:
    """`live` with everything that `config` says; both are consumed."""
    if isinstance(live, dict) and isinstance(config, dict) and fieldsets.is_granular(schema, config):
        for name, value in config.items():
            live[name] = merge(schema.child(name) or ANY, live[name], value) if name in live else value
        return live
    if isinstance(live, list) and isinstance(config, list) and fieldsets.is_granular(schema, config):
        if schema.list_type == "set":
            return live + [item for item in config if item not in live]
        items = schema.items or ANY
        order = {fieldsets.item_key(schema, item): item for item in live}
        for item in config:
            key = fieldsets.item_key(schema, item)
            order[key] = merge(items, order[key], item) if key in order else item
        return list(order.values())
    return config


def _settle_conflicts(
    owners: dict[Manager, tuple[FieldSet, str]], manager: Manager, changed: FieldSet, *, force: bool
) -> None:
    """Take the changed fields from others when forced, else raise a 409 StatusError that names fields and managers."""
    conflicts: list[tuple[Manager, str]] = []
    for other, (fields, since) in list(owners.items()):
        if other == manager:
            continue
        common = fieldsets.intersection(fields, changed)
        if common and force:
            owners[other] = (fieldsets.difference(fields, common), since)
        elif common:
            conflicts += [(other, path) for path in fieldsets.paths(common)]
    if conflicts:
        raise _conflict_error(conflicts)


def _conflict_error(conflicts: list[tuple[Manager, str]]) -> errors.StatusError:
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_describe(other)}", "field": path}
        for other, path in conflicts
    ]
    if len(conflicts) == 1:
        message = f"Apply failed with 1 conflict: conflict with {_describe(conflicts[0][0])}: {conflicts[0][1]}"
        return errors.apply_conflict(message, causes)
    lines: dict[str, list[str]] = {}
    for other, path in conflicts:
        lines.setdefault(f"conflicts with {_describe(other)}:", []).append(f"- {path}")
    text = "\n".join("\n".join([head, *listed]) for head, listed in sorted(lines.items()))
    return errors.apply_conflict(f"Apply failed with {len(conflicts)} conflicts: {text}", causes)


def _describe(manager: Manager) -> str:
    text = f'"{manager.name}"'
    if manager.subresource:
        text += f' with subresource "{manager.subresource}"'
    return text if manager.operation == "Apply" else f"{text} using {manager.api_version}"


def _prune(schema: Schema, merged: Json, previous: FieldSet, wanted: FieldSet, others: list[FieldSet]) -> Json:
    """Remove what this manager set before, sets no more, and nobody else sets."""
    gone = fieldsets.difference(fieldsets.with_ancestors(previous), fieldsets.with_ancestors(wanted))
    for fields in others:
        gone = fieldsets.difference(gone, fieldsets.with_ancestors(fields))
    result: Json = fieldsets.remove(schema, merged, gone)
    return result


def _owned(schema: Schema, obj: Json) -> FieldSet:
    return fieldsets.difference(fieldsets.fields_of(schema, obj), _UNOWNED)


def _without_ledger(obj: Json) -> Json:
    return obj | {"metadata": {name: value for name, value in obj["metadata"].items() if name != "managedFields"}}


def _read(obj: Json) -> dict[Manager, tuple[FieldSet, str]]:
    owners: dict[Manager, tuple[FieldSet, str]] = {}
    for entry in obj.get("metadata", {}).get("managedFields") or ():
        manager = Manager(
            entry.get("manager", ""),
            entry.get("operation", ""),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )
        fields = entry.get("fieldsV1")
        owners[manager] = (fieldsets.from_fields_v1(fields) if fields else {}, entry.get("time", ""))
    return owners


def _write(owners: dict[Manager, tuple[FieldSet, str]]) -> list[Json]:
    entries: list[Json] = []
    for manager, (fields, since) in owners.items():
        if not fields:
            continue
        entry = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": since,
            "fieldsType": "FieldsV1",
            "fieldsV1": fieldsets.to_fields_v1(fields),
        }
        entries.append(entry | ({"subresource": manager.subresource} if manager.subresource else {}))
    return sorted(entries, key=lambda entry: (entry["operation"] != "Apply", entry["time"], entry["manager"]))
