"""What watches tell and what own writes answered, by Function."""

from typing import Any

import msgspec

from services.common.watch import Change
from services.scaler.objects import ReplicaSet
from services.scaler.view import View
from tests.support.world import make_function, make_pod


def make_set(name: str, version: str, replicas: int = 1, owner: str = "f-1", uid: str = "rs") -> ReplicaSet:
    metadata: dict[str, Any] = {"name": name, "namespace": "default", "uid": uid, "resourceVersion": version}
    metadata["labels"] = {"faas.dev/function": "add", "faas.dev/revision": name}
    if owner:
        metadata["ownerReferences"] = [{"kind": "Function", "uid": owner}]
    return msgspec.convert({"metadata": metadata, "spec": {"replicas": replicas}}, ReplicaSet)


def added(view: View, found: ReplicaSet) -> str:
    return view.replica_set_changed(Change("ADDED", f"default/{found.metadata.name}", found, None))


def test_an_answer_is_newer_than_the_watch_until_the_watch_catches_up() -> None:
    view, function = View(), make_function()
    assert added(view, make_set("a", "5", 1)) == "default/add"
    view.wrote_replica_set(make_set("a", "9", 3))
    added(view, make_set("a", "7", 1))
    assert view.owned(function)["a"].spec.replicas == 3
    added(view, make_set("a", "10", 2))
    assert view.owned(function)["a"].spec.replicas == 2


def test_a_recreated_object_replaces_the_old_one_whatever_its_version() -> None:
    view, function = View(), make_function()
    added(view, make_set("a", "9", 3, uid="old"))
    added(view, make_set("a", "4", 1, uid="new"))
    assert view.owned(function)["a"].spec.replicas == 1


def test_only_what_this_function_owns_is_its_own() -> None:
    view, function = View(), make_function()
    view.function_changed(Change("ADDED", "default/add", function, None))
    added(view, make_set("a", "1"))
    added(view, make_set("b", "1", owner="f-0"))
    added(view, make_set("c", "1", owner=""))
    assert list(view.owned(function)) == ["a"]
    assert [found.metadata.name for found in view.orphans("default/add")] == ["b"], "an earlier Function's"
    view.function_changed(Change("DELETED", "default/add", function, None))
    assert {found.metadata.name for found in view.orphans("default/add")} == {"a", "b", "c"}


def test_what_is_deleted_is_gone() -> None:
    view, function = View(), make_function()
    added(view, make_set("a", "1"))
    view.deleted_replica_set("default", "a")
    view.replica_set_changed(Change("DELETED", "default/a", make_set("a", "2"), None))
    pod = make_pod("a", "p")
    view.pod_changed(Change("ADDED", "default/p", pod, None))
    assert view.pods_of("default/add") == {"a": [pod]}
    view.pod_changed(Change("DELETED", "default/p", pod, None))
    assert (view.owned(function), view.pods_of("default/add"), view.orphans("default/add")) == ({}, {}, [])
    assert not view.replica_sets
    assert not view.pods
