"""Garbage collection's decisions."""

from typing import Any

import msgspec

from cli.local.controllers.graph import Delete, DropFinalizer, DropOwners, Graph, Kind, Orphan, OwnerState, decide
from cli.local.controllers.resources import Meta, OwnerReference

POD = Kind("v1", "Pod", "pods", "/api/v1", True)
SET = Kind("apps/v1", "ReplicaSet", "replicasets", "/apis/apps/v1", True)
DYING = {"deletionTimestamp": "2027-01-15T08:00:00Z"}


def meta(uid: str, *owners: str, block: bool = True, **fields: Any) -> Meta:
    references = [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": o, "uid": o, "blockOwnerDeletion": block}
        for o in owners
    ]
    return msgspec.convert({"name": uid, "namespace": "ns", "uid": uid, "ownerReferences": references, **fields}, Meta)


def states(graph: Graph) -> Any:
    """As the collector would say if every object were in the graph."""

    def state_of(owner: OwnerReference) -> OwnerState:
        node = graph.nodes.get(owner.uid)
        if node is None:
            return "absent"
        return "dying" if node.waits_for_dependents else "solid"

    return state_of


def make_graph(*objects: tuple[Kind, Meta]) -> Graph:
    graph = Graph()
    for kind, one in objects:
        graph.put(kind, one)
    return graph


def test_paths() -> None:
    assert POD.path("ns", "p") == "/api/v1/namespaces/ns/pods/p"
    assert Kind("v1", "Node", "nodes", "/api/v1", False).path("", "n") == "/api/v1/nodes/n"


def test_dependents_go_with_their_owner() -> None:
    graph = make_graph((SET, meta("rs")), (POD, meta("a", "rs")), (POD, meta("b", "rs")), (POD, meta("free")))
    assert decide(graph, "a", states(graph)) is None
    assert graph.remove("rs") == {"a", "b"}
    assert decide(graph, "a", states(graph)) == Delete("Background")
    assert decide(graph, "free", states(graph)) is None


def test_an_owner_that_was_never_seen_wakes_its_dependents_too() -> None:
    graph = make_graph((POD, meta("a", "unseen")))
    assert graph.remove("unseen") == {"a"}


def test_a_second_owner_keeps_the_object() -> None:
    graph = make_graph((SET, meta("rs2")), (POD, meta("a", "rs1", "rs2")))
    assert decide(graph, "a", states(graph)) == DropOwners(frozenset({"rs1"}))


def test_what_is_being_deleted_is_left_alone() -> None:
    graph = make_graph((POD, meta("a", "gone", **DYING)))
    assert decide(graph, "a", states(graph)) is None


def test_foreground_waits_for_blocking_dependents() -> None:
    graph = make_graph((POD, meta("a", "rs")), (POD, meta("loose", "rs", block=False)))
    affected = graph.put(SET, meta("rs", finalizers=["foregroundDeletion"], **DYING))
    assert affected == {"rs", "a", "loose"}
    assert decide(graph, "rs", states(graph)) is None
    assert decide(graph, "a", states(graph)) == Delete("Background")
    assert graph.remove("a") == {"rs"}
    assert decide(graph, "rs", states(graph)) == DropFinalizer("foregroundDeletion")


def test_foreground_goes_on_below() -> None:
    graph = make_graph(
        (SET, meta("top", finalizers=["foregroundDeletion"], **DYING)), (SET, meta("rs", "top")), (POD, meta("a", "rs"))
    )
    assert decide(graph, "rs", states(graph)) == Delete("Foreground")
    assert decide(graph, "a", states(graph)) is None


def test_orphaning_frees_the_dependents_first() -> None:
    graph = make_graph((POD, meta("a", "rs")), (POD, meta("b", "rs")))
    graph.put(SET, meta("rs", finalizers=["orphan"], **DYING))
    assert decide(graph, "rs", states(graph)) == Orphan(("a", "b"))


def test_letting_go_of_an_owner_wakes_it() -> None:
    graph = make_graph((SET, meta("rs", finalizers=["foregroundDeletion"], **DYING)), (POD, meta("a", "rs")))
    assert "rs" in graph.put(POD, meta("a"))
    assert graph.dependents("rs") == []
