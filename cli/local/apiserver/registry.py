"""The resources that are served: built-in kinds and those of CustomResourceDefinitions."""

from collections.abc import Iterable
from typing import Any

import msgspec

from cli.local.apiserver.errors import qualified
from cli.local.apiserver.schema import Schema

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Column(msgspec.Struct, frozen=True):
    """A column of `kubectl get`: `path` is a JSONPath for custom resources; built-in kinds compute theirs."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0
    path: str = ""


class Scale(msgspec.Struct, frozen=True):
    """Where the scale subresource finds its numbers, as field paths without the leading dot."""

    spec_replicas: tuple[str, ...]
    status_replicas: tuple[str, ...]
    selector: tuple[str, ...] = ()


class ResourceType(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One resource in one API version."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    schema: Schema
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    has_status: bool = False
    scale: Scale | None = None
    custom: bool = False
    selectable_fields: tuple[str, ...] = ()
    counts_generations: bool = False  # metadata.generation grows with every change of the spec
    creates_on_update: bool = False
    needs_version_on_update: bool = False
    returns_deleted: bool = False  # DELETE answers the object instead of a Status
    list_kind: str = ""
    deprecation: str = ""

    @property
    def key(self) -> str:
        """Name of the resource whatever the version: `pods`, `functions.faas.dev`."""
        return qualified(self.group, self.plural)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def prefix(self) -> bytes:
        """How every encoded object of this type begins."""
        return b'{"kind":"%s","apiVersion":"%s",' % (self.kind.encode(), self.api_version.encode())

    def subresources(self) -> list[str]:
        found = ["status"] if self.has_status else []
        if self.scale is not None:
            found.append("scale")
        if self.key == "pods":
            found += ["binding", "eviction", "log"]
        return found


class Registry:
    """All resource types by address. Custom ones come and go with their definitions."""

    def __init__(self, builtin: Iterable[ResourceType]) -> None:
        self._types: dict[tuple[str, str, str], ResourceType] = {}
        self._custom: dict[str, list[tuple[str, str, str]]] = {}
        self.generation = 0  # changes whenever a type comes or goes
        for each in builtin:
            self._types[(each.group, each.version, each.plural)] = each

    def get(self, group: str, version: str, plural: str) -> ResourceType | None:
        return self._types.get((group, version, plural))

    def all(self) -> list[ResourceType]:
        return list(self._types.values())

    def by_key(self, key: str) -> list[ResourceType]:
        """Every served version of a resource."""
        return [each for each in self._types.values() if each.key == key]

    def groups(self) -> dict[str, list[str]]:
        """Versions by group, core ("") first, in order of preference."""
        found: dict[str, list[str]] = {}
        for group, version, _ in self._types:
            versions = found.setdefault(group, [])
            if version not in versions:
                versions.append(version)
        return {group: sorted(versions, key=version_priority) for group, versions in found.items()}

    def in_version(self, group: str, version: str) -> list[ResourceType]:
        return [each for (g, v, _), each in self._types.items() if g == group and v == version]

    def set_custom(self, definition: str, types: list[ResourceType]) -> None:
        """Replace what the named definition serves; an empty list removes it."""
        for address in self._custom.pop(definition, ()):
            del self._types[address]
        addresses = [(each.group, each.version, each.plural) for each in types]
        self._types.update(zip(addresses, types, strict=True))
        if addresses:
            self._custom[definition] = addresses
        self.generation += 1


def version_priority(version: str) -> tuple[Any, ...]:
    """Sort key: v2 before v1 before v1beta2 before v1alpha1 before anything else (Kubernetes version priority)."""
    digits, stage, minor = version[1:], "", ""
    for word in ("alpha", "beta"):
        if word in version:
            digits, stage, minor = version[1:].partition(word)
    if not version.startswith("v") or not digits.isdigit() or (stage and not minor.isdigit()):
        return (3, version)
    rank = {"": 0, "beta": 1, "alpha": 2}[stage]
    return (rank, -int(digits), -int(minor or 0))
