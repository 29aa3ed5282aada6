"""CustomResourceDefinitions: their own rules, and the resource types they define."""

from typing import Any

from cli.local.apiserver.crd_validation import definition_errors
from cli.local.apiserver.metadata import timestamp
from cli.local.apiserver.registry import Column, Registry, ResourceType, Scale
from cli.local.apiserver.rules import unknown_rules
from cli.local.apiserver.schema import ANY, Schema, compile_schema
from cli.local.apiserver.strategies import Strategy

Json = dict[str, Any]

KEY = "customresourcedefinitions.apiextensions.k8s.io"
_AGE = Column("Age", "date", description="When the object was created.", path=".metadata.creationTimestamp")
_NAME = Column("Name", "string", "name", "Name must be unique within a namespace.", path=".metadata.name")


def resource_types(definition: Json) -> list[ResourceType]:
    """The resource types of a definition, one for each version that is served. Raises ValueError for a bad pattern."""
    return [_resource_type(definition, version) for version in definition["spec"]["versions"] if version.get("served")]


def unchecked_rules(definition: Json) -> list[str]:
    """The validation rules of a definition that are not understood, and so not checked."""
    found = [rule for rtype in resource_types(definition) for rule in unknown_rules(rtype.schema)]
    return list(dict.fromkeys(found))


def _resource_type(definition: Json, version: Json) -> ResourceType:
    spec = definition["spec"]
    given = spec["names"]
    subresources = version.get("subresources") or {}
    return ResourceType(
        group=spec["group"],
        version=version["name"],
        kind=given["kind"],
        plural=given["plural"],
        singular=given["singular"],
        list_kind=given["listKind"],
        namespaced=spec["scope"] == "Namespaced",
        schema=_schema(version),
        short_names=tuple(given.get("shortNames", ())),
        categories=tuple(given.get("categories", ())),
        columns=_columns(version.get("additionalPrinterColumns")),
        has_status="status" in subresources,
        scale=_scale(subresources.get("scale")),
        custom=True,
        selectable_fields=tuple(field["jsonPath"].lstrip(".") for field in version.get("selectableFields", ())),
        counts_generations=True,
        deprecation=_deprecation(definition, version) if version.get("deprecated") else "",
    )


def _schema(version: Json) -> Schema:
    """The version's schema with the fields that every object has."""
    given = (version.get("schema") or {}).get("openAPIV3Schema")
    if given is None:
        return ANY
    properties = dict(given.get("properties") or {})
    # Restrictions on metadata (its name, say) are validated; its fields themselves are known by ObjectMeta.
    properties["metadata"] = {
        "type": "object",
        **properties.get("metadata", {}),
        "x-kubernetes-preserve-unknown-fields": True,
    }
    for name in ("apiVersion", "kind"):
        properties.setdefault(name, {"type": "string"})
    return compile_schema(given | {"properties": properties})


def _columns(given: list[Json] | None) -> tuple[Column, ...]:
    if not given:
        return (_NAME, _AGE)
    columns = [
        Column(c["name"], c["type"], c.get("format", ""), c.get("description", ""), c.get("priority", 0), c["jsonPath"])
        for c in given
    ]
    return (_NAME, *columns)


def _scale(given: Json | None) -> Scale | None:
    if given is None:
        return None
    paths = [given.get(name, "") for name in ("specReplicasPath", "statusReplicasPath", "labelSelectorPath")]
    spec, status, selector = (tuple(path.strip(".").split(".")) if path else () for path in paths)
    return Scale(spec, status, selector)


def _deprecation(definition: Json, version: Json) -> str:
    spec = definition["spec"]
    standard = f"{spec['group']}/{version['name']} {spec['names']['kind']} is deprecated"
    return str(version.get("deprecationWarning") or standard)


def strategy(registry: Registry, now: Any) -> Strategy:
    """The strategy of definitions; `now` returns a Unix time."""

    def prepare(obj: Json, old: Json | None) -> None:
        _set_defaults(obj)
        if "spec" not in obj or any(e.field.startswith("spec") for e in definition_errors(obj, old)):
            return
        clash = _name_clash(registry, obj)
        spec = obj["spec"]
        previous = (old or {}).get("status", {})
        stored = list(previous.get("storedVersions", []))
        storing = [version["name"] for version in spec["versions"] if version.get("storage")]
        obj["status"] = {
            "conditions": _conditions(previous.get("conditions", []), clash, timestamp(now())),
            "acceptedNames": spec["names"] if not clash else previous.get("acceptedNames", {"plural": "", "kind": ""}),
            "storedVersions": stored + [name for name in storing if name not in stored],
        }

    return Strategy(prepare, definition_errors)


def _set_defaults(obj: Json) -> None:
    spec = obj.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("names"), dict):
        return
    given = spec["names"]
    if given.get("kind"):
        given.setdefault("singular", given["kind"].lower())
        given.setdefault("listKind", given["kind"] + "List")
    spec.setdefault("conversion", {"strategy": "None"})
    for version in spec.get("versions", []):
        for column in version.get("additionalPrinterColumns", []):
            column.setdefault("type", "string")


def _conditions(previous: list[Json], clash: str, now: str) -> list[Json]:
    accepted = "False" if clash else "True"
    reason, message = (clash, clash) if clash else ("NoConflicts", "no conflicts found")
    wanted = [
        {"type": "NamesAccepted", "status": accepted, "reason": reason.split(":")[0], "message": message},
        {
            "type": "Established",
            "status": accepted,
            "reason": "InitialNamesAccepted" if not clash else "NotAccepted",
            "message": "the initial names have been accepted" if not clash else "not all names are accepted",
        },
    ]
    before = {condition["type"]: condition for condition in previous}
    for condition in wanted:
        old = before.get(condition["type"], {})
        same = old.get("status") == condition["status"]
        condition["lastTransitionTime"] = old.get("lastTransitionTime", now) if same else now
    return wanted


def _name_clash(registry: Registry, obj: Json) -> str:
    """Why the names cannot be served beside those that already are, or an empty string."""
    spec = obj["spec"]
    given = spec["names"]
    for other in registry.all():
        if other.group != spec["group"] or other.key == obj["metadata"]["name"]:
            continue
        taken = {other.plural, other.singular, *other.short_names}
        for name in (given["plural"], given["singular"], *given.get("shortNames", ())):
            if name in taken:
                return f'PluralConflict: "{name}" is already in use'
        if given["kind"] in (other.kind, other.list_kind):
            return f'KindConflict: "{given["kind"]}" is already in use'
    return ""
