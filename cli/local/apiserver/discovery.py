"""What is served, for clients that ask: groups, versions, resources; also aggregated (`apidiscovery.k8s.io/v2`)."""

from typing import Any

from cli.local.apiserver.registry import VERBS, Registry, ResourceType

Json = dict[str, Any]

_VERBS_OF = {"scale": ["get", "patch", "update"], "status": ["get", "patch", "update"], "log": ["get"],
             "binding": ["create"], "eviction": ["create"]}  # fmt: skip
_KIND_OF = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "binding": ("", "v1", "Binding"),
}


def core_versions(host: str) -> Json:
    """`/api`."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group_list(registry: Registry) -> Json:
    """`/apis`."""
    groups = [_group(name, versions) for name, versions in registry.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(registry: Registry, name: str) -> Json | None:
    """`/apis/<group>`."""
    versions = registry.groups().get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if versions else None


def _group(name: str, versions: list[str]) -> Json:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def resource_list(registry: Registry, name: str, version: str) -> Json | None:
    """`/api/v1` and `/apis/<group>/<version>`."""
    types = registry.in_version(name, version)
    if not types:
        return None
    resources: list[Json] = []
    for rtype in sorted(types, key=lambda each: each.plural):
        resources.append(_resource(rtype))
        resources += [_subresource(rtype, each) for each in rtype.subresources()]
    group_version = f"{name}/{version}" if name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def _resource(rtype: ResourceType) -> Json:
    found: Json = {
        "name": rtype.plural,
        "singularName": rtype.singular,
        "namespaced": rtype.namespaced,
        "kind": rtype.kind,
        "verbs": list(VERBS),
    }
    if rtype.short_names:
        found["shortNames"] = list(rtype.short_names)
    if rtype.categories:
        found["categories"] = list(rtype.categories)
    return found


def _subresource(rtype: ResourceType, name: str) -> Json:
    group_name, version, kind = _KIND_OF.get(name, (rtype.group, rtype.version, rtype.kind))
    found = {"name": f"{rtype.plural}/{name}", "singularName": "", "namespaced": rtype.namespaced, "kind": kind}
    if name in _KIND_OF and group_name:
        found |= {"group": group_name, "version": version}
    return found | {"verbs": _VERBS_OF[name]}


def aggregated(registry: Registry, core: bool, api_version: str) -> Json:
    """`/api` or `/apis` as an APIGroupDiscoveryList, which spares kubectl a request for each group."""
    items = []
    for name, versions in registry.groups().items():
        if bool(name) != core:
            listed = [_aggregated_version(registry, name, version) for version in versions]
            items.append({"metadata": {"name": name, "creationTimestamp": None}, "versions": listed})
    head = {"kind": "APIGroupDiscoveryList", "apiVersion": f"apidiscovery.k8s.io/{api_version}", "metadata": {}}
    return head | {"items": items}


def _aggregated_version(registry: Registry, group_name: str, version: str) -> Json:
    resources = []
    for rtype in sorted(registry.in_version(group_name, version), key=lambda each: each.plural):
        found: Json = {
            "resource": rtype.plural,
            "responseKind": {"group": rtype.group, "version": rtype.version, "kind": rtype.kind},
            "scope": "Namespaced" if rtype.namespaced else "Cluster",
            "singularResource": rtype.singular,
            "verbs": list(VERBS),
        }
        if rtype.short_names:
            found["shortNames"] = list(rtype.short_names)
        if rtype.categories:
            found["categories"] = list(rtype.categories)
        if rtype.subresources():
            found["subresources"] = [_aggregated_subresource(rtype, each) for each in rtype.subresources()]
        resources.append(found)
    return {"version": version, "resources": resources, "freshness": "Current"}


def _aggregated_subresource(rtype: ResourceType, name: str) -> Json:
    group_name, version, kind = _KIND_OF.get(name, (rtype.group, rtype.version, rtype.kind))
    response_kind = {"group": group_name, "version": version, "kind": kind}
    return {"subresource": name, "responseKind": response_kind, "verbs": _VERBS_OF[name]}
