"""A Function's Pods: their template, the revision that names it, and the ReplicaSet of a revision. Pure."""

import hashlib
import math
from typing import Any, NamedTuple

import msgspec

from services.contracts import archives
from services.contracts.durations import parse_duration
from services.contracts.names import FunctionRef
from services.contracts.resources import API_VERSION, LABEL_FUNCTION, LABEL_REVISION, Function
from services.contracts.validation import function_problems

CONTAINER = "function"
PORT = 8080
GRACE_ABOVE_TIMEOUT = 5
"""Seconds that a Pod is given beyond its calls' timeout: the last call may begin just before the SIGTERM."""
MAX_VARIABLE = 120 * 1024
"""Bytes of one environment variable: Linux refuses to start a program with one of 128 KiB (MAX_ARG_STRLEN)."""

Json = dict[str, Any]


class Platform(NamedTuple):
    """What of the platform's settings goes into every Pod."""

    python_image: str
    gateway_url: str
    archive_key: bytes
    tmp_volume: bool = True
    """Whether Pods of ``python_image`` need a volume at ``/tmp``."""


class Revision(NamedTuple):
    """A Pod template and the hash that names it."""

    hash: str
    template: Json


class InvalidSpec(ValueError):
    """No Pod can be made from this spec; the message says why."""


def revision_of(function: Function, platform: Platform) -> Revision:
    """The revision that ``function`` asks for. Raises InvalidSpec.

    Scale settings, coldStart and idempotent are no part of it, so changing them restarts nothing.
    """
    problems = function_problems(function)
    if problems:
        raise InvalidSpec("; ".join(problems))
    template = _template(function, platform)
    digest = hashlib.sha256(msgspec.json.encode(template, order="sorted")).hexdigest()[:10]
    template["metadata"]["labels"][LABEL_REVISION] = digest
    template["spec"]["containers"][0]["env"].insert(0, {"name": "FAAS_REVISION", "value": digest})
    return Revision(digest, template)


def replica_set(function: Function, revision: Revision, replicas: int) -> Json:
    """The ReplicaSet of one revision, owned by its Function so that it goes when the Function does."""
    meta = function.metadata
    labels = _labels(meta.name) | {LABEL_REVISION: revision.hash}
    owner = {
        "apiVersion": API_VERSION,
        "kind": "Function",
        "name": meta.name,
        "uid": meta.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta.name}-{revision.hash}",
            "namespace": meta.namespace,
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {key: labels[key] for key in (LABEL_FUNCTION, LABEL_REVISION)}},
            "template": revision.template,
        },
    }


def _labels(name: str) -> dict[str, str]:
    return {LABEL_FUNCTION: name, "app.kubernetes.io/managed-by": "faas"}


def _template(function: Function, platform: Platform) -> Json:
    spec: Json = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": math.ceil(parse_duration(function.spec.timeout)) + GRACE_ABOVE_TIMEOUT,
        # the restricted Pod security standard
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(function, platform)],
    }
    if function.spec.image is not None or platform.tmp_volume:
        spec["volumes"] = [{"name": "tmp", "emptyDir": {}}]
        spec["containers"][0]["volumeMounts"] = [{"name": "tmp", "mountPath": "/tmp"}]
    return {"metadata": {"labels": _labels(function.metadata.name)}, "spec": spec}


def _container(function: Function, platform: Platform) -> Json:
    spec = function.spec
    container: Json = {
        "name": CONTAINER,
        "image": spec.image or platform.python_image,
        "env": _platform_env(function, platform) + [msgspec.to_builtins(variable) for variable in spec.env],
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 1, "timeoutSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # the last lines of the log stand in the Pod's status when it ends, and from there in the Function's
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if spec.env_from:
        container["envFrom"] = [msgspec.to_builtins(source) for source in spec.env_from]
    if spec.resources is not None:
        container["resources"] = msgspec.to_builtins(spec.resources)
    return container


def _platform_env(function: Function, platform: Platform) -> list[Json]:
    spec, meta = function.spec, function.metadata
    values = {
        "FAAS_NAMESPACE": meta.namespace,
        "FAAS_FUNCTION": meta.name,
        "FAAS_TIMEOUT_MS": str(round(parse_duration(spec.timeout) * 1000)),
        "FAAS_CONCURRENCY": str(spec.concurrency),
    }
    if spec.source is not None:
        values["FAAS_HANDLER"] = spec.handler
        if spec.source.archive is not None:
            values |= _archive_env(FunctionRef(meta.namespace, meta.name), spec.source.archive, platform)
        elif spec.source.inline is not None:
            values["FAAS_SOURCE_INLINE"] = _inline(spec.source.inline)
    return [{"name": name, "value": value} for name, value in values.items()]


def _inline(files: dict[str, str]) -> str:
    # a kubelet expands $(NAME) and turns $$ into $ in values; JSON's other way to write a dollar keeps code as it is
    text = msgspec.json.encode(files, order="sorted").decode().replace("$", "\\u0024")
    if len(text.encode()) > MAX_VARIABLE:
        raise InvalidSpec(
            f"spec.source.inline: takes {len(text.encode())} bytes as one environment variable, at most {MAX_VARIABLE} "
            "are possible: deploy the folder as an archive"
        )
    return text


def _archive_env(ref: FunctionRef, digest: str, platform: Platform) -> dict[str, str]:
    values = {
        "FAAS_ARCHIVE_URL": platform.gateway_url.rstrip("/") + archives.path(ref.namespace, digest),
        "FAAS_ARCHIVE_SHA256": digest,
    }
    if platform.archive_key:
        values["FAAS_ARCHIVE_TOKEN"] = archives.fetch_token(platform.archive_key, ref, digest)
    return values
