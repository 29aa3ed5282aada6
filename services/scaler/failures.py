"""Why Pods do not start: what the kubelet, the scheduler and the ReplicaSet controller say about them. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from services.scaler.objects import ContainerStatus, Pod, ReplicaSet, Terminated

ORDINARY = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Waiting reasons of a container that is on its way."""
PASSING = frozenset({"Unschedulable"})
"""Reasons that end by themselves when the cluster gets room: such a start has not failed, its Pods go on waiting."""
DEAF_AFTER = 30.0
"""Seconds that a running container may leave its readiness probe without an answer before that is called a failure."""
MAX_WORDS = 1024
"""Characters of a container's last words in a condition."""
_CANNOT_START = "faas: cannot start: "
"""Begins the last line that the Python runtime prints when it gives up; what stands before is for the log's readers."""


class Failure(NamedTuple):
    """Why there is no ready Pod, as a condition says it."""

    reason: str
    message: str


def find_failure(replica_set: ReplicaSet | None, pods: Iterable[Pod], now: float) -> Failure | None:
    """Why a revision has no ready Pod; None while it is merely starting. ``now`` is Unix time."""
    for pod in pods:
        failure = _pod_failure(pod, now)
        if failure is not None:
            return failure
    for condition in replica_set.status.conditions if replica_set is not None else []:
        if condition.type == "ReplicaFailure" and condition.status == "True":
            return Failure(condition.reason or "ReplicaFailure", condition.message)
    return None


def _pod_failure(pod: Pod, now: float) -> Failure | None:
    if pod.metadata.deletion_timestamp is not None or pod.ready:
        return None
    if pod.status.phase == "Failed":
        return Failure(pod.status.reason or "PodFailed", pod.status.message or _ended(pod))
    for status in pod.status.container_statuses:
        failure = _container_failure(status, _deaf_for(pod, status, now))
        if failure is not None:
            return failure
    for condition in pod.status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False" and condition.reason == "Unschedulable":
            return Failure("Unschedulable", condition.message)
    return None


def _container_failure(status: ContainerStatus, deaf: float) -> Failure | None:
    if status.ready:
        return None
    state = status.state
    ended = state.terminated or status.last_state.terminated
    if state.waiting is not None and state.waiting.reason not in ORDINARY:
        if state.waiting.reason == "CrashLoopBackOff" and ended is not None:
            return _crash(ended)
        return Failure(state.waiting.reason, state.waiting.message)
    if ended is not None:
        return _crash(ended)
    if deaf > DEAF_AFTER:
        return Failure("NotResponding", "the container runs but GET /healthz on port 8080 gets no 200")
    return None


def _deaf_for(pod: Pod, status: ContainerStatus, now: float) -> float:
    """Seconds for which a running container has not been ready: since its start, or since it was ready last."""
    if status.state.running is None:
        return 0.0
    since = [c.last_transition_time for c in pod.status.conditions if c.type == "Ready" and c.status == "False"]
    return min(_age(moment, now) for moment in (status.state.running.started_at, *filter(None, since)))


def _crash(ended: Terminated) -> Failure:
    words = ended.message.rpartition(_CANNOT_START)[2].strip()[-MAX_WORDS:]
    if ended.reason == "OOMKilled":
        return Failure("OOMKilled", words or "the container used more memory than its limit")
    reason = "CrashLoopBackOff"
    if words.startswith("archive "):
        reason = "ArchiveNotFound" if "(404)" in words else "ArchiveUnusable"
    return Failure(reason, words or f"the container exited with code {ended.exit_code}")


def _ended(pod: Pod) -> str:
    ends = [status.state.terminated for status in pod.status.container_statuses]
    return next((_crash(end).message for end in ends if end is not None), "the Pod has failed")


def _age(moment: str, now: float) -> float:
    """Seconds since an RFC 3339 time; 0 when it cannot be read."""
    try:
        return now - datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
