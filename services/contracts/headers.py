"""Headers of requests and replies on the bus, their sizes, and what an outsider may set."""

import re
from collections.abc import Mapping, Sequence

from services.contracts.errors import Code, FaasError

CONTENT_TYPE = "Content-Type"
ID = "Faas-Id"
TIMEOUT_MS = "Faas-Timeout-Ms"
"""What is left of the call's time in whole milliseconds, so that clocks need not agree."""
COLD_START = "Faas-Cold-Start"
"""``return``, ``wait`` or ``wait=N`` in place of the function's ``coldStart``; N bounds the start, in seconds."""
TRACEPARENT = "traceparent"
METHOD = "Faas-Http-Method"
PATH = "Faas-Http-Path"
QUERY = "Faas-Http-Query"
PROGRESS = "Faas-Progress"
"""The gateway's progress subject. Only services set it; its presence says that ``received`` was published already."""

STATUS = "Faas-Status"
ERROR = "Faas-Error"
POD = "Faas-Pod"
DURATION = "Faas-Duration"
"""Milliseconds in the handler, decimal."""
RETRY_AFTER = "Retry-After"

FORWARDED_REQUEST = frozenset(
    {
        "accept", "accept-encoding", "accept-language", "cache-control", "cookie", "if-match",
        "if-modified-since", "if-none-match", "if-unmodified-since", "range", "user-agent", "x-forwarded-for",
        "x-forwarded-host", "x-forwarded-proto", "x-request-id",
        "ce-id", "ce-source", "ce-specversion", "ce-subject", "ce-time", "ce-type", "ce-dataschema",
    }
)  # fmt: skip
"""Lower-case HTTP request headers that travel to a function through the proxy address (``ce-*``: also by POST).

``authorization`` is not among them: it is the caller's token for the platform, which no function may see."""
FORWARDED_RESPONSE = frozenset(
    {
        "cache-control", "content-disposition", "content-encoding", "content-language", "content-range", "etag",
        "expires", "last-modified", "link", "location", "set-cookie", "vary", "www-authenticate", "x-request-id",
        "accept-ranges", "allow", "ce-id", "ce-source", "ce-specversion", "ce-subject", "ce-time", "ce-type",
    }
)  # fmt: skip
"""Lower-case response headers of a function that travel back to its caller."""

MAX_PAYLOAD = 8 * 1024 * 1024
"""``max_payload`` of nats-server: headers and body together, in bytes. Over it the server closes the connection."""
MAX_HEADERS = 64 * 1024
"""Headers of one message on the bus, bytes."""
_NATS_LINE = len("NATS/1.0\r\n\r\n")


def of_error(error: FaasError) -> dict[str, str]:
    """The headers of a reply that is an error; its body is ``error.body()``."""
    fields = {STATUS: str(error.status), ERROR: error.code.value, CONTENT_TYPE: "application/json"}
    return fields if error.retry_after is None else fields | {RETRY_AFTER: str(error.retry_after)}


def size(headers: Mapping[str, str]) -> int:
    """Bytes that ``headers`` take in a NATS message, counted from above (UTF-8)."""
    return _NATS_LINE + sum(len(key.encode()) + len(value.encode()) + 4 for key, value in headers.items())


def check_size(headers: Mapping[str, str], body: bytes) -> None:
    """Refuses a message that nats-server would answer by closing the connection, with both numbers in the error."""
    taken = size(headers)
    if taken > MAX_HEADERS:
        raise FaasError(Code.HEADERS_TOO_LARGE, f"the headers take {taken} bytes; at most {MAX_HEADERS} are allowed")
    if taken + len(body) > MAX_PAYLOAD:
        raise FaasError(
            Code.PAYLOAD_TOO_LARGE,
            f"the body has {len(body)} bytes; at most {MAX_PAYLOAD - taken} fit into one message "
            f"({MAX_PAYLOAD} bytes less {taken} of headers)",
        )


def check_value(name: str, value: str) -> str:
    """``value`` when it may stand in a header (RFC 9110 section 5.5): a control character could smuggle another.

    Raises FaasError ``invalid_header``.
    """
    if value.isascii() and value.isprintable():
        return value
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise FaasError(
            Code.INVALID_HEADER, f"the header {name!a} has a control character (CR, LF, NUL …) in its value"
        )
    return value


_ID = re.compile(r"[A-Za-z0-9._~:-]{1,128}")


def is_id(text: str) -> bool:
    """Whether ``text`` may be a call's ``Faas-Id``: 1 to 128 of letters, digits and ``. _ ~ : -``."""
    return _ID.fullmatch(text) is not None


_SET_COOKIE = "set-cookie"


def pack_cookies(values: Sequence[str]) -> dict[str, str]:
    """A reply's headers for a response's ``Set-Cookie`` fields: ``set-cookie``, ``set-cookie-1``, ``set-cookie-2`` …

    Other fields that come several times are one list joined by commas (RFC 9110 section 5.3); this one may not be
    joined, and the headers of a NATS message are a dict here.
    """
    return {f"{_SET_COOKIE}-{index}" if index else _SET_COOKIE: value for index, value in enumerate(values)}


def unpack_cookies(headers: Mapping[str, str]) -> list[str]:
    """The ``Set-Cookie`` fields in a reply's headers, in their order."""
    if _SET_COOKIE not in headers:
        return []
    values, index = [headers[_SET_COOKIE]], 1
    while (name := f"{_SET_COOKIE}-{index}") in headers:
        values.append(headers[name])
        index += 1
    return values
