"""The parts of core/v1 that the kubelet reads, as msgspec structs (unknown fields are ignored).

Source: the Kubernetes API reference, core/v1 Pod. Defaults are those that the API server fills in, repeated here
because a Pod may come from a server that leaves them out.
"""

from typing import Any

import msgspec

from services.contracts.resources import ObjectMeta


class Part(msgspec.Struct, rename="camel", omit_defaults=True):
    """Base of all parts: camelCase on the wire, defaults left out."""


class KeySelector(Part, kw_only=True):
    """One key of a Secret or ConfigMap in the Pod's namespace."""

    name: str = ""
    key: str
    optional: bool = False


class FieldSelector(Part):
    field_path: str


class ResourceFieldSelector(Part, kw_only=True):
    resource: str
    divisor: str | int | float = "1"


class EnvVarSource(Part):
    field_ref: FieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    secret_key_ref: KeySelector | None = None
    config_map_key_ref: KeySelector | None = None


class EnvVar(Part):
    name: str
    value: str = ""
    value_from: EnvVarSource | None = None


class ObjectSelector(Part):
    name: str = ""
    optional: bool = False


class EnvFromSource(Part):
    prefix: str = ""
    secret_ref: ObjectSelector | None = None
    config_map_ref: ObjectSelector | None = None


class HttpHeader(Part):
    name: str
    value: str


class HttpGetAction(Part):
    port: int | str
    path: str = "/"
    host: str = ""
    scheme: str = "HTTP"
    http_headers: list[HttpHeader] = []


class TcpSocketAction(Part):
    port: int | str
    host: str = ""


class ExecAction(Part):
    command: list[str] = []


class Probe(Part):
    http_get: HttpGetAction | None = None
    tcp_socket: TcpSocketAction | None = None
    exec: ExecAction | None = None
    grpc: dict[str, Any] | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None


class ContainerPort(Part):
    container_port: int
    name: str = ""


class ResourceRequirements(Part):
    limits: dict[str, str | int | float] = {}
    requests: dict[str, str | int | float] = {}


class VolumeMount(Part):
    name: str
    mount_path: str
    sub_path: str = ""


class Container(Part):
    name: str
    image: str = ""
    command: list[str] = []
    args: list[str] = []
    working_dir: str = ""
    env: list[EnvVar] = []
    env_from: list[EnvFromSource] = []
    ports: list[ContainerPort] = []
    resources: ResourceRequirements = msgspec.field(default_factory=ResourceRequirements)
    volume_mounts: list[VolumeMount] = []
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None
    restart_policy: str = ""
    lifecycle: dict[str, Any] | None = None
    security_context: dict[str, Any] | None = None
    volume_devices: list[dict[str, Any]] = []


class KeyToPath(Part):
    key: str
    path: str


class KeyedVolume(Part):
    """A configMap, secret or projected source: `name` of a ConfigMap, `secretName` of a Secret."""

    name: str = ""
    secret_name: str = ""
    items: list[KeyToPath] = []
    optional: bool = False


class Volume(Part):
    """A volume of a kind that this kubelet provides; `admission.refusal` finds the others in the raw object."""

    name: str
    empty_dir: dict[str, Any] | None = None
    config_map: KeyedVolume | None = None
    secret: KeyedVolume | None = None


class PodSpec(Part):
    containers: list[Container] = []
    init_containers: list[Container] = []
    volumes: list[Volume] = []
    node_name: str = ""
    restart_policy: str = "Always"
    termination_grace_period_seconds: int = 30
    active_deadline_seconds: int | None = None
    service_account_name: str = ""


class PodMeta(ObjectMeta):
    """Metadata with the time that a deleted Pod is given, in seconds."""

    deletion_grace_period_seconds: int | None = None


class Pod(Part):
    metadata: PodMeta
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: dict[str, Any] = {}

    @property
    def key(self) -> str:
        """`namespace/name`, for messages."""
        return f"{self.metadata.namespace}/{self.metadata.name}"


def decode_pod(document: dict[str, Any]) -> Pod:
    """The Pod in a decoded JSON object. Raises msgspec.ValidationError with the path of the wrong field."""
    return msgspec.convert(_without_nulls(document), Pod)


def _without_nulls(value: Any) -> Any:
    """null means "not given" in Kubernetes JSON, and generated manifests are full of it (`creationTimestamp: null`)."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
