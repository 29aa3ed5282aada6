"""The scale subresource: `autoscaling/v1` Scale made of an object's fields, and written back into them."""

from collections.abc import Callable
from typing import Any

from cli.local.apiserver import errors
from cli.local.apiserver.builtin import TYPES
from cli.local.apiserver.coerce import decode_as
from cli.local.apiserver.columns import selector_text
from cli.local.apiserver.fielderrors import invalid_value
from cli.local.apiserver.metadata import check_version
from cli.local.apiserver.registry import ResourceType

Json = dict[str, Any]


def scale_of(rtype: ResourceType, obj: Json) -> Json:
    """The Scale of an object."""
    assert rtype.scale is not None
    meta = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    selector = _at(obj, rtype.scale.selector)
    if not rtype.custom:
        selector = selector_text(obj.get("spec", {}).get("selector") or {})
    replicas = _at(obj, rtype.scale.spec_replicas)
    status = {"replicas": _at(obj, rtype.scale.status_replicas) or 0}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: meta[name] for name in kept if name in meta},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status | ({"selector": selector} if selector else {}),
    }


def replicas_change(rtype: ResourceType, change: Callable[[Json], Json]) -> Callable[[Json], Json]:
    """Turn a change of a Scale into one of the object behind it."""

    def apply(obj: Json) -> Json:
        assert rtype.scale is not None
        meta = obj["metadata"]
        scale = decode_as(TYPES.compiled("Scale"), change(scale_of(rtype, obj)))
        replicas = scale.get("spec", {}).get("replicas", 0)
        path = rtype.scale.spec_replicas
        if replicas < 0:
            field = f".{'.'.join(path)}" if rtype.custom else ".".join(path)
            detail = "should be a non-negative integer" if rtype.custom else "must be greater than or equal to 0"
            raise errors.invalid(rtype.group, rtype.kind, meta["name"], [invalid_value(field, replicas, detail)])
        version = scale.get("metadata", {}).get("resourceVersion", "")
        if version:
            check_version(rtype, version, meta["name"], int(meta["resourceVersion"]))
        place = obj
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = replicas
        return obj

    return apply


def _at(obj: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj if path else None
