"""`/openapi/v3`: a document for each group and version, enough for kubectl's apply, explain and field validation."""

import hashlib
from typing import Any

import msgspec

from cli.local.apiserver.builtin import OBJECT_META
from cli.local.apiserver.registry import Registry, ResourceType

Json = dict[str, Any]

_KEPT = (
    "type", "format", "description", "default", "enum", "nullable", "required", "pattern", "minimum", "maximum",
    "minLength", "maxLength", "minItems", "maxItems", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type", "x-kubernetes-patch-merge-key", "x-kubernetes-patch-strategy",
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string",
)  # fmt: skip
_PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")
# Of built-in kinds alone: kubectl apply sends the patch that it finds listed, and custom resources refuse this one.
_STRATEGIC = "application/strategic-merge-patch+json"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def index(registry: Registry) -> Json:
    """`/openapi/v3`: where each document is; the hash lets clients keep what they have."""
    paths: Json = {}
    for group, versions in registry.groups().items():
        for version in versions:
            name = f"apis/{group}/{version}" if group else f"api/{version}"
            digest = hashlib.sha256(msgspec.json.encode(document(registry, group, version))).hexdigest()[:32].upper()
            paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
    return {"paths": paths}


def document(registry: Registry, group: str, version: str) -> Json | None:
    """`/openapi/v3/apis/<group>/<version>`, or None when that is not served."""
    types = registry.in_version(group, version)
    if not types:
        return None
    schemas: Json = {_META: _convert(OBJECT_META.source)}
    paths: Json = {}
    for rtype in types:
        name = schema_name(rtype)
        schemas[name] = _root(rtype)
        paths |= _paths(rtype, {"$ref": f"#/components/schemas/{name}"})
    head = {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "unversioned"}}
    return head | {"paths": paths, "components": {"schemas": schemas}}


def schema_name(rtype: ResourceType) -> str:
    """The name of a kind's schema, in the form that Kubernetes gives it."""
    if rtype.custom:
        return f"{'.'.join(reversed(rtype.group.split('.')))}.{rtype.version}.{rtype.kind}"
    return f"io.k8s.api.{rtype.group.split('.')[0] or 'core'}.{rtype.version}.{rtype.kind}"


def _root(rtype: ResourceType) -> Json:
    schema = _convert(rtype.schema.source)
    schema["type"] = "object"
    properties = schema.setdefault("properties", {})
    properties["metadata"] = {
        "description": "Standard object's metadata.",
        "allOf": [{"$ref": f"#/components/schemas/{_META}"}],
    }
    kind = {"group": rtype.group, "version": rtype.version, "kind": rtype.kind}
    return schema | {"x-kubernetes-group-version-kind": [kind]}


def _convert(source: Json) -> Json:
    found: Json = {name: source[name] for name in _KEPT if name in source}
    if source.get("properties"):
        found["properties"] = {name: _convert(child) for name, child in source["properties"].items()}
    if isinstance(source.get("items"), dict):
        found["items"] = _convert(source["items"])
    additional = source.get("additionalProperties")
    if isinstance(additional, dict):
        found["additionalProperties"] = _convert(additional)
    elif additional is True:
        found["additionalProperties"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return found


def _paths(rtype: ResourceType, ref: Json) -> Json:
    base = f"/apis/{rtype.group}/{rtype.version}" if rtype.group else f"/api/{rtype.version}"
    collection = f"{base}/namespaces/{{namespace}}/{rtype.plural}" if rtype.namespaced else f"{base}/{rtype.plural}"
    return {
        collection: {
            "get": _operation(rtype, ref, "list", ()),
            "post": _operation(rtype, ref, "post", ("application/json",)),
        },
        f"{collection}/{{name}}": {
            "get": _operation(rtype, ref, "get", ()),
            "put": _operation(rtype, ref, "put", ("application/json",)),
            "patch": _operation(rtype, ref, "patch", _PATCHES if rtype.custom else (*_PATCHES, _STRATEGIC)),
            "delete": _operation(rtype, ref, "delete", ()),
        },
    }


def _operation(rtype: ResourceType, ref: Json, action: str, bodies: tuple[str, ...]) -> Json:
    names = ["dryRun", "fieldManager", "fieldValidation"] if bodies else []
    parameters = [{"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}} for name in names]
    operation: Json = {
        "operationId": f"{action}{rtype.group.replace('.', '_')}{rtype.version}{rtype.kind}",
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": ref}}}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {"group": rtype.group, "version": rtype.version, "kind": rtype.kind},
    }
    if bodies:
        operation["requestBody"] = {"content": {body: {"schema": ref} for body in bodies}}
    return operation
