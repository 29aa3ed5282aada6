"""Answers: the author's ``Response`` and the bytes that go out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from time import monotonic
from typing import Any

import msgspec

from faas_runtime.errors import CallError
from faas_runtime.limits import MAX_RESULT

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\u0100-\U0010ffff]*")
# Hop-by-hop headers (RFC 9110 §7.6.1) and the length belong to the connection, not to the author.
_OWN_HEADERS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
    | {b"content-length"}
)
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_BODILESS = frozenset({204, 304})

_JSON_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nFaas-Duration: %.2f\r\n\r\n%b"


class Response:
    """An answer with status, headers or content type of its own.

    ``body``: bytes, str, or anything that can be encoded as JSON; None for an empty body. ``status``: 200–599.
    ``headers``: names to values; hop-by-hop headers, ``Content-Length`` and ``Faas-*`` belong to the platform and are
    left out. ``content_type``: by default ``application/octet-stream``, ``text/plain; charset=utf-8`` or
    ``application/json``, by the body. Raises TypeError or ValueError for what HTTP cannot carry.
    """

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self,
        body: Any = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
    ) -> None:
        if not isinstance(status, int) or not 200 <= status <= 599:
            raise ValueError(f"status must be a whole number from 200 to 599, but is {status!r}")
        for name, value in (headers or {}).items():
            check_header(name, value)
        if content_type is not None and not _VALUE.fullmatch(content_type):
            raise ValueError(f"{content_type!r} is no content type")
        self.body = body
        self.status = int(status)
        self.headers = dict(headers or {})
        self.content_type = content_type

    def __repr__(self) -> str:
        return f"Response(status={self.status}, content_type={self.content_type!r})"


def check_header(name: object, value: object) -> None:
    """Raises ValueError for a name or value that HTTP cannot carry (RFC 9110 §5); a line break above all."""
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is no HTTP header name")
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise ValueError(f"header {name} cannot have the value {value!r}")


def json_answer(body: bytes, started: float) -> bytes:
    """The 200 answer of a JSON result: the hot path."""
    if len(body) > MAX_RESULT:
        raise too_large(len(body))
    return _JSON_OK % (len(body), (monotonic() - started) * 1000, body)


def answer(
    status: int,
    content_type: str,
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes,
    started: float,
    length: int | None = None,
) -> bytes:
    """A whole answer with ``Faas-Duration``. ``length`` is told instead of the body's. Raises CallError
    result_too_large."""
    lines = b"".join(
        b"%b: %b\r\n" % pair
        for pair in headers
        if (name := pair[0].lower()) not in _OWN_HEADERS and not name.startswith(b"faas-")
    )
    if len(body) + len(lines) > MAX_RESULT:
        raise too_large(len(body) + len(lines))
    if content_type:
        lines = b"Content-Type: %b\r\n%b" % (content_type.encode("latin-1"), lines)
    if status not in _BODILESS:
        lines += b"Content-Length: %d\r\n" % (len(body) if length is None else length)
    else:
        body = b""
    duration = (monotonic() - started) * 1000
    return b"%b%bFaas-Duration: %.2f\r\n\r\n%b" % (status_line(status), lines, duration, body)


def error_answer(status: int, code: str, message: str) -> bytes:
    """A JSON error of the runtime contract."""
    body = msgspec.json.encode({"code": code, "message": message})
    head = b"%bContent-Type: application/json\r\nContent-Length: %d\r\nFaas-Error: %b\r\n\r\n"
    return head % (status_line(status), len(body), code.encode()) + body


def status_line(status: int) -> bytes:
    """The first line of an answer; a status nobody has named gets an empty phrase (RFC 9112 §4)."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def too_large(size: int) -> CallError:
    """The error of a result over the limit, with both numbers."""
    return CallError(500, "result_too_large", f"the result has {size} bytes, the limit is {MAX_RESULT}")


BUSY = error_answer(503, "busy", "every slot of this Pod is taken; nothing was started")
DRAINING = error_answer(503, "draining", "this Pod is stopping; nothing was started")
HEALTHY = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
