"""What a ReplicaSet lacks: a pure function of it, the Pods of its namespace and `now`.

Follows the ReplicaSet controller of Kubernetes in what others can see: claiming by selector, the order of deletion, the
status.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

import msgspec

from cli.local.controllers.resources import Condition, Pod, ReplicaSet, ReplicaSetStatus
from cli.local.controllers.selectors import matches

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
BURST = 500
"""At most so many creations or deletions in one go."""
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


class Plan(msgspec.Struct):
    """What is to be done."""

    adopt: list[Pod] = []
    release: list[Pod] = []
    create: int = 0
    delete: list[Pod] = []


def claim(replica_set: ReplicaSet, pods: Iterable[Pod]) -> tuple[list[Pod], list[Pod], list[Pod]]:
    """The Pods that are the ReplicaSet's, those it should adopt, and those it should let go."""
    owned: list[Pod] = []
    adopt: list[Pod] = []
    release: list[Pod] = []
    dying = replica_set.metadata.deletion_timestamp is not None
    for pod in pods:
        controller = pod.metadata.controller
        fits = matches(replica_set.spec.selector, pod.metadata.labels)
        if controller is not None:
            if controller.uid == replica_set.metadata.uid:
                (owned if fits or dying else release).append(pod)
        elif fits and not dying and pod.active:
            adopt.append(pod)
    return owned, adopt, release


def plan(replica_set: ReplicaSet, pods: Iterable[Pod], settled: bool) -> Plan:
    """What is to be done now. Nothing is made or deleted unless `settled`: the watch has shown all asked for."""
    owned, adopt, release = claim(replica_set, pods)
    found = Plan(adopt=adopt, release=release)
    if not settled or replica_set.metadata.deletion_timestamp is not None:
        return found
    active = [pod for pod in owned if pod.active] + adopt
    surplus = len(active) - replica_set.spec.replicas
    if surplus < 0:
        found.create = min(-surplus, BURST)
    elif surplus > 0:
        found.delete = deletion_order(active)[: min(surplus, BURST)]
    return found


def deletion_order(pods: list[Pod]) -> list[Pod]:
    """Pods, the most dispensable first (source: ActivePodsWithRanks of the ReplicaSet controller).

    Unassigned, then pending, then not ready; then the lower deletion cost, the fuller node, the younger readiness, the
    more restarts, the younger Pod.
    """
    on_node = Counter(pod.spec.node_name for pod in pods)

    def dispensability(pod: Pod) -> tuple[object, ...]:
        ready = pod.ready_since
        restarts = sum(status.restart_count for status in pod.status.container_statuses or [])
        return (
            bool(pod.spec.node_name),
            _PHASES.get(pod.status.phase, 1),
            ready is not None,
            _deletion_cost(pod),
            -on_node[pod.spec.node_name],
            -_seconds(ready),
            -restarts,
            -_seconds(pod.metadata.creation_timestamp),
            pod.metadata.name,
        )

    return sorted(pods, key=dispensability)


def _deletion_cost(pod: Pod) -> int:
    text = pod.metadata.annotations.get(DELETION_COST, "0")
    try:
        return int(text)
    except ValueError:
        return 0


def _seconds(time: str | None) -> float:
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() if time else 0.0


def status(
    replica_set: ReplicaSet, pods: Iterable[Pod], failure: str | None, now: float, now_text: str
) -> tuple[ReplicaSetStatus, float | None]:
    """The status to report, and when to look again because a Pod becomes available (`minReadySeconds`).

    `failure` is why Pods could not be created or deleted at the last attempt.
    """
    active = [pod for pod in claim(replica_set, pods)[0] if pod.active]
    wanted = ((replica_set.spec.template.get("metadata") or {}).get("labels") or {}).items()
    ready = [_seconds(pod.ready_since) for pod in active if pod.ready_since is not None]
    pauses = [since + replica_set.spec.min_ready_seconds - now for since in ready]
    waiting = [pause for pause in pauses if pause > 0 and replica_set.spec.min_ready_seconds]
    found = ReplicaSetStatus(
        replicas=len(active),
        fully_labeled_replicas=sum(wanted <= pod.metadata.labels.items() for pod in active),
        ready_replicas=len(ready),
        available_replicas=len(ready) - len(waiting),
        observed_generation=replica_set.metadata.generation,
        conditions=_conditions(replica_set, failure, now_text),
    )
    return found, min(waiting, default=None)


def _conditions(replica_set: ReplicaSet, failure: str | None, now_text: str) -> list[Condition]:
    others = [known for known in replica_set.status.conditions if known.type != "ReplicaFailure"]
    if failure is None:
        return others
    before = next((known for known in replica_set.status.conditions if known.type == "ReplicaFailure"), None)
    since = before.last_transition_time if before else now_text
    return [*others, Condition("ReplicaFailure", "True", since, "FailedCreate", failure)]
