"""Who owns whom: the state behind garbage collection, and what follows from it. Pure.

Source: the garbage collector of Kubernetes (pkg/controller/garbagecollector): background, foreground and orphan
deletion by metadata.ownerReferences and the finalizers `foregroundDeletion` and `orphan`.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from cli.local.controllers.resources import Meta, OwnerReference

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class Kind(msgspec.Struct, frozen=True):
    """A kind of objects and where its collection is: `prefix` is `/api/v1` or `/apis/group/version`."""

    api_version: str
    kind: str
    plural: str
    prefix: str
    namespaced: bool

    def path(self, namespace: str, name: str) -> str:
        """The address of one object."""
        scope = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"{self.prefix}{scope}/{self.plural}/{name}"


class Node(msgspec.Struct):
    """An object as last seen."""

    kind: Kind
    meta: Meta

    @property
    def path(self) -> str:
        return self.kind.path(self.meta.namespace, self.meta.name)

    @property
    def owners(self) -> list[OwnerReference]:
        return self.meta.owner_references

    def _dying_with(self, finalizer: str) -> bool:
        return self.meta.deletion_timestamp is not None and finalizer in self.meta.finalizers

    @property
    def waits_for_dependents(self) -> bool:
        """Being deleted in the foreground: it goes when its dependents are gone."""
        return self._dying_with(FOREGROUND)

    @property
    def orphans_dependents(self) -> bool:
        """Being deleted, but its dependents are to stay."""
        return self._dying_with(ORPHAN)

    def blocks(self, owner_uid: str) -> bool:
        """Whether that owner's foreground deletion waits for this object."""
        return any(owner.uid == owner_uid and owner.block_owner_deletion for owner in self.owners)


class Delete(msgspec.Struct, frozen=True):
    """Delete the object with this propagation policy."""

    policy: Literal["Background", "Foreground", "Orphan"]


class DropOwners(msgspec.Struct, frozen=True):
    """Remove these owners (uids) from the object's references; the others keep it."""

    uids: frozenset[str]


class DropFinalizer(msgspec.Struct, frozen=True):
    """Nothing holds the object's deletion up any more."""

    finalizer: str


class Orphan(msgspec.Struct, frozen=True):
    """Take the object out of the references of its dependents, then drop its finalizer `orphan`."""

    dependents: tuple[str, ...]


Action = Delete | DropOwners | DropFinalizer | Orphan


class Graph:
    """Objects by uid and dependents by owner's uid (also of owners that were never seen)."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self._dependents: dict[str, set[str]] = {}

    def dependents(self, uid: str) -> list[Node]:
        """The objects that name `uid` as an owner."""
        return [self.nodes[dependent] for dependent in self._dependents.get(uid, ())]

    def put(self, kind: Kind, meta: Meta) -> set[str]:
        """An object was added or changed; the uids that are to be looked at now."""
        before = self.nodes.get(meta.uid)
        node = self.nodes[meta.uid] = Node(kind, meta)
        self._unlink(before)
        for owner in node.owners:
            self._dependents.setdefault(owner.uid, set()).add(meta.uid)
        affected = {meta.uid} if node.owners or node.meta.deletion_timestamp else set()
        if node.waits_for_dependents:
            affected.update(dependent.meta.uid for dependent in self.dependents(meta.uid))
        if before is not None and before.owners != node.owners:
            affected.update(owner.uid for owner in before.owners)  # it may have been the last that one waited for
        return affected

    def remove(self, uid: str) -> set[str]:
        """An object is gone; the uids that are to be looked at now: its dependents, and owners that waited for it."""
        node = self.nodes.pop(uid, None)
        self._unlink(node)
        affected = set(self._dependents.get(uid, ()))
        return affected | ({owner.uid for owner in node.owners} if node else set())

    def _unlink(self, node: Node | None) -> None:
        for owner in node.owners if node else []:
            linked = self._dependents.get(owner.uid, set())
            linked.discard(node.meta.uid if node else "")
            if not linked:
                self._dependents.pop(owner.uid, None)


OwnerState = Literal["solid", "dying", "absent"]
"""dying: being deleted in the foreground, so its dependents are to go first."""


def decide(graph: Graph, uid: str, state_of: Callable[[OwnerReference], OwnerState]) -> Action | None:
    """What is to be done about one object. `state_of` knows of each of its owners whether it is there."""
    node = graph.nodes.get(uid)
    if node is None:
        return None
    if node.orphans_dependents:
        return Orphan(tuple(sorted(dependent.meta.uid for dependent in graph.dependents(uid))))
    if node.waits_for_dependents:
        blocking = any(dependent.blocks(uid) for dependent in graph.dependents(uid))
        return None if blocking else DropFinalizer(FOREGROUND)
    if node.meta.deletion_timestamp is not None or not node.owners:
        return None
    states = {owner.uid: state_of(owner) for owner in node.owners}
    if "solid" in states.values():
        lost = frozenset(owner for owner, state in states.items() if state != "solid")
        return DropOwners(lost) if lost else None
    return Delete(_policy(graph, node, "dying" in states.values()))


def _policy(graph: Graph, node: Node, owner_waits: bool) -> Literal["Background", "Foreground", "Orphan"]:
    """A foreground deletion goes on in the foreground below; a finalizer that was set before is respected."""
    finalizers = node.meta.finalizers
    below = graph.dependents(node.meta.uid)
    if owner_waits and below and not any(dependent.waits_for_dependents for dependent in below):
        return "Foreground"
    if ORPHAN in finalizers:
        return "Orphan"
    return "Foreground" if FOREGROUND in finalizers else "Background"
