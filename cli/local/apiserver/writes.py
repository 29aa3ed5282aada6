"""Create and update: from a decoded object to a committed one. Nothing here awaits, so each call is atomic."""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from cli.local.apiserver import errors, metadata, rules
from cli.local.apiserver.apply import Manager, track_update
from cli.local.apiserver.builtin import OBJECT_META
from cli.local.apiserver.coerce import CoercionError, coerce, undecodable
from cli.local.apiserver.fielderrors import FieldError, invalid_value
from cli.local.apiserver.options import WriteOptions
from cli.local.apiserver.registry import ResourceType
from cli.local.apiserver.schema import apply_defaults, drop_nulls, prune
from cli.local.apiserver.store import Key, Store, Stored
from cli.local.apiserver.strategies import PLAIN, Strategy
from cli.local.apiserver.validation import validate

Json = dict[str, Any]
Change = Callable[[Json], Json]

_GENERATED_NAME_ATTEMPTS = 8
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Writer:
    """Writes objects by the rules of their type; `changed` hears of each commit, with the old and the new state."""

    def __init__(self, store: Store, strategies: dict[str, Strategy]) -> None:
        self.store = store
        self.strategies = strategies
        self.changed: Callable[[ResourceType, Stored | None, Stored | None], None] = lambda rtype, old, new: None
        self.remove: Callable[[ResourceType, Stored], Stored] = lambda rtype, stored: stored

    def create(self, rtype: ResourceType, namespace: str, obj: Json, options: WriteOptions) -> Stored:
        """Commit a new object. Raises StatusError: 400, 403, 404 (no such namespace), 409, 422."""
        obj = self.shape(rtype, obj, options)
        meta = obj["metadata"]
        metadata.set_namespace(rtype, meta, namespace)
        self.check_namespace(rtype, namespace, meta.get("name", ""))
        if meta.get("resourceVersion"):
            raise errors.StatusError(500, "", "resourceVersion should not be set on objects to be created")
        meta.pop("resourceVersion", None)
        key = self._name(rtype, namespace, meta)
        if rtype.custom and rtype.has_status:
            obj.pop("status", None)
        self._strategy(rtype).prepare(obj, None)
        self._check(rtype, obj, None)
        if self.store.get(rtype.key, key) is not None:
            raise errors.already_exists(rtype.group, rtype.plural, key[1])
        if options.dry_run:
            return Stored(key, 0, 0, obj, msgspec.json.encode(obj))
        stored = self.store.create(rtype.key, key, obj)
        self.changed(rtype, None, stored)
        return stored

    def update(
        self, rtype: ResourceType, key: Key, change: Change, options: WriteOptions, subresource: str = ""
    ) -> Stored:
        """Commit what `change` makes of a copy of the stored object. Raises StatusError: 400, 404, 409, 422."""
        old = self.store.get(rtype.key, key)
        if old is None:
            raise errors.not_found(rtype.group, rtype.plural, key[1])
        before = _decode(old.raw)
        changed = change(_decode(old.raw))
        try:
            obj = self.shape(rtype, changed, options)
        except errors.StatusError as error:
            raise _as_patch_error(error, options) from None
        meta = obj["metadata"]
        if meta.get("name", key[1]) != key[1]:
            message = f"the name of the object ({meta['name']}) does not match the name on the URL ({key[1]})"
            raise errors.bad_request(message)
        metadata.set_namespace(rtype, meta, key[0])
        metadata.check_version(rtype, meta.get("resourceVersion", ""), key[1], old.version)
        obj = _restrict(rtype, obj, before, subresource)
        metadata.carry_over(rtype, obj["metadata"], before["metadata"], patch=options.patch is not None)
        self._strategy(rtype).prepare(obj, before)
        if subresource != "binding":  # the one way to change what is immutable to everybody else: a Pod's node
            self._check(rtype, obj, before)
        if not options.applies and "managedFields" in obj["metadata"]:
            manager = Manager(options.manager, "Update", rtype.api_version, subresource)
            track_update(rtype.schema, before, obj, manager, metadata.timestamp(time.time()))
        return self._commit(rtype, old, obj, options)

    def shape(self, rtype: ResourceType, obj: Json, options: WriteOptions, *, defaults: bool = True) -> Json:
        """Check kind and types, drop or refuse unknown fields, set the schema's defaults; returns the object in stored
        order.
        """
        _check_kind(rtype, obj)
        rest = {name: value for name, value in obj.items() if name not in ("kind", "apiVersion", "metadata")}
        obj = {"kind": rtype.kind, "apiVersion": rtype.api_version, "metadata": obj.get("metadata") or {}, **rest}
        try:
            if rtype.custom:
                if not isinstance(obj["metadata"], dict):
                    raise CoercionError("json: cannot unmarshal metadata: it must be an object")
                unknown = [f"metadata.{name}" for name in coerce(OBJECT_META, obj["metadata"], fill=defaults)]
                unknown += prune(rtype.schema, obj)
                drop_nulls(rtype.schema, obj)
                if defaults:
                    apply_defaults(rtype.schema, obj)
            else:
                unknown = coerce(rtype.schema, obj, fill=defaults)
        except CoercionError as error:
            raise undecodable(rtype.kind, rtype.version, str(error)) from None
        if unknown and options.field_validation == "Strict":
            listed = ", ".join(f'unknown field "{path}"' for path in unknown)
            raise undecodable(rtype.kind, rtype.version, f"strict decoding error: {listed}")
        if unknown and options.field_validation == "Warn":
            options.warnings += [f'unknown field "{path}"' for path in unknown]
        obj.setdefault("metadata", {})
        return obj

    def check_namespace(self, rtype: ResourceType, namespace: str, name: str) -> None:
        """Raise a StatusError unless the namespace exists and takes new objects."""
        if not rtype.namespaced:
            return
        stored = self.store.get("namespaces", ("", namespace))
        if stored is None:
            raise errors.not_found("", "namespaces", namespace)
        if stored.obj["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated",
                     "field": "metadata.namespace"}  # fmt: skip
            raise errors.forbidden(rtype.group, rtype.plural, name, why, [cause])

    def _name(self, rtype: ResourceType, namespace: str, meta: Json) -> Key:
        generated = not meta.get("name")
        metadata.initialize(rtype, meta, time.time())
        metadata.check_name(rtype, meta)
        for _ in range(_GENERATED_NAME_ATTEMPTS):
            key = (namespace if rtype.namespaced else "", meta.get("name", ""))
            if not generated or self.store.get(rtype.key, key) is None:
                break
            meta["name"] = ""
            metadata.initialize(rtype, meta, time.time())
        return key

    def _strategy(self, rtype: ResourceType) -> Strategy:
        return self.strategies.get(rtype.key, PLAIN)

    def _check(self, rtype: ResourceType, obj: Json, before: Json | None) -> None:
        found: list[FieldError] = metadata.errors(rtype, obj["metadata"], before and before["metadata"])
        if rtype.custom:
            found += validate(rtype.schema, obj)
            if rtype.schema.has_rules:
                found += rules.check(rtype.schema, obj, before, found)
        else:
            found += self._strategy(rtype).validate(obj, before)
        if found:
            raise errors.invalid(rtype.group, rtype.kind, obj["metadata"].get("name", ""), found)

    def _commit(self, rtype: ResourceType, old: Stored, obj: Json, options: WriteOptions) -> Stored:
        meta = obj["metadata"]
        meta["resourceVersion"] = old.obj["metadata"]["resourceVersion"]
        if obj == old.obj:
            return old  # nothing changed: no write, no event, the same resourceVersion, as the real one does
        if rtype.counts_generations and _desired(rtype, obj) != _desired(rtype, old.obj):
            meta["generation"] = meta.get("generation", 0) + 1
        if options.dry_run:
            return Stored(old.key, old.row, old.version, obj, msgspec.json.encode(obj))
        if meta.get("deletionTimestamp") and not meta.get("finalizers") and not meta.get("deletionGracePeriodSeconds"):
            self.remove(rtype, old)
            return Stored(old.key, old.row, old.version, obj, msgspec.json.encode(obj))
        stored = self.store.update(rtype.key, old, obj)
        self.changed(rtype, old, stored)
        return stored


def _as_patch_error(error: errors.StatusError, options: WriteOptions) -> errors.StatusError:
    """What cannot be decoded after a patch is the patch's fault: 422 and not 400."""
    if options.patch is None or error.code != 400:
        return error
    why = error.message.partition(": ")[2] or error.message
    return errors.invalid("", "", "", [invalid_value("patch", options.patch, why)])


def _check_kind(rtype: ResourceType, obj: Json) -> None:
    version, kind = obj.get("apiVersion"), obj.get("kind")
    if rtype.custom and not (version and kind):
        missing = "apiVersion" if kind else "Kind"
        raise errors.bad_request(f"Object '{missing}' is missing in '{msgspec.json.encode(obj).decode()[:200]}'")
    if version and version != rtype.api_version:
        raise errors.bad_request(
            f"the API version in the data ({version}) does not match the expected API version ({rtype.api_version})"
        )
    if kind and kind != rtype.kind and rtype.custom:
        name = (obj.get("metadata") or {}).get("name", "")
        raise errors.invalid(rtype.group, str(kind), name, [invalid_value("kind", kind, f"must be {rtype.kind}")])
    if kind and kind != rtype.kind:
        raise errors.bad_request(f"the kind in the data ({kind}) does not match the expected kind ({rtype.kind})")


def _restrict(rtype: ResourceType, obj: Json, before: Json, subresource: str) -> Json:
    """Keep from `obj` only what the address may change: the status subresource the status, the main one all else."""
    if subresource == "status":
        kept = dict(before)
        if not rtype.custom:
            kept["metadata"] = obj["metadata"]
        kept.pop("status", None)
        return kept | ({"status": obj["status"]} if "status" in obj else {})
    if rtype.has_status:
        obj.pop("status", None)
        if "status" in before:
            obj["status"] = before["status"]
    return obj


def _desired(rtype: ResourceType, obj: Json) -> Json:
    """What `metadata.generation` counts the changes of."""
    outside = ("metadata", "status") if rtype.has_status else ("metadata",)
    return {name: value for name, value in obj.items() if name not in outside}
