"""Answers as bare ASGI messages: a function's reply or an error of the platform."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from services.contracts import headers
from services.contracts.errors import Code, FaasError

Send = Callable[[Any], Awaitable[None]]
Raw = list[tuple[bytes, bytes]]

_PLATFORM = (
    (headers.CONTENT_TYPE, b"content-type"),
    (headers.ERROR, b"faas-error"),
    (headers.POD, b"faas-pod"),
    (headers.DURATION, b"faas-duration"),
    (headers.RETRY_AFTER, b"retry-after"),
)
_OF_FUNCTION = headers.FORWARDED_RESPONSE - {"set-cookie"}
_BODILESS = (204, 205, 304)


def status_of(reply: Mapping[str, str]) -> int:
    """The HTTP status that a reply names. Raises FaasError ``internal`` when it is none that may end a call."""
    text = reply.get(headers.STATUS, "")
    if len(text) == 3 and text.isdecimal() and "200" <= text <= "599":
        return int(text)
    raise FaasError(Code.INTERNAL, f"the reply to the call has no usable status: {text[:20]!a}")


def reply_headers(reply: Mapping[str, str], call_id: str) -> Raw:
    """The HTTP headers of a reply: the platform's own and those on the allow-list, none with a control character."""
    out = [(b"faas-id", call_id.encode())]
    for name, wire in _PLATFORM:
        if (value := reply.get(name)) is not None and value.isprintable():
            out.append((wire, value.encode("latin-1", "replace")))
    for name, value in reply.items():
        if name in _OF_FUNCTION and value.isprintable():
            out.append((name.encode(), value.encode("latin-1", "replace")))
    if "set-cookie" in reply:
        cookies = headers.unpack_cookies(reply)
        out += [(b"set-cookie", text.encode("latin-1", "replace")) for text in cookies if text.isprintable()]
    return out


async def send_body(send: Send, status: int, fields: Raw, body: bytes) -> None:
    """One whole answer. ``fields`` is taken over; the length is added where the status may have a body."""
    if status in _BODILESS:
        body = b""
    else:
        fields.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


def error_fields(error: FaasError, call_id: str | None = None) -> dict[str, str]:
    """The header fields of an error's answer."""
    fields = {"content-type": "application/json", "faas-error": str(error.code)}
    if call_id:
        fields["faas-id"] = call_id
    if error.retry_after is not None:
        fields["retry-after"] = str(error.retry_after)
    if error.code is Code.UNAUTHORIZED:
        fields["www-authenticate"] = 'Bearer realm="faas"'  # RFC 6750 section 3
    return fields


async def send_error(send: Send, error: FaasError, call_id: str | None = None, allow: str = "") -> None:
    """An error's answer: its HTTP status and its JSON document."""
    fields = [(name.encode(), value.encode()) for name, value in error_fields(error, call_id).items()]
    if allow:
        fields.append((b"allow", allow.encode()))
    await send_body(send, error.status, fields, error.body())
