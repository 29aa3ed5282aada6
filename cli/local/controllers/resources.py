"""The parts of objects that the controllers read, as msgspec structs (unknown fields are ignored)."""

from typing import Any

import msgspec


class Part(msgspec.Struct, rename="camel", omit_defaults=True):
    """Base of all parts: camelCase on the wire, defaults left out."""


class OwnerReference(Part):
    """An owner in the same namespace, or one without a namespace."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class Meta(Part):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: list[str] | None = None
    owner_references: list[OwnerReference] | None = None

    @property
    def controller(self) -> OwnerReference | None:
        """The one owner that manages the object."""
        return next((owner for owner in self.owner_references or [] if owner.controller), None)


class Object(Part):
    """Any object: all that garbage collection needs."""

    metadata: Meta


class Requirement(Part):
    key: str
    operator: str
    values: list[str] | None = None


class LabelSelector(Part):
    match_labels: dict[str, str] | None = None
    match_expressions: list[Requirement] | None = None


class Condition(Part):
    type: str
    status: str
    last_transition_time: str | None = None
    reason: str = ""
    message: str = ""


class ContainerStatus(Part):
    restart_count: int = 0


class PodStatus(Part):
    phase: str = "Pending"
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None


class PodSpec(Part):
    node_name: str = ""


class Pod(Part):
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


class ReplicaSetSpec(Part):
    replicas: int = 1
    min_ready_seconds: int = 0
    selector: LabelSelector = msgspec.field(default_factory=LabelSelector)
    template: dict[str, Any] = {}


class ReplicaSetStatus(Part, omit_defaults=False):
    replicas: int = 0
    fully_labeled_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    observed_generation: int = 0
    conditions: list[Condition] = []


class ReplicaSet(Part):
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
