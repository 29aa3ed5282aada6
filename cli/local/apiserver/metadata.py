"""`metadata`: what the server sets, keeps and checks (Kubernetes API conventions, "Metadata")."""

import datetime
import uuid
from typing import Any

from cli.local.apiserver import fielderrors, names
from cli.local.apiserver.errors import STALE, StatusError, bad_request, conflict, invalid
from cli.local.apiserver.fielderrors import FieldError
from cli.local.apiserver.registry import ResourceType

Json = dict[str, Any]

_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")

_SYSTEM_FIELDS = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
)


def timestamp(now: float) -> str:
    """RFC 3339 in UTC, seconds, from a Unix time."""
    return datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def set_namespace(rtype: ResourceType, meta: Json, namespace: str) -> None:
    """Give the object the address's namespace; raises a 400 StatusError when it names another."""
    given = meta.get("namespace", "")
    if given and given != namespace and rtype.namespaced:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if namespace:
        meta["namespace"] = namespace
    else:
        meta.pop("namespace", None)


def initialize(rtype: ResourceType, meta: Json, now: float) -> None:
    """Set what the server owns in a new object's metadata, and generate its name when it asks for that."""
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = names.generate(meta["generateName"])
    for field in _SYSTEM_FIELDS:
        meta.pop(field, None)
    meta["uid"] = str(uuid.uuid4())
    if rtype.counts_generations:
        meta["generation"] = 1
    meta["creationTimestamp"] = timestamp(now)
    _drop_empty(meta)


def carry_over(rtype: ResourceType, meta: Json, old: Json, *, patch: bool) -> None:
    """Keep what an update may not change. Raises a 409 StatusError when the update is meant for another object."""
    if meta.get("uid") and meta["uid"] != old["uid"] and patch:
        error = fielderrors.invalid_value("metadata.uid", meta["uid"], "field is immutable")
        raise invalid(rtype.group, rtype.kind, old["name"], [error])
    if meta.get("uid") and meta["uid"] != old["uid"]:
        why = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {old['uid']}"
        raise conflict(rtype.group, rtype.plural, old["name"], why)
    for field in (*_SYSTEM_FIELDS, "name", "namespace", "generateName"):
        if field in old:
            meta[field] = old[field]
        else:
            meta.pop(field, None)
    if "managedFields" not in meta and "managedFields" in old:
        meta["managedFields"] = old["managedFields"]
    _drop_empty(meta)


def _drop_empty(meta: Json) -> None:
    for field in ("labels", "annotations", "finalizers", "ownerReferences", "managedFields"):
        if field in meta and not meta[field]:
            del meta[field]


_NAMELESS = "name or generateName is required"


def name_problems(rtype: ResourceType, name: str) -> list[str]:
    """The rule for names of this resource."""
    if rtype.key == "namespaces":
        return names.label_problems(name)
    if rtype.key == "events":
        return names.path_segment_problems(name)
    if rtype.key == "services":
        return names.service_problems(name)
    return names.subdomain_problems(name)


def check_name(rtype: ResourceType, meta: Json) -> None:
    """Raise a 422 StatusError unless the object has a name; of a custom one `errors` tells it with all else."""
    if not meta.get("name") and not rtype.custom:
        error = fielderrors.required("metadata.name", _NAMELESS)
        raise invalid(rtype.group, rtype.kind, "", [error])


def errors(rtype: ResourceType, meta: Json, old: Json | None) -> list[FieldError]:
    """Problems of a whole metadata object; `old` is the one before an update."""
    found: list[FieldError] = []
    name = meta.get("name", "")
    if not name:
        found.append(fielderrors.required("metadata.name", _NAMELESS))
    elif old is None:
        found += [fielderrors.invalid_value("metadata.name", name, problem) for problem in name_problems(rtype, name)]
    if "labels" in meta and (old is None or meta["labels"] != old.get("labels")):
        found += names.label_errors(meta["labels"], "metadata.labels")
    if "annotations" in meta and (old is None or meta["annotations"] != old.get("annotations")):
        found += names.annotation_errors(meta["annotations"], "metadata.annotations")
    found += _owner_errors(meta.get("ownerReferences", []))
    return found + _finalizer_errors(rtype, meta, old)


def _owner_errors(owners: list[Json]) -> list[FieldError]:
    found: list[FieldError] = []
    for owner in owners:
        for field, what in (("apiVersion", "version"), ("kind", "kind"), ("name", "name"), ("uid", "uid")):
            if not owner.get(field):
                found.append(
                    fielderrors.invalid_value(f"metadata.ownerReferences.{field}", "", f"{what} must not be empty")
                )
    controllers = [owner.get("name", "") for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        detail = (
            'Only one reference can have Controller set to true. Found "true" in references for '
            f"{controllers[0]} and {controllers[1]}"
        )
        found.append(fielderrors.invalid_value("metadata.ownerReferences", owners, detail))
    return found


def _finalizer_errors(rtype: ResourceType, meta: Json, old: Json | None) -> list[FieldError]:
    found: list[FieldError] = []
    finalizers = meta.get("finalizers", [])
    for index, name in enumerate(finalizers):
        path = f"metadata.finalizers[{index}]"
        found += [fielderrors.invalid_value(path, name, problem) for problem in names.qualified_problems(name)]
        if (
            "/" not in name
            and name not in _STANDARD_FINALIZERS
            and rtype.group in ("", "apps")
            and rtype.key != "events"
        ):
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            found.append(fielderrors.invalid_value(path, name, detail))
    if old is not None and old.get("deletionTimestamp"):
        added = [name for name in finalizers if name not in old.get("finalizers", [])]
        if added:
            listed = ", ".join(fielderrors.render(name) for name in added)
            detail = (
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{"
                + listed
                + "}"
            )
            found.append(fielderrors.forbidden_field("metadata.finalizers", detail))
    return found


def check_version(rtype: ResourceType, given: str, name: str, current: int) -> None:
    """Optimistic concurrency: raise a 409 StatusError when `given` is not the stored resourceVersion."""
    if not given or given == "0":
        if rtype.needs_version_on_update or rtype.custom:
            detail = "must be specified for an update"
            error = fielderrors.invalid_value("metadata.resourceVersion", 0, detail)
            raise invalid(rtype.group, rtype.plural, name, [error])
        return
    if not (given.isascii() and given.isdigit()):
        raise StatusError(500, "", f"strconv.ParseUint: parsing {fielderrors.render(given)}: invalid syntax")
    if given != str(current):
        raise conflict(rtype.group, rtype.plural, name, STALE)
