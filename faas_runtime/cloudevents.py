"""CloudEvents 1.0 in and out: the HTTP protocol binding in binary and structured mode.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any
from urllib.parse import unquote

import msgspec

from faas_runtime.errors import CallError

_REQUIRED = ("specversion", "id", "source", "type")
_OPTIONAL = ("subject", "time", "datacontenttype", "dataschema")
_CORE = frozenset(_REQUIRED + _OPTIONAL)
_NAME = re.compile(r"[a-z0-9]{1,64}")
_JSON_TYPE = re.compile(r"[^;]*[/+]json\s*(;.*)?", re.IGNORECASE)


class CloudEvent:
    """A CloudEvent 1.0. Annotate a handler's parameter with it to receive one; return one to answer with one.

    ``data`` is a decoded JSON value when ``datacontenttype`` is JSON (or absent), str for ``text/*``, else bytes; None
    when there is none. ``extensions`` holds every other attribute by name.
    """

    __slots__ = (
        "data",
        "datacontenttype",
        "dataschema",
        "extensions",
        "id",
        "source",
        "specversion",
        "subject",
        "time",
        "type",
    )

    def __init__(
        self,
        *,
        id: str,
        source: str,
        type: str,
        data: Any = None,
        subject: str | None = None,
        time: str | None = None,
        datacontenttype: str | None = None,
        dataschema: str | None = None,
        extensions: dict[str, Any] | None = None,
        specversion: str = "1.0",
    ) -> None:
        self.specversion = specversion
        self.id = id
        self.source = source
        self.type = type
        self.subject = subject
        self.time = time
        self.datacontenttype = datacontenttype
        self.dataschema = dataschema
        self.extensions = extensions or {}
        self.data = data

    def __repr__(self) -> str:
        return f"CloudEvent(id={self.id!r}, source={self.source!r}, type={self.type!r})"


def read_event(headers: list[tuple[bytes, bytes]], body: bytes) -> CloudEvent:
    """The event of a request; names are lower case. Raises CallError bad_request naming the attribute that is wrong."""
    fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    content_type = fields.get("content-type", "")
    if content_type.lower().startswith("application/cloudevents-batch"):
        raise _bad("a batch of CloudEvents is not supported: send them one by one")
    if content_type.lower().startswith("application/cloudevents"):
        return _structured(content_type, body)
    attributes: dict[str, Any] = {name[3:]: _text(value) for name, value in fields.items() if name.startswith("ce-")}
    if not attributes:
        raise _bad("the request is no CloudEvent: it has neither ce-* headers nor application/cloudevents+json")
    if content_type:
        attributes["datacontenttype"] = content_type
    return _build(attributes, _data_of(content_type, body) if body else None)


def event_document(event: CloudEvent) -> dict[str, Any]:
    """The structured-mode JSON document of an event (CloudEvents JSON event format 1.0, section 3)."""
    document: dict[str, Any] = {name: getattr(event, name) for name in _REQUIRED}
    document |= {name: value for name in _OPTIONAL if (value := getattr(event, name)) is not None}
    document |= event.extensions
    if isinstance(event.data, bytes | bytearray | memoryview):
        document["data_base64"] = base64.b64encode(event.data).decode("ascii")
    elif event.data is not None:
        document["data"] = event.data
    return document


def _structured(content_type: str, body: bytes) -> CloudEvent:
    if not _JSON_TYPE.fullmatch(content_type):
        raise _bad(f"only the JSON format of structured CloudEvents is supported, not {content_type!r}")
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise _bad(f"the structured CloudEvent is not a JSON object: {error}") from None
    data = document.pop("data", None)
    encoded = document.pop("data_base64", None)
    if encoded is not None:
        if data is not None:
            raise _bad("a CloudEvent has data or data_base64, not both")
        try:
            data = base64.b64decode(encoded, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise _bad(f"data_base64 of the CloudEvent is not base64: {error}") from None
    return _build({name: value for name, value in document.items() if value is not None}, data)


def _build(attributes: dict[str, Any], data: Any) -> CloudEvent:
    if attributes.get("specversion") != "1.0":
        raise _bad(f"the CloudEvent's specversion must be '1.0', but is {attributes.get('specversion')!r}")
    for name in _REQUIRED:
        if not isinstance(attributes.get(name), str) or not attributes[name]:
            raise _bad(f"the CloudEvent's attribute {name!r} must be a non-empty string")
    for name in _OPTIONAL:
        if name in attributes and not isinstance(attributes[name], str):
            raise _bad(f"the CloudEvent's attribute {name!r} must be a string")
    for name, value in attributes.items():
        if not _NAME.fullmatch(name):
            raise _bad(f"the CloudEvent's attribute name {name[:80]!r} may have lower-case letters and digits only")
        if not isinstance(value, str | int | bool):
            raise _bad(f"the CloudEvent's attribute {name!r} must be a string, a whole number or a boolean")
    core = {name: attributes[name] for name in _CORE if name in attributes}
    extensions = {name: value for name, value in attributes.items() if name not in _CORE}
    return CloudEvent(**core, data=data, extensions=extensions)


def _text(value: str) -> str:
    """An attribute's header value: percent-encoded UTF-8 (binding §3.1.3.2)."""
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError as error:
        raise _bad(f"a ce- header is not percent-encoded UTF-8: {error}") from None


def _data_of(content_type: str, body: bytes) -> Any:
    try:
        if not content_type or _JSON_TYPE.fullmatch(content_type):
            return msgspec.json.decode(body)
        if content_type.lower().startswith("text/"):
            return body.decode()
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _bad(f"the CloudEvent's data is not {content_type or 'application/json'}: {error}") from None
    return body


def _bad(message: str) -> CallError:
    return CallError(400, "bad_request", message)
