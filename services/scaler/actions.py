"""What the scaler does to the API server. Each action names one object, and at most one runs on an object at a time."""

from typing import NamedTuple

from services.contracts.resources import FunctionStatus
from services.scaler.template import Json


class CreateReplicaSet(NamedTuple):
    """A new revision's ReplicaSet."""

    namespace: str
    name: str
    body: Json


class ScaleReplicaSet(NamedTuple):
    """Another number of Pods, decided on exactly this version of the ReplicaSet."""

    namespace: str
    name: str
    resource_version: str
    replicas: int
    previous: int
    reason: str


class DeleteReplicaSet(NamedTuple):
    """A ReplicaSet that nothing needs. ``orphan_of``: only if no Function of that name and uid exists."""

    namespace: str
    name: str
    uid: str
    orphan_of: tuple[str, str] | None = None


class PatchStatus(NamedTuple):
    """A Function's status, found on exactly this version of it."""

    namespace: str
    name: str
    resource_version: str
    status: FunctionStatus


Action = CreateReplicaSet | ScaleReplicaSet | DeleteReplicaSet | PatchStatus
