"""The parts of objects that the controllers read, as msgspec structs (unknown fields are ignored)."""

from typing import Any

import msgspec

from services.contracts.resources import ObjectMeta, Resource


class OwnerReference(Resource):
    """An owner in the same namespace, or one without a namespace."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class Meta(ObjectMeta):
    """Metadata with what garbage collection goes by."""

    finalizers: list[str] = msgspec.field(default_factory=list)
    owner_references: list[OwnerReference] = msgspec.field(default_factory=list)

    @property
    def controller(self) -> OwnerReference | None:
        """The one owner that manages the object."""
        return next((owner for owner in self.owner_references if owner.controller), None)


class Object(Resource):
    """Any object: all that garbage collection needs."""

    metadata: Meta


class Requirement(Resource):
    key: str
    operator: str
    values: list[str] | None = None


class LabelSelector(Resource):
    match_labels: dict[str, str] | None = None
    match_expressions: list[Requirement] | None = None


class Condition(Resource):
    type: str
    status: str
    last_transition_time: str | None = None
    reason: str = ""
    message: str = ""


class ContainerStatus(Resource):
    restart_count: int = 0


class PodStatus(Resource):
    phase: str = "Pending"
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None


class PodSpec(Resource):
    node_name: str = ""


class Pod(Resource):
    metadata: Meta
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus = msgspec.field(default_factory=PodStatus)

    @property
    def ready_since(self) -> str | None:
        """Time of the Ready condition if it holds; None: not ready."""
        for condition in self.status.conditions or []:
            if condition.type == "Ready" and condition.status == "True":
                return condition.last_transition_time or ""
        return None

    @property
    def active(self) -> bool:
        """Neither ended nor being deleted."""
        return self.status.phase not in ("Succeeded", "Failed") and self.metadata.deletion_timestamp is None


class ReplicaSetSpec(Resource):
    replicas: int = 1
    min_ready_seconds: int = 0
    selector: LabelSelector = msgspec.field(default_factory=LabelSelector)
    template: dict[str, Any] = msgspec.field(default_factory=dict)


class ReplicaSetStatus(Resource, omit_defaults=False):
    replicas: int = 0
    fully_labeled_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    observed_generation: int = 0
    conditions: list[Condition] = msgspec.field(default_factory=list)


class ReplicaSet(Resource):
    metadata: Meta
    spec: ReplicaSetSpec = msgspec.field(default_factory=ReplicaSetSpec)
    status: ReplicaSetStatus = msgspec.field(default_factory=ReplicaSetStatus)

    @property
    def path(self) -> str:
        """The object's address at the API server."""
        return f"/apis/apps/v1/namespaces/{self.metadata.namespace}/replicasets/{self.metadata.name}"

    def reference(self) -> dict[str, Any]:
        """The owner reference in its Pods."""
        return {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": self.metadata.name,
            "uid": self.metadata.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
