"""From what is to what should be, for one Function. Pure: the same situation always gives the same plan."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.contracts.resources import Function
from services.scaler.actions import Action, CreateReplicaSet, DeleteReplicaSet, PatchStatus, ScaleReplicaSet
from services.scaler.decide import Decision
from services.scaler.failures import Failure, find_failure
from services.scaler.objects import Pod, ReplicaSet
from services.scaler.status import READY, Findings, build_status, failed_before, find_condition
from services.scaler.template import Revision, replica_set


class Situation(NamedTuple):
    """One Function with all that belongs to it. ``unix`` is the wall clock's time."""

    function: Function
    target: Revision | Failure
    """The revision that the spec asks for, or why it asks for nothing possible."""
    replica_sets: Mapping[str, ReplicaSet]
    """Those that the Function owns, by revision."""
    pods: Mapping[str, list[Pod]]
    """By revision."""
    unix: float

    @property
    def target_hash(self) -> str:
        """The revision that the spec asks for; empty when it asks for nothing possible."""
        return self.target.hash if isinstance(self.target, Revision) else ""

    def ready(self, revision: str) -> int:
        """How many Pods of ``revision`` take calls."""
        return sum(pod.ready for pod in self.pods.get(revision, []))

    def replicas(self, revision: str) -> int:
        """How many Pods are asked for of ``revision``."""
        found = self.replica_sets.get(revision)
        return found.spec.replicas if found is not None else 0

    def failure(self, revision: str) -> Failure | None:
        """Why ``revision`` has no ready Pod; None while it has one or is merely starting."""
        return None if self.ready(revision) else self.stuck(revision)

    def stuck(self, revision: str) -> Failure | None:
        """Why ``revision`` has fewer ready Pods than are asked for, as long as it is not merely time."""
        return find_failure(self.replica_sets.get(revision), self.pods.get(revision, []), self.unix)

    def update_failure(self) -> Failure | None:
        """Why the spec's revision, where it is not the one that serves, does not come up."""
        if isinstance(self.target, Failure):
            return self.target
        if self.target.hash == self.function.status.revision or self.ready(self.target.hash):
            return None
        return self.failure(self.target.hash) or failed_before(self.function)


def serving_revision(now: Situation, held: int, concurrency: int) -> str:
    """Where traffic goes: to the target as soon as it can carry the ``held`` calls, or at once when nothing runs.

    An update that fails while nothing runs leaves the old revision the one that the next call starts.
    """
    current, target = now.function.status.revision, now.target_hash
    if not target or not current or current == target:
        return current or target
    ready, enough = now.ready(target), math.ceil(held / concurrency)
    if ready and (ready >= min(enough, now.replicas(target)) or now.stuck(target)):
        return target
    if now.ready(current):
        return current
    return target if now.update_failure() is None or _broken(now, current) else current


def reconcile(now: Situation, serving: str, decision: Decision, drained: bool) -> list[Action]:
    """What to do. ``decision`` is about ``serving``; ``drained``: every router has seen that traffic goes there."""
    target, failure = now.target_hash, now.update_failure()
    actions: list[Action] = []
    if serving:
        actions += _bring_to(now, serving, replicas_of(now, serving, decision), decision.reason)
    if target and target != serving:
        actions += _bring_to(now, target, _target_replicas(now, target, decision, failure), "update")
    if now.function.status.revision == serving:
        actions += _retire(now, {serving, target}, drained)
    status = build_status(now.function, _findings(now, serving, failure), now.unix)
    if status != now.function.status:
        meta = now.function.metadata
        actions.append(PatchStatus(meta.namespace, meta.name, meta.resource_version, status))
    return actions


def replicas_of(now: Situation, serving: str, decision: Decision) -> int:
    """How many Pods of what serves: what is decided, and for one that never ran at least one, to show that it can."""
    if serving in now.replica_sets or _proven(now.function, serving):
        return decision.replicas
    return max(1, decision.replicas)


def _target_replicas(now: Situation, target: str, decision: Decision, failure: Failure | None) -> int:
    """As many as the old revision has to run; a failing one only goes on trying while the Function is in use."""
    if failure is None:
        return max(1, decision.replicas, now.replicas(target))
    return max(1, now.replicas(target)) if decision.replicas else 0


def _bring_to(now: Situation, revision: str, replicas: int, reason: str) -> Iterable[Action]:
    meta = now.function.metadata
    found = now.replica_sets.get(revision)
    if found is not None:
        if found.spec.replicas != replicas:
            version, previous = found.metadata.resource_version, found.spec.replicas
            yield ScaleReplicaSet(meta.namespace, found.metadata.name, version, replicas, previous, reason)
    elif isinstance(now.target, Revision) and now.target.hash == revision:
        body = replica_set(now.function, now.target, replicas)
        yield CreateReplicaSet(meta.namespace, body["metadata"]["name"], body)


def _retire(now: Situation, needed: set[str], drained: bool) -> Iterable[Action]:
    """Old revisions: no Pods once traffic has left them, then nothing."""
    for revision, found in now.replica_sets.items():
        if revision in needed:
            continue
        meta = found.metadata
        if found.spec.replicas:
            if drained:
                previous = found.spec.replicas
                yield ScaleReplicaSet(meta.namespace, meta.name, meta.resource_version, 0, previous, "replaced")
        elif not found.status.replicas and not now.pods.get(revision):
            yield DeleteReplicaSet(meta.namespace, meta.name, meta.uid)


def _findings(now: Situation, serving: str, failure: Failure | None) -> Findings:
    pods = [pod for group in now.pods.values() for pod in group]
    return Findings(
        serving=serving,
        target=now.target_hash,
        replicas=sum(pod.live for pod in pods),
        ready=sum(pod.ready for pod in pods),
        failure=now.failure(serving),
        # once traffic has moved to the target its failure is that of what serves
        update_failure=None if serving and serving == now.target_hash else failure,
        draining=any(revision not in (serving, now.target_hash) for revision in now.replica_sets),
    )


def _proven(function: Function, revision: str) -> bool:
    """Whether it is known if ``revision`` starts."""
    said = find_condition(function.status.conditions, READY)
    return function.status.revision == revision and said is not None and said.status != "Unknown"


def _broken(now: Situation, revision: str) -> bool:
    said = find_condition(now.function.status.conditions, READY)
    return now.failure(revision) is not None or (said is not None and said.status == "False")
