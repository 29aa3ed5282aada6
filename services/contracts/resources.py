"""The resource ``Function`` (``faas.dev/v1alpha1``): its shape, its defaults and what makes one valid.

``deploy/crds/functions.yaml`` states the same in the API server's terms; a test compares the two.
"""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from services.contracts.durations import DURATION_PATTERN, InvalidDuration, parse_duration
from services.contracts.names import LABEL_PATTERN, InvalidName, check_label

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
Label = Annotated[str, Meta(pattern=LABEL_PATTERN, min_length=1, max_length=63)]
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


class InvalidResource(ValueError):
    """A manifest that may not be stored; ``problems`` names each wrong field, what is wrong and what was meant."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def decode_function(document: Any) -> Function:
    """A Function from a user's manifest (plain dicts and lists), refusing what is wrong or unknown. Raises InvalidResource."""
    from services.contracts.strict import unknown_fields  # the checker is needed at the edges alone

    problems = unknown_fields(Function, document)
    try:
        function = msgspec.convert(document, Function)
    except msgspec.ValidationError as error:
        raise InvalidResource(
            [*problems, str(error).replace(" - at `$.", " - at `").replace("`$`", "the top")]
        ) from None
    problems += function_problems(function)
    if problems:
        raise InvalidResource(problems)
    return function


def function_problems(function: Function) -> list[str]:
    """What is wrong with a Function of the right shape, one sentence a field; empty when it is valid."""
    problems = []
    if function.api_version != API_VERSION or function.kind != "Function":
        problems.append(
            f"apiVersion and kind: expected {API_VERSION} Function, got {function.api_version} {function.kind}"
        )
    for what, text in (
        ("metadata.name", function.metadata.name),
        ("metadata.namespace", function.metadata.namespace or "default"),
    ):
        try:
            check_label(text, what)
        except InvalidName as error:
            problems.append(str(error))
    return problems + spec_problems(function.spec)


def spec_problems(spec: FunctionSpec) -> list[str]:
    """What is wrong with a spec of the right shape: the rules that span fields."""
    problems = []
    if (spec.image is None) == (spec.source is None):
        problems.append("spec: exactly one of source and image is needed")
    if spec.source is not None:
        problems += source_problems(spec.source)
    if spec.scale.min > spec.scale.max:
        problems.append(f"spec.scale: min ({spec.scale.min}) is above max ({spec.scale.max})")
    for name, text, low, high in (
        ("spec.timeout", spec.timeout, 0.001, MAX_TIMEOUT),
        ("spec.scale.window", spec.scale.window, 1.0, 3600.0),
        ("spec.scale.panicWindow", spec.scale.panic_window, 1.0, 3600.0),
        ("spec.scale.scaleToZeroAfter", spec.scale.scale_to_zero_after, 0.0, 86400.0),
    ):
        try:
            if not low <= parse_duration(text) <= high:
                problems.append(f"{name}: {text} is out of range ({low:g}s to {high:g}s)")
        except InvalidDuration as error:
            problems.append(f"{name}: {error}")
    for variable in spec.env:
        if variable.name.startswith("FAAS_"):
            problems.append(f"spec.env: {variable.name}: names that begin with FAAS_ belong to the platform")
        if (variable.value is None) == (variable.value_from is None):
            problems.append(f"spec.env: {variable.name}: exactly one of value and valueFrom is needed")
    return problems


_PATH = re.compile(r"(?!/)(?!.*(?:^|/)\.\.?(?:/|$))[^\x00-\x1f\\]{1,255}")


def source_problems(source: Source) -> list[str]:
    """What is wrong with a source: both or neither form, paths that leave the folder, too much inline text."""
    if (source.inline is None) == (source.archive is None):
        return ["spec.source: exactly one of inline and archive is needed"]
    if source.inline is None:
        return []
    problems = [
        f"spec.source.inline: {path!r} is not a relative path inside the folder"
        for path in source.inline
        if not _PATH.fullmatch(path)
    ]
    size = sum(len(path.encode()) + len(text.encode()) for path, text in source.inline.items())
    if not source.inline:
        problems.append("spec.source.inline: no file is listed")
    if size > MAX_INLINE:
        problems.append(
            f"spec.source.inline: {size} bytes; at most {MAX_INLINE} may stand in the resource: deploy the folder as an archive"
        )
    return problems
