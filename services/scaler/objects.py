"""What the scaler reads of ReplicaSets and Pods. Source: the Kubernetes API reference, apps/v1 and core/v1."""

from msgspec import field

from services.contracts.resources import LABEL_FUNCTION, LABEL_REVISION, ObjectMeta, Resource


class OwnerReference(Resource):
    """The object that this one belongs to."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class Meta(ObjectMeta):
    """Metadata with its owners."""

    owner_references: list[OwnerReference] = field(default_factory=list)

    @property
    def function_key(self) -> str:
        """``namespace/name`` of the Function that the labels name."""
        return f"{self.namespace}/{self.labels.get(LABEL_FUNCTION, '')}"

    @property
    def revision(self) -> str:
        """The revision that the labels name."""
        return self.labels.get(LABEL_REVISION, "")

    @property
    def owner_uid(self) -> str:
        """The uid of the Function that owns the object; empty when none does."""
        return next((owner.uid for owner in self.owner_references if owner.kind == "Function"), "")


class StatusCondition(Resource):
    """A condition of a ReplicaSet or Pod."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""


class ReplicaSetSpec(Resource):
    """How many Pods are asked for."""

    replicas: int = 1


class ReplicaSetStatus(Resource):
    """What the ReplicaSet controller found."""

    replicas: int = 0
    conditions: list[StatusCondition] = field(default_factory=list)


class ReplicaSet(Resource):
    """One revision of a Function."""

    metadata: Meta
    spec: ReplicaSetSpec = field(default_factory=ReplicaSetSpec)
    status: ReplicaSetStatus = field(default_factory=ReplicaSetStatus)


class Waiting(Resource):
    """Why a container is not running yet."""

    reason: str = ""
    message: str = ""


class Running(Resource):
    """Since when a container runs, in the form of RFC 3339."""

    started_at: str = ""


class Terminated(Resource):
    """How a container ended."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""


class ContainerState(Resource):
    """Exactly one of the three, or none when nothing is known."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Resource):
    """One container of a Pod."""

    ready: bool = False
    restart_count: int = 0
    state: ContainerState = field(default_factory=ContainerState)
    last_state: ContainerState = field(default_factory=ContainerState)


class PodStatus(Resource):
    """What the kubelet and the scheduler found."""

    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    conditions: list[StatusCondition] = field(default_factory=list)
    container_statuses: list[ContainerStatus] = field(default_factory=list)


class Pod(Resource):
    """One Pod of a Function."""

    metadata: Meta
    status: PodStatus = field(default_factory=PodStatus)

    @property
    def live(self) -> bool:
        """Whether it serves or may come to: not ended and not about to."""
        return self.metadata.deletion_timestamp is None and self.status.phase not in ("Succeeded", "Failed")

    @property
    def ready(self) -> bool:
        """Whether calls may go to it."""
        return self.live and any(c.type == "Ready" and c.status == "True" for c in self.status.conditions)
