"""Delete: grace periods, finalizers, preconditions, and the content of namespaces and custom resource definitions."""

import time
from typing import Any

import msgspec

from cli.local.apiserver import errors
from cli.local.apiserver.metadata import timestamp
from cli.local.apiserver.options import DeleteOptions
from cli.local.apiserver.registry import Registry, ResourceType
from cli.local.apiserver.store import Key, Store, Stored
from cli.local.apiserver.writes import Writer

Json = dict[str, Any]

PROTECTED_NAMESPACES = ("default", "kube-system", "kube-public")
_FINALIZER_OF = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}
_MARKED_FIRST = ("pods", "namespaces")  # watchers see these being deleted before they are gone
_DEFAULT_GRACE = 30  # a Pod's terminationGracePeriodSeconds
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Deleter:
    """Deletes objects. Namespaces and CustomResourceDefinitions go once what they contain is gone."""

    def __init__(self, store: Store, registry: Registry, writer: Writer) -> None:
        self._store = store
        self._registry = registry
        self._writer = writer
        writer.remove = self.remove

    def delete(self, rtype: ResourceType, key: Key, options: DeleteOptions) -> tuple[Stored, bool]:
        """Delete, or begin to; returns the last state and whether it is gone. Raises StatusError: 403, 404, 409."""
        stored = self._store.get(rtype.key, key)
        if stored is None:
            raise errors.not_found(rtype.group, rtype.plural, key[1])
        self._check_preconditions(rtype, stored, options)
        if rtype.key == "namespaces" and key[1] in PROTECTED_NAMESPACES:
            raise errors.forbidden("", "namespaces", key[1], "this namespace may not be deleted")
        obj = _decode(stored.raw)
        meta = obj["metadata"]
        contents = self._contents(rtype, stored)
        grace = _grace(rtype, obj, options)
        self._set_propagation(meta, options)
        waits = grace > 0 or bool(meta.get("finalizers")) or bool(contents)
        if options.dry_run:
            return stored, not waits
        if waits or rtype.key in _MARKED_FIRST:
            _mark(rtype, obj, grace)
            if obj != stored.obj:
                old, stored = stored, self._store.update(rtype.key, stored, obj)
                self._writer.changed(rtype, old, stored)
        if not waits:
            return self.remove(rtype, stored), True
        for inner, item in contents:
            if not item.obj["metadata"].get("deletionTimestamp"):
                self.delete(inner, item.key, DeleteOptions())
        return stored, self._store.get(rtype.key, key) is None

    def remove(self, rtype: ResourceType, stored: Stored) -> Stored:
        """Remove an object at once, then the namespace or definition that waited for it."""
        # A copy of two levels: the resourceVersion of the removal goes into it, and the old state is still being read.
        last = self._store.delete(rtype.key, stored, stored.obj | {"metadata": dict(stored.obj["metadata"])})
        self._writer.changed(rtype, stored, None)
        if rtype.namespaced:
            self._finish("namespaces", ("", stored.namespace))
        if rtype.custom:
            self._finish("customresourcedefinitions.apiextensions.k8s.io", ("", rtype.key))
        return last

    def expire_events(self, before: float) -> None:
        """Remove the Events that were last written before a Unix time: nobody else deletes them."""
        limit = timestamp(before)
        rtype = self._registry.by_key("events")[0]
        for stored in self._store.select("events"):
            times = (stored.obj["metadata"].get("creationTimestamp"), stored.obj.get("lastTimestamp"))
            # RFC 3339 in UTC: the order of the text is the order of time.
            if max(time or "" for time in times) < limit:
                self.remove(rtype, stored)

    def resume(self) -> None:
        """Go on with what a killed server had begun."""
        for key in ("namespaces", "customresourcedefinitions.apiextensions.k8s.io"):
            for rtype in self._registry.by_key(key):
                for stored in self._store.select(key):
                    if stored.obj["metadata"].get("deletionTimestamp"):
                        self.delete(rtype, stored.key, DeleteOptions())

    def _finish(self, container: str, key: Key) -> None:
        stored = self._store.get(container, key)
        if stored is None or not stored.obj["metadata"].get("deletionTimestamp"):
            return
        rtype = self._registry.by_key(container)[0]
        if not self._contents(rtype, stored) and not stored.obj["metadata"].get("finalizers"):
            self.remove(rtype, stored)

    def _contents(self, rtype: ResourceType, stored: Stored) -> list[tuple[ResourceType, Stored]]:
        """What must be gone before the object may go."""
        if rtype.key == "namespaces":
            types = {each.key: each for each in self._registry.all() if each.namespaced}
            return [(each, item) for key, each in types.items() for item in self._store.select(key, stored.name)]
        if rtype.key == "customresourcedefinitions.apiextensions.k8s.io":
            versions = self._registry.by_key(stored.name)
            return [(versions[0], item) for item in self._store.select(stored.name)] if versions else []
        return []

    def _check_preconditions(self, rtype: ResourceType, stored: Stored, options: DeleteOptions) -> None:
        meta = stored.obj["metadata"]
        for name, wanted, found, since in (
            ("UID", options.uid, meta["uid"], "deleted and then recreated"),
            ("ResourceVersion", options.version, meta["resourceVersion"], "modified"),
        ):
            if wanted and wanted != found:
                why = (
                    f"the {name} in the precondition ({wanted}) does not match the {name} in record ({found})."
                    f" The object might have been {since}"
                )
                named = rtype.plural if rtype.key == "namespaces" else rtype.kind
                raise errors.conflict(rtype.group, named, stored.name, why)

    def _set_propagation(self, meta: Json, options: DeleteOptions) -> None:
        if not options.propagation or meta.get("deletionTimestamp"):
            return
        kept = [name for name in meta.get("finalizers", []) if name not in _FINALIZER_OF.values()]
        wanted = _FINALIZER_OF.get(options.propagation)
        meta["finalizers"] = kept + ([wanted] if wanted else [])
        if not meta["finalizers"]:
            del meta["finalizers"]


def _grace(rtype: ResourceType, obj: Json, options: DeleteOptions) -> int:
    """Seconds until the object may go: only a Pod that a kubelet may be running has any."""
    if rtype.key != "pods":
        return 0
    spec = obj.get("spec", {})
    if not spec.get("nodeName") or obj.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace is not None:
        # A negative period counts as one second: only an exact 0 says that nothing runs any more.
        return options.grace if options.grace >= 0 else 1
    return int(spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE))


def _mark(rtype: ResourceType, obj: Json, grace: int) -> None:
    """Set deletionTimestamp, which lies `grace` seconds ahead; a later request can only bring it nearer."""
    meta = obj["metadata"]
    if "deletionTimestamp" in meta and grace >= meta.get("deletionGracePeriodSeconds", 0):
        return
    if "deletionTimestamp" not in meta and "generation" in meta:
        meta["generation"] += 1
    meta["deletionTimestamp"] = timestamp(time.time() + grace)
    if rtype.key != "namespaces":
        meta["deletionGracePeriodSeconds"] = grace
    else:
        obj.setdefault("status", {})["phase"] = "Terminating"
