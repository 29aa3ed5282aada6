"""CloudEvents as HTTP requests bring them (HTTP Protocol Binding 1.0.2), made into one JSON document. Pure."""

import base64
from typing import Any
from urllib.parse import unquote

import msgspec

from services.contracts.errors import Code, FaasError
from services.gateway.request import Fields, text_of

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch"
REQUIRED = ("id", "source", "specversion", "type")


def event_of(found: Fields, body: bytes) -> bytes:
    """The event of a request as a JSON object. Raises FaasError.

    Its attributes' values are checked by the service that takes it, whichever door it came by.
    """
    content_type = text_of("content-type", found.get(b"content-type", b"")).strip()
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == STRUCTURED:
        event = _json(body, "the event")
        if not isinstance(event, dict):
            raise FaasError(Code.BAD_REQUEST, "the event is not a JSON object")
    elif media_type.startswith(BATCH):
        raise FaasError(Code.BAD_REQUEST, "batches of events are not taken: send each by itself")
    elif b"ce-specversion" in found:
        event = _binary(found, content_type, media_type, body)
    else:
        raise FaasError(
            Code.BAD_REQUEST,
            f"the request is no CloudEvent: send it as {STRUCTURED}, or its attributes as headers ce-id, ce-source, "
            "ce-specversion, ce-type and so on",
        )
    missing = [name for name in REQUIRED if not event.get(name)]
    if missing:
        raise FaasError(Code.BAD_REQUEST, f"the event has no {', '.join(missing)}", details=missing)
    return msgspec.json.encode(event)


def _binary(found: Fields, content_type: str, media_type: str, body: bytes) -> dict[str, Any]:
    event: dict[str, Any] = {}
    for name, value in found.items():
        if name.startswith(b"ce-"):
            text = text_of(name.decode("latin-1"), value)
            event[name[3:].decode("latin-1")] = unquote(text, errors="replace").strip('"')
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


def _json(body: bytes, what: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FaasError(Code.INVALID_JSON, f"{what} is not valid JSON: {error}") from None
