"""The reply of a call: from a Pod's answer, or from an error."""

from typing import NamedTuple

from services.contracts import headers
from services.contracts.errors import Code, FaasError
from services.router.connection import Answer, Field

_STATUS_TEXT = {number: str(number) for number in range(100, 600)}
_PLATFORM = {
    b"content-type": headers.CONTENT_TYPE,
    b"faas-error": headers.ERROR,
    b"faas-duration": headers.DURATION,
    b"retry-after": headers.RETRY_AFTER,
}
_ROOM = headers.MAX_PAYLOAD - 2 * headers.MAX_HEADERS
"""Bytes of a body that fits whatever its headers are."""


class Reply(NamedTuple):
    """What is sent to the caller. ``code`` is the stable error code, empty for none."""

    status: int
    code: str
    headers: dict[str, str]
    body: bytes


def error_code(answer: Answer) -> str:
    """The stable code in a Pod's answer; empty for none."""
    for name, value in answer.fields:
        if name.lower() == b"faas-error":
            return value.decode("latin-1")
    return ""


def from_answer(answer: Answer, pod: str) -> Reply:
    """A Pod's answer as a reply, or ``result_too_large`` when it fits into no message."""
    status = answer.status if answer.status in _STATUS_TEXT else 502  # no status of HTTP (RFC 9110 section 15)
    fields = {headers.STATUS: _STATUS_TEXT[status], headers.POD: pod}
    rest: list[Field] | None = None
    for field in answer.fields:
        name = _PLATFORM.get(lower := field[0].lower())
        if name is not None:
            fields[name] = _text(field[1])
        elif lower != b"content-length":
            rest = [*rest, field] if rest else [field]
    if rest:
        _add_allowed(fields, rest)
    if rest or len(answer.body) > _ROOM:
        try:
            headers.check_size(fields, answer.body)
        except FaasError as error:
            return from_error(too_large(str(error)), pod)
    return Reply(status, fields.get(headers.ERROR, ""), fields, answer.body)


def from_error(error: FaasError, pod: str = "") -> Reply:
    """An error as a reply."""
    fields = headers.of_error(error)
    if pod:
        fields[headers.POD] = pod
    return Reply(error.status, error.code.value, fields, error.body())


def too_large(details: str) -> FaasError:
    """The error for an answer that fits into no message."""
    return FaasError(Code.RESULT_TOO_LARGE, f"the function's answer is too large for one message: {details}")


def _add_allowed(fields: dict[str, str], rest: list[Field]) -> None:
    """Adds the allow-listed fields; several of one name become a list (RFC 9110 section 5.3), except cookies."""
    cookies = []
    for raw, value in rest:
        name = raw.decode("latin-1").lower()
        if name == "set-cookie":
            cookies.append(_text(value))
        elif name in headers.FORWARDED_RESPONSE:
            fields[name] = f"{fields[name]}, {_text(value)}" if name in fields else _text(value)
    fields.update(headers.pack_cookies(cookies))


def _text(value: bytes) -> str:
    """A field's value with control characters, which could end a line on the bus, as spaces."""
    text = value.decode("latin-1").strip()
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)
