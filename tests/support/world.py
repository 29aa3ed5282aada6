"""One Function with its objects in memory: actions are applied as the API server and its controllers would."""

from itertools import count
from typing import Any

import msgspec

from services.contracts.resources import Function
from services.scaler.actions import Action, CreateReplicaSet, DeleteReplicaSet, PatchStatus, ScaleReplicaSet
from services.scaler.decide import Decision
from services.scaler.failures import Failure
from services.scaler.objects import Pod, ReplicaSet
from services.scaler.reconcile import Situation, reconcile, serving_revision
from services.scaler.template import InvalidSpec, Platform, Revision, revision_of

PLATFORM = Platform("localhost/faas-python:0.1", "http://127.0.0.1:8080", b"secret")
UNIX = 1_800_000_000.0


def make_function(**spec: Any) -> Function:
    """``default/add``, generation 1."""
    if not {"source", "image"} & spec.keys():
        spec["source"] = {"inline": {"main.py": "x = 1"}}
    metadata = {"name": "add", "namespace": "default", "uid": "f-1", "generation": 1, "resourceVersion": "1"}
    return msgspec.convert({"metadata": metadata, "spec": spec}, Function)


def make_pod(revision: str, name: str = "p", **status: Any) -> Pod:
    """A Pod with this status."""
    labels = {"faas.dev/function": "add", "faas.dev/revision": revision}
    return msgspec.convert(
        {"metadata": {"name": name, "namespace": "default", "labels": labels}, "status": status}, Pod
    )


READY: dict[str, Any] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
STARTING: dict[str, Any] = {"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}
CRASHED: dict[str, Any] = {
    "containerStatuses": [
        {
            "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": "no module"}},
        }
    ]
}


class World:
    """``outcomes``: the status that Pods of a revision get (READY when a revision has none)."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.replica_sets: dict[str, ReplicaSet] = {}
        self.pods: dict[str, list[Pod]] = {}
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.held = 0
        self.done: list[Action] = []
        self._versions = count(2)

    @property
    def target(self) -> Revision | Failure:
        try:
            return revision_of(self.function, PLATFORM)
        except InvalidSpec as error:
            return Failure("InvalidSpec", str(error))

    @property
    def hash(self) -> str:
        """The revision that the spec asks for."""
        target = self.target
        assert isinstance(target, Revision)
        return target.hash

    @property
    def replicas(self) -> dict[str, int]:
        return {revision: found.spec.replicas for revision, found in self.replica_sets.items()}

    def condition(self, type_: str) -> tuple[str, str]:
        """Status and reason."""
        found = next(c for c in self.function.status.conditions if c.type == type_)
        return found.status, found.reason

    def deploy(self, **spec: Any) -> str:
        """Changes the spec; returns the revision that it asks for."""
        document = msgspec.to_builtins(self.function.spec) | spec
        self.function.spec = msgspec.convert(document, type(self.function.spec))
        self.function.metadata.generation += 1
        return self.hash if isinstance(self.target, Revision) else ""

    def plan(self, replicas: int, drained: bool = True) -> list[Action]:
        """What the scaler would do, load asking for so many Pods."""
        now = Situation(self.function, self.target, self.replica_sets, self.pods, UNIX)
        serving = serving_revision(now, self.held, 10)
        return reconcile(now, serving, Decision(replicas, "load", 0.0), drained)

    def step(self, replicas: int, drained: bool = True) -> list[Action]:
        """Plans, applies, lets Pods start and end."""
        actions = self.plan(replicas, drained)
        for action in actions:
            self._apply(action)
        self.done += actions
        self._run_pods()
        return actions

    def _run_pods(self) -> None:
        for revision, found in self.replica_sets.items():
            have = self.pods.setdefault(revision, [])
            del have[found.spec.replicas :]
            have += [make_pod(revision, f"p{i}") for i in range(len(have), found.spec.replicas)]
            outcome = self.outcomes.get(revision, READY)
            self.pods[revision] = [make_pod(revision, pod.metadata.name, **outcome) for pod in have]
            found.status.replicas = len(have)

    def settle(self, replicas: int, steps: int = 12) -> None:
        """Steps until there is nothing left to do; fails the test when there always is."""
        self._run_pods()
        for _ in range(steps):
            if not self.step(replicas):
                return
        raise AssertionError(f"no rest after {steps} steps: {self.done[-3:]}")

    def _apply(self, action: Action) -> None:
        version = str(next(self._versions))
        if isinstance(action, CreateReplicaSet):
            made = msgspec.convert(action.body, ReplicaSet)
            made.metadata.resource_version, made.metadata.uid = version, f"rs-{version}"
            assert made.metadata.revision not in self.replica_sets
            self.replica_sets[made.metadata.revision] = made
        elif isinstance(action, ScaleReplicaSet):
            found = next(rs for rs in self.replica_sets.values() if rs.metadata.name == action.name)
            assert found.metadata.resource_version == action.resource_version
            found.spec.replicas, found.metadata.resource_version = action.replicas, version
        elif isinstance(action, DeleteReplicaSet):
            revision = next(r for r, rs in self.replica_sets.items() if rs.metadata.name == action.name)
            assert not self.pods.pop(revision, None), "Pods of a deleted ReplicaSet would be cut off"
            del self.replica_sets[revision]
        else:
            assert isinstance(action, PatchStatus)
            self.function.status = action.status
