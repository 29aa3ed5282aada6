"""The resources ``Function`` and ``Workflow`` (``faas.dev/v1alpha1``): their shapes and their defaults.

``validation`` and ``workflow.resource`` have the other rules. ``deploy/crds`` states the same in the API server's
terms; a test compares the two.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, field

from services.contracts.durations import DURATION_PATTERN

GROUP = "faas.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
LABEL_FUNCTION = "faas.dev/function"
LABEL_REVISION = "faas.dev/revision"
MAX_INLINE = 64 * 1024
"""Bytes of inline source in all; more goes into an archive."""
MAX_TIMEOUT = 3600.0
"""Seconds; the bus answers no later (``response_threshold``)."""

Duration = Annotated[str, Meta(pattern=DURATION_PATTERN, max_length=32)]
EnvName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=256)]
Quantity = Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$", max_length=32)]


class Resource(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Base of all parts of a resource: camelCase on the wire, defaults left out, unknown fields tolerated on read."""


class KeyRef(Resource):
    """One key of a Secret or ConfigMap in the Function's namespace."""

    name: str
    key: str
    optional: bool = False


class FieldRef(Resource):
    """A field of the Pod, such as ``metadata.name`` or ``status.podIP``."""

    field_path: Literal["metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "status.podIP"]


class EnvSource(Resource):
    """Where an environment variable's value comes from: exactly one of the three."""

    secret_key_ref: KeyRef | None = None
    config_map_key_ref: KeyRef | None = None
    field_ref: FieldRef | None = None


class EnvVar(Resource):
    """One environment variable of the function, by value or by reference."""

    name: EnvName
    value: str | None = None
    value_from: EnvSource | None = None


class ObjectRef(Resource):
    """A Secret or ConfigMap in the Function's namespace."""

    name: str
    optional: bool = False


class EnvFrom(Resource):
    """All keys of one Secret or ConfigMap as environment variables: exactly one of the two."""

    prefix: str = ""
    secret_ref: ObjectRef | None = None
    config_map_ref: ObjectRef | None = None


class ResourceList(Resource):
    """Quantities as Kubernetes writes them: ``100m`` of a CPU, ``128Mi`` of memory."""

    cpu: Quantity | None = None
    memory: Quantity | None = None


class Resources(Resource):
    """What one Pod asks for and may use at most."""

    requests: ResourceList | None = None
    limits: ResourceList | None = None


class Source(Resource):
    """The function's code: exactly one of inline files and an archive."""

    inline: dict[str, str] | None = None
    """Relative path to text; at most 64 KiB in all."""
    archive: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None
    """SHA-256 of an archive that the gateway keeps, in hexadecimal."""


class Scale(Resource):
    """How many Pods, and when. ``target`` is the percentage of ``concurrency`` that a Pod should carry."""

    min: Annotated[int, Meta(ge=0, le=1000)] = 0
    max: Annotated[int, Meta(ge=1, le=1000)] = 10
    target: Annotated[int, Meta(ge=1, le=100)] = 70
    window: Duration = "60s"
    panic_window: Duration = "6s"
    scale_to_zero_after: Duration = "60s"


class FunctionSpec(Resource):
    """What a user asks for. ``image`` runs any container that serves the runtime contract, in place of ``source``."""

    runtime: Literal["python"] = "python"
    handler: Annotated[str, Meta(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$", max_length=256)] = "main:handle"
    source: Source | None = None
    image: Annotated[str, Meta(min_length=1, max_length=512)] | None = None
    env: list[EnvVar] = field(default_factory=list)
    env_from: list[EnvFrom] = field(default_factory=list)
    resources: Resources | None = None
    timeout: Duration = "60s"
    concurrency: Annotated[int, Meta(ge=1, le=1000)] = 10
    scale: Scale = field(default_factory=Scale)
    cold_start: Literal["Return", "Wait"] = "Return"
    idempotent: bool = False


class Condition(Struct, rename="camel", kw_only=True, frozen=True):
    """A condition as Kubernetes writes it (meta/v1 Condition)."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0


class FunctionStatus(Struct, rename="camel", kw_only=True):
    """What the scaler found. ``Ready`` in ``conditions`` means callable, so it stays true at zero."""

    observed_generation: int = 0
    revision: str = ""
    replicas: int = 0
    ready_replicas: int = 0
    conditions: list[Condition] = field(default_factory=list)


class ObjectMeta(Resource):
    """What the platform uses of meta/v1 ObjectMeta; everything else passes by unread."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


class Function(Struct, rename="camel", kw_only=True):
    """A Function as the API server keeps it."""

    metadata: ObjectMeta
    spec: FunctionSpec
    status: FunctionStatus = field(default_factory=FunctionStatus)
    api_version: str = API_VERSION
    kind: str = "Function"


class WorkflowSpec(Resource):
    """What a user asks for. ``definition`` is a document of the Open Workflow Specification DSL 1.0 whose
    ``document.namespace`` and ``document.name`` are the resource's; ``input``, when it is there (null is), asks for
    one run."""

    definition: dict[str, Any]
    input: Any = UNSET


class WorkflowVersion(Resource):
    """A version that was accepted, and the SHA-256 of its definition."""

    version: str
    definition: str


class WorkflowStatus(Struct, rename="camel", kw_only=True):
    """What the workflow service found. ``version`` and ``definition`` (its SHA-256) are what new runs take;
    ``versions`` the last that were accepted, newest first; ``run`` the id of the run that ``spec.input`` asked for."""

    observed_generation: int = 0
    version: str = ""
    definition: str = ""
    versions: list[WorkflowVersion] = field(default_factory=list)
    run: str = ""
    conditions: list[Condition] = field(default_factory=list)


class Workflow(Struct, rename="camel", kw_only=True):
    """A Workflow as the API server keeps it."""

    metadata: ObjectMeta
    spec: WorkflowSpec
    status: WorkflowStatus = field(default_factory=WorkflowStatus)
    api_version: str = API_VERSION
    kind: str = "Workflow"
