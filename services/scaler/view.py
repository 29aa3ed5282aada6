"""The scaler's view of the cluster, by Function: what the watches told, and what its own writes answered since.

The answer of a write is newer than what a watch has told so far. Taking it in keeps the next look from deciding on the
state before the write, which the API server would only refuse.
"""

from typing import Protocol, TypeVar

from services.common.watch import Change
from services.contracts.resources import Function, ObjectMeta
from services.scaler.objects import Pod, ReplicaSet


class _Object(Protocol):
    @property
    def metadata(self) -> ObjectMeta: ...


O = TypeVar("O", bound=_Object)  # noqa: E741  # the usual name of a type variable for objects


class View:
    """Functions by ``namespace/name``, and their ReplicaSets and Pods by that key and their own name."""

    def __init__(self) -> None:
        self.functions: dict[str, Function] = {}
        self.replica_sets: dict[str, dict[str, ReplicaSet]] = {}
        self.pods: dict[str, dict[str, Pod]] = {}

    def function_changed(self, change: Change[Function]) -> str:
        """Takes a change in; returns the Function's key."""
        if change.type == "DELETED":
            self.functions.pop(change.key, None)
        else:
            self.functions[change.key] = _newer(self.functions.get(change.key), change.new)
        return change.key

    def replica_set_changed(self, change: Change[ReplicaSet]) -> str:
        """Takes a change in; returns the key of the Function that it is about."""
        return _take(self.replica_sets, change.new.metadata.function_key, change)

    def pod_changed(self, change: Change[Pod]) -> str:
        """Takes a change in; returns the key of the Function that it is about."""
        return _take(self.pods, change.new.metadata.function_key, change)

    def wrote_function(self, written: Function) -> None:
        """Takes in the answer of a write."""
        key = f"{written.metadata.namespace}/{written.metadata.name}"
        if key in self.functions:
            self.functions[key] = _newer(self.functions[key], written)

    def wrote_replica_set(self, written: ReplicaSet) -> None:
        """Takes in the answer of a write."""
        group = self.replica_sets.setdefault(written.metadata.function_key, {})
        group[written.metadata.name] = _newer(group.get(written.metadata.name), written)

    def deleted_replica_set(self, namespace: str, name: str) -> None:
        """Takes in that a ReplicaSet is gone."""
        for key, group in list(self.replica_sets.items()):
            if key.startswith(f"{namespace}/") and group.pop(name, None) is not None and not group:
                del self.replica_sets[key]

    def owned(self, function: Function) -> dict[str, ReplicaSet]:
        """The ReplicaSets of this very Function (not of an earlier one of its name), by revision."""
        meta = function.metadata
        group = self.replica_sets.get(f"{meta.namespace}/{meta.name}", {})
        return {
            found.metadata.revision: found
            for found in group.values()
            if found.metadata.owner_uid == meta.uid and found.metadata.deletion_timestamp is None
        }

    def pods_of(self, key: str) -> dict[str, list[Pod]]:
        """The Pods of a Function by revision."""
        found: dict[str, list[Pod]] = {}
        for pod in self.pods.get(key, {}).values():
            found.setdefault(pod.metadata.revision, []).append(pod)
        return found

    def orphans(self, key: str) -> list[ReplicaSet]:
        """ReplicaSets with our labels whose Function is not there, or is another one of the same name."""
        function = self.functions.get(key)
        group = self.replica_sets.get(key, {})
        if function is None:
            return list(group.values())
        return [found for found in group.values() if found.metadata.owner_uid not in ("", function.metadata.uid)]


def _take(groups: dict[str, dict[str, O]], key: str, change: Change[O]) -> str:
    name = change.new.metadata.name
    if change.type != "DELETED":
        group = groups.setdefault(key, {})
        group[name] = _newer(group.get(name), change.new)
    elif key in groups:
        groups[key].pop(name, None)
        if not groups[key]:
            del groups[key]
    return key


def _newer(known: O | None, told: O) -> O:
    """The later of two states of an object: resourceVersions of one uid compare as numbers (Kubernetes 1.35 on)."""
    if known is None or known.metadata.uid != told.metadata.uid:
        return told
    return known if _version(known) > _version(told) else told


def _version(item: _Object) -> int:
    text = item.metadata.resource_version
    return int(text) if text.isdigit() else 0
