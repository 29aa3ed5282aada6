"""CloudEvents as they come from outside, checked and made into one JSON document (CloudEvents 1.0.2). Pure."""

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from services.contracts.errors import Code, FaasError
from services.contracts.headers import CONTENT_TYPE

MAX_EVENT = 1024 * 1024
"""Bytes of an event as JSON. Each is kept for a day and given to every run that listens."""
_REQUIRED = ("specversion", "id", "source", "type")
_TEXTS = ("id", "source", "type", "subject", "dataschema", "datacontenttype", "time")
_NAME = re.compile(r"[a-z0-9]{1,64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_MAX_INTEGER = 2**31


class Incoming(NamedTuple):
    """A CloudEvent that may be stored. ``key``: the same for two that are the same event, by source and id (section
    3.1.1), of one namespace."""

    id: str
    data: bytes
    key: str


def read(namespace: str, fields: Mapping[str, str], body: bytes) -> Incoming:
    """The event of a message: a JSON document, or its attributes as ``ce-`` headers and its data as the body (NATS
    Protocol Binding 1.0.2). Raises FaasError."""
    lower = {name.lower(): value for name, value in fields.items()}
    content_type = lower.get(CONTENT_TYPE.lower(), "").strip()
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.startswith("application/cloudevents-batch"):
        raise FaasError(Code.BAD_REQUEST, "batches of events are not taken: send each by itself")
    binary = "ce-specversion" in lower
    event = _binary(lower, content_type, media_type, body) if binary else _json(body, "the event")
    if not isinstance(event, dict):
        raise FaasError(Code.BAD_REQUEST, "the event is not a JSON object")
    problems = list(_problems(event))
    if problems:
        raise FaasError(Code.BAD_REQUEST, f"no CloudEvent 1.0: {problems[0]}", details=problems)
    data = msgspec.json.encode(event)
    if len(data) > MAX_EVENT:
        raise FaasError(
            Code.PAYLOAD_TOO_LARGE, f"the event has {len(data)} bytes as JSON; at most {MAX_EVENT} are allowed"
        )
    return Incoming(event["id"], data, key(namespace, event["source"], event["id"]))


def key(namespace: str, source: str, event_id: str) -> str:
    """What tells an event from all others."""
    return hashlib.sha256(f"{namespace}\0{source}\0{event_id}".encode(errors="surrogatepass")).hexdigest()[:32]


def _binary(lower: Mapping[str, str], content_type: str, media_type: str, body: bytes) -> dict[str, Any]:
    event: dict[str, Any] = {name[3:]: _attribute(value) for name, value in lower.items() if name.startswith("ce-")}
    if content_type:
        event["datacontenttype"] = content_type
    if not body:
        return event
    if media_type in ("", "application/json") or media_type.endswith("+json"):
        return event | {"data": _json(body, "the event's data")}
    if media_type.startswith("text/"):
        try:
            return event | {"data": body.decode()}
        except UnicodeDecodeError:
            raise FaasError(Code.BAD_REQUEST, "the event's data is not UTF-8") from None
    return event | {"data_base64": base64.b64encode(body).decode()}


def _attribute(value: str) -> str:
    """An attribute's value in a header: it may be quoted, and has other than printable ASCII percent-encoded (section
    3.1.3.2 of the HTTP and NATS bindings)."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return unquote(value, errors="replace")


def _json(body: bytes, what: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FaasError(Code.INVALID_JSON, f"{what} is not valid JSON: {error}") from None


def _problems(event: dict[str, Any]) -> Any:
    """What is wrong with an event's attributes, one sentence each."""
    for name in _REQUIRED:
        if name not in event:
            yield f"the attribute {name} is missing"
    if event.get("specversion", "1.0") != "1.0":
        yield f"specversion is {event['specversion']!r}: only '1.0' is known"
    for name in _TEXTS:
        if name in event and not (isinstance(event[name], str) and event[name]):
            yield f"{name} must be a text that is not empty"
    time = event.get("time")
    if isinstance(time, str) and time and not _is_time(time):
        yield f"time is {time[:40]!r}: it must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z"
    if "data" in event and "data_base64" in event:
        yield "there are both data and data_base64"
    if "data_base64" in event and not _is_base64(event["data_base64"]):
        yield "data_base64 is not base64"
    for name, value in event.items():
        if name in ("data", "data_base64", "specversion", *_TEXTS):
            continue
        if not _NAME.fullmatch(name):
            yield f"the attribute {name[:64]!r}: names consist of lower-case letters a-z and digits"
        elif not _is_simple(value):
            yield f"the attribute {name} must be a text, a boolean or a 32-bit integer"


def _is_time(text: str) -> bool:
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(re.sub(r"\.\d+", "", text).upper())
    except ValueError:
        return False
    return True


def _is_base64(value: Any) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (ValueError, TypeError):
        return False
    return isinstance(value, str)


def _is_simple(value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return -_MAX_INTEGER <= value < _MAX_INTEGER
    return isinstance(value, str | bool)
