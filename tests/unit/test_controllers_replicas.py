"""What a ReplicaSet lacks, on virtual time."""

from typing import Any

import msgspec
import pytest

from cli.local.controllers.expectations import EXPIRY_SECONDS, Expectations
from cli.local.controllers.replicas import Plan, deletion_order, plan, status
from cli.local.controllers.resources import LabelSelector, Pod, ReplicaSet
from cli.local.controllers.selectors import matches

T0 = "2027-01-15T08:00:00Z"
NOW = 1_800_000_000.0


def make_set(replicas: int = 1, **fields: Any) -> ReplicaSet:
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "a"}},
        "template": {"metadata": {"labels": {"app": "a", "x": "y"}}},
        **fields.pop("spec", {}),
    }
    meta = {"name": "rs", "namespace": "ns", "uid": "rs-uid", "generation": 4, **fields.pop("metadata", {})}
    return msgspec.convert({"metadata": meta, "spec": spec, **fields}, ReplicaSet)


def make_pod(name: str, owner: str | None = "rs-uid", ready: str | None = None, **fields: Any) -> Pod:
    meta: dict[str, Any] = {"name": name, "namespace": "ns", "uid": name, "labels": {"app": "a", "x": "y"}}
    if owner:
        reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": owner, "controller": True}
        meta["ownerReferences"] = [reference]
    meta |= fields.pop("metadata", {})
    conditions = [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": ready}]
    pod_status = {"phase": "Running", "conditions": conditions, **fields.pop("status", {})}
    return msgspec.convert({"metadata": meta, "spec": {"nodeName": "n", **fields}, "status": pod_status}, Pod)


def names(pods: list[Pod]) -> list[str]:
    return [pod.metadata.name for pod in pods]


def test_missing_pods_are_created_and_surplus_deleted() -> None:
    assert plan(make_set(3), [make_pod("a")], settled=True).create == 2
    assert plan(make_set(1), [make_pod("a")], settled=True) == Plan()
    assert len(plan(make_set(1), [make_pod("a"), make_pod("b"), make_pod("c")], settled=True).delete) == 2


def test_nothing_happens_before_the_watch_has_caught_up() -> None:
    todo = plan(make_set(3), [make_pod("a")], settled=False)
    assert (todo.create, todo.delete) == (0, [])


def test_ended_and_terminating_pods_are_replaced() -> None:
    pods = [
        make_pod("failed", status={"phase": "Failed"}),
        make_pod("going", metadata={"deletionTimestamp": T0}),
        make_pod("fine"),
    ]
    todo = plan(make_set(2), pods, settled=True)
    assert (todo.create, todo.delete) == (1, [])


def test_a_replica_set_being_deleted_does_nothing() -> None:
    todo = plan(make_set(3, metadata={"deletionTimestamp": T0}), [make_pod("orphan", owner=None)], settled=True)
    assert (todo.create, todo.adopt, todo.release) == (0, [], [])


def test_pods_are_claimed_by_selector() -> None:
    pods = [
        make_pod("mine"),
        make_pod("orphan", owner=None),
        make_pod("changed", metadata={"labels": {"app": "other"}}),
        make_pod("foreign", owner="other-uid"),
        make_pod("unlike", owner=None, metadata={"labels": {"app": "other"}}),
        make_pod("ended", owner=None, status={"phase": "Succeeded"}),
    ]
    todo = plan(make_set(3), pods, settled=True)
    assert names(todo.adopt) == ["orphan"]
    assert names(todo.release) == ["changed"]
    assert todo.create == 1


def test_the_order_of_deletion_is_that_of_kubernetes() -> None:
    early, late = "2027-01-15T08:00:00Z", "2027-01-15T09:00:00Z"
    cost = {"controller.kubernetes.io/pod-deletion-cost": "10"}
    restarts = {"containerStatuses": [{"restartCount": 3}]}
    expected = [
        make_pod("unassigned", nodeName=""),
        make_pod("pending", status={"phase": "Pending"}),
        make_pod("unready"),
        make_pod("just-ready", ready=late, metadata={"creationTimestamp": early}),
        make_pod("restarted", ready=early, metadata={"creationTimestamp": early}, status=restarts),
        make_pod("young", ready=early, metadata={"creationTimestamp": late}),
        make_pod("old", ready=early, metadata={"creationTimestamp": early}),
        make_pod("costly", ready=late, metadata={"annotations": cost, "creationTimestamp": early}),
    ]
    assert names(deletion_order(expected[::-1])) == names(expected)


def test_the_fuller_node_loses_first() -> None:
    pods = [make_pod("alone", ready=T0, nodeName="a"), *(make_pod(f"b{i}", ready=T0, nodeName="b") for i in range(2))]
    assert names(deletion_order(pods)) == ["b0", "b1", "alone"]


def test_status_counts() -> None:
    pods = [
        make_pod("ready", ready="2027-01-15T07:00:00Z"),
        make_pod("young", ready=T0),
        make_pod("unready", metadata={"labels": {"app": "a"}}),
        make_pod("going", ready=T0, metadata={"deletionTimestamp": T0}),
    ]
    found, pause = status(make_set(3, spec={"minReadySeconds": 10}), pods, None, NOW + 4, T0)
    assert (found.replicas, found.fully_labeled_replicas, found.ready_replicas) == (3, 2, 2)
    assert (found.available_replicas, found.observed_generation) == (1, 4)
    assert pause == pytest.approx(6)


def test_a_refused_creation_shows_and_goes() -> None:
    failed, _ = status(make_set(), [], "quota exceeded", NOW, T0)
    (condition,) = failed.conditions
    assert (condition.type, condition.status, condition.reason) == ("ReplicaFailure", "True", "FailedCreate")
    assert condition.message == "quota exceeded"
    later = make_set(status=msgspec.to_builtins(failed))
    assert status(later, [], "quota exceeded", NOW + 9, "later")[0].conditions == failed.conditions
    assert status(later, [make_pod("a")], None, NOW + 9, "later")[0].conditions == []


def test_expectations_hold_until_seen() -> None:
    expectations = Expectations()
    expectations.expect_creations("rs", 2, 0.0)
    expectations.created("rs")
    assert not expectations.satisfied("rs", 1.0)
    expectations.created("rs")
    assert expectations.satisfied("rs", 1.0)
    expectations.expect_deletion("rs", "pod", 2.0)
    expectations.deleted("rs", "another")
    assert not expectations.satisfied("rs", 3.0)
    expectations.deleted("rs", "pod")
    assert expectations.satisfied("rs", 3.0)


def test_expectations_expire() -> None:
    expectations = Expectations()
    expectations.expect_creations("rs", 1, 0.0)
    assert not expectations.satisfied("rs", EXPIRY_SECONDS)
    assert expectations.satisfied("rs", EXPIRY_SECONDS + 1)
    expectations.created("rs")
    assert expectations.satisfied("rs", EXPIRY_SECONDS + 1)


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        ({}, {"a": "1"}, False),
        ({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "2"}, False),
        ({"matchLabels": {"a": "1"}}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, {"a": "2"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {"a": "1"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": ""}, False),
    ],
)
def test_selectors(selector: dict[str, Any], labels: dict[str, str], expected: bool) -> None:
    assert matches(msgspec.convert(selector, LabelSelector), labels) is expected
