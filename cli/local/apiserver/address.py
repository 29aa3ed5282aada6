"""What a path names: `/api/v1/namespaces/default/pods/a/status` is a resource type, a namespace, a name and a
subresource.
"""

import msgspec

from cli.local.apiserver import errors
from cli.local.apiserver.registry import Registry, ResourceType


class Address(msgspec.Struct, frozen=True):
    """`namespace` is None for a list over all namespaces and "" for cluster-scoped resources."""

    rtype: ResourceType
    namespace: str | None
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return (self.namespace or "", self.name)


def parse(registry: Registry, group: str, version: str, parts: list[str]) -> Address:
    """Read the path below the version. Raises a 404 StatusError when nothing is served there."""
    namespace: str | None = None
    if len(parts) >= 3 and parts[0] == "namespaces" and not (len(parts) == 3 and parts[2] in ("status", "finalize")):
        namespace, parts = parts[1], parts[2:]
    rtype = registry.get(group, version, parts[0])
    if rtype is None or len(parts) > 3 or not all(parts):
        raise errors.path_not_found()
    name = parts[1] if len(parts) > 1 else ""
    subresource = parts[2] if len(parts) > 2 else ""
    if not rtype.namespaced:
        if namespace is not None:
            raise errors.path_not_found()
        namespace = ""
    elif namespace is None and name:
        raise errors.path_not_found()
    if subresource and subresource not in rtype.subresources():
        raise errors.no_subresource(rtype.group, rtype.plural, name) if rtype.custom else errors.path_not_found()
    return Address(rtype, namespace, name, subresource)
