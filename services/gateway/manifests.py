"""Manifests from users: read as JSON or YAML, checked, and merged into what is stored. Pure."""

from typing import Any

import msgspec
import yaml

from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.contracts.resources import API_VERSION
from services.contracts.validation import InvalidResource
from services.contracts.workflow import InvalidWorkflow
from services.gateway.kinds import FUNCTION, Kind, Resource

Document = dict[str, Any]
_YAML = ("yaml", "x-yaml", "+yaml")


def read_document(content_type: str, body: bytes, kind: Kind = FUNCTION) -> Any:
    """The document in ``body``: YAML when the Content-Type says so, else JSON. Raises FaasError."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.endswith(_YAML):
        try:
            return kind.read_yaml(body)
        except (yaml.YAMLError, InvalidWorkflow, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise FaasError(Code.INVALID_RESOURCE, f"the manifest is not valid YAML: {error}") from None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FaasError(Code.INVALID_JSON, f"the manifest is not valid JSON: {error}") from None


def checked(document: Any, namespace: str, name: str | None, kind: Kind = FUNCTION) -> tuple[FunctionRef, Document]:
    """The resource that a manifest is about, and what of it is to be stored.

    The address fills in a namespace and name that the manifest leaves out, and may not contradict them. Raises
    FaasError ``invalid_resource`` listing everything that is wrong.
    """
    if not isinstance(document, dict):
        raise FaasError(Code.INVALID_RESOURCE, "the manifest is not an object with metadata and spec")
    metadata = document.get("metadata") or {}
    problems = []
    if not isinstance(metadata, dict):
        raise FaasError(Code.INVALID_RESOURCE, "metadata: is not an object")
    metadata = dict(metadata)
    for field, wanted in (("namespace", namespace), ("name", name)):
        if wanted is not None and metadata.setdefault(field, wanted) != wanted:
            problems.append(f"metadata.{field}: is {metadata[field]!r}, but the address says {wanted!r}")
    document = {"apiVersion": API_VERSION, "kind": kind.name, **document, "metadata": metadata}
    document.pop("status", None)  # the platform's to write; a manifest read back from it may have one
    try:
        resource = kind.decode(document)
    except (InvalidResource, InvalidWorkflow) as error:
        problems += map(str, error.problems)
    if problems:
        raise FaasError(Code.INVALID_RESOURCE, "; ".join(problems), details=problems)
    return FunctionRef(namespace, resource.metadata.name), stored(document, resource)


def stored(document: Document, resource: Resource) -> Document:
    """What is sent to the API server: the user's words, less what is not the user's to set."""
    meta = resource.metadata
    metadata: Document = {"name": meta.name, "namespace": meta.namespace}
    if meta.labels:
        metadata["labels"] = meta.labels
    if meta.annotations:
        metadata["annotations"] = meta.annotations
    if meta.resource_version:
        metadata["resourceVersion"] = meta.resource_version
    return {"apiVersion": API_VERSION, "kind": resource.kind, "metadata": metadata, "spec": document["spec"]}


def replaced(current: Document, wanted: Document, kind: Kind = FUNCTION) -> Document | None:
    """``current`` with the spec of ``wanted`` and its labels and annotations laid over; None when that changes nothing.

    It carries the resourceVersion of ``current``, or the one that the user gave, so a change in between is a conflict.
    """
    metadata = dict(current["metadata"])
    for field in ("labels", "annotations"):
        if field in wanted["metadata"]:
            metadata[field] = {**metadata.get(field, {}), **wanted["metadata"][field]}
    metadata["resourceVersion"] = wanted["metadata"].get("resourceVersion", metadata["resourceVersion"])
    if metadata == current["metadata"] and _same_spec(current["spec"], wanted["spec"], kind):
        return None
    return {**current, "metadata": metadata, "spec": wanted["spec"]}


def _same_spec(one: Document, other: Document, kind: Kind) -> bool:
    """Whether two specs mean the same: the API server writes defaults out, a user leaves them out."""
    return one == other or _with_defaults(one, kind) == _with_defaults(other, kind)


def _with_defaults(spec: Document, kind: Kind) -> Any:
    return msgspec.convert({"metadata": {}, "spec": spec}, kind.type).spec


__all__ = ["Document", "checked", "read_document", "replaced"]
