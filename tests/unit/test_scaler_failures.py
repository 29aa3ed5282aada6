"""Why Pods do not start, as kubelet, scheduler and ReplicaSet controller say it."""

from typing import Any

import pytest

from services.scaler.actions import PatchStatus
from services.scaler.failures import Failure, find_failure
from services.scaler.objects import ReplicaSetStatus, StatusCondition
from tests.support.world import CRASHED, READY, STARTING, UNIX, World, make_function, make_pod


def waiting(reason: str, message: str = "", last: dict[str, Any] | None = None) -> dict[str, Any]:
    status: dict[str, Any] = {"state": {"waiting": {"reason": reason, "message": message}}}
    if last is not None:
        status["lastState"] = {"terminated": last}
    return {"containerStatuses": [status]}


def ended(**state: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"state": {"terminated": state}}]}


def running_since(moment: str, unready: str = "") -> dict[str, Any]:
    """A container that runs since ``moment``; ``unready``: when its Pod stopped being ready."""
    condition = {"type": "Ready", "status": "False", "lastTransitionTime": unready}
    containers = [{"state": {"running": {"startedAt": moment}}}]
    return {"containerStatuses": containers, "conditions": [condition] if unready else []}


def unscheduled(reason: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": "0/1 nodes"}
    return {"conditions": [condition]}


CRASH = "CrashLoopBackOff"
LOG = "Traceback (most recent call last):\n  …\nfaas: cannot start: handler main:f: no such attribute\n"
ABSENT = "archive 0f0f… from http://gateway/x: the archive server does not have it (404)"
CHANGED = "archive 0f0f… from http://gateway/x: its bytes have the digest 00"
DEAF = "the container runs but GET /healthz on port 8080 gets no 200"
FAILURES: list[tuple[dict[str, Any], str, str]] = [
    (waiting("ImagePullBackOff", "Back-off pulling x"), "ImagePullBackOff", "Back-off pulling x"),
    (waiting("ErrImagePull", "no such image"), "ErrImagePull", "no such image"),
    (waiting("CreateContainerConfigError", "no secret"), "CreateContainerConfigError", "no secret"),
    (CRASHED, CRASH, "no module"),
    (waiting(CRASH, "back-off", {"exitCode": 3}), CRASH, "the container exited with code 3"),
    (waiting(CRASH, "back-off", {"exitCode": 1, "message": LOG}), CRASH, "handler main:f: no such attribute"),
    (waiting(CRASH, "", {"exitCode": 137, "reason": "OOMKilled", "message": "big"}), "OOMKilled", "big"),
    (ended(reason="OOMKilled"), "OOMKilled", "the container used more memory than its limit"),
    (ended(exitCode=1, message=f"faas: cannot start: {ABSENT}\n"), "ArchiveNotFound", ABSENT),
    (ended(exitCode=1, message=CHANGED), "ArchiveUnusable", CHANGED),
    (ended(exitCode=0), CRASH, "the container exited with code 0"),
    ({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, "Evicted", "low on memory"),
    ({"phase": "Failed"}, "PodFailed", "the Pod has failed"),
    (unscheduled("Unschedulable"), "Unschedulable", "0/1 nodes"),
    (running_since("2027-01-15T07:59:00Z"), "NotResponding", DEAF),
    (running_since("2027-01-15T07:00:00Z", unready="2027-01-15T07:59:00Z"), "NotResponding", DEAF),
]


@pytest.mark.parametrize(("status", "reason", "message"), FAILURES)
def test_a_failure_is_named(status: dict[str, Any], reason: str, message: str) -> None:
    assert find_failure(None, [make_pod("r", **status)], UNIX) == Failure(reason, message)


@pytest.mark.parametrize(
    "status",
    [
        {}, READY, STARTING, waiting("PodInitializing"), {"phase": "Succeeded"},
        running_since("2027-01-15T07:59:45Z"), running_since("soon"), unscheduled("SchedulingGated"),
        running_since("2027-01-15T07:00:00Z", unready="2027-01-15T07:59:45Z"),
        {"containerStatuses": [{"ready": True, "restartCount": 1, "lastState": {"terminated": {"exitCode": 1}}}]},
    ],
)  # fmt: skip
def test_what_is_on_its_way_is_no_failure(status: dict[str, Any]) -> None:
    assert find_failure(None, [make_pod("r", **status)], UNIX) is None


def test_a_pod_that_is_being_deleted_says_nothing() -> None:
    pod = make_pod("r", **ended(exitCode=1))
    pod.metadata.deletion_timestamp = "2027-01-15T08:00:00Z"
    assert find_failure(None, [pod], UNIX) is None


def test_last_words_are_cut_at_the_front() -> None:
    found = find_failure(None, [make_pod("r", **ended(exitCode=1, message="x" * 5000 + "the end"))], UNIX)
    assert found is not None
    assert len(found.message) == 1024
    assert found.message.endswith("the end")


def test_pods_that_may_not_be_made_are_explained_by_the_replica_set() -> None:
    world = World(make_function())
    world.outcomes[world.hash] = STARTING
    world.step(1)
    world.pods.clear()
    refused = StatusCondition(type="ReplicaFailure", status="True", reason="FailedCreate", message="exceeded quota")
    world.replica_sets[world.hash].status = ReplicaSetStatus(0, [refused])
    status = next(a for a in world.plan(1) if isinstance(a, PatchStatus)).status
    assert [(c.status, c.reason, c.message) for c in status.conditions if c.type == "Ready"] == [
        ("False", "FailedCreate", "exceeded quota")
    ]
