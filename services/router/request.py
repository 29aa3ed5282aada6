"""A call's message: its headers checked, and the head of the HTTP request that a Pod will get."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from services.contracts import headers
from services.contracts.errors import Code, FaasError
from services.contracts.resources import MAX_TIMEOUT
from services.router.coldstart import Preference, parse_preference

REQUEST_INFO = "Nats-Request-Info"
"""Set by nats-server on every request that crosses accounts: its caller is none of the services."""

_MILLISECONDS = re.compile(r"[0-9]{1,12}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# what may stand in a request line: printable ASCII without space; '?' ends a path and '#' is never sent (RFC 9112 3.2)
_PATH = re.compile(r"/[!-\"$->@-~]{0,8191}")
_QUERY = re.compile(r"[!-\"$-~]{0,8192}")
_OWN = frozenset({headers.CONTENT_TYPE, headers.ID, headers.TIMEOUT_MS, headers.PROGRESS, headers.COLD_START})
"""Headers that are read by name; the others are looked at one by one."""
_LAST = b"Faas-Timeout-Ms: "
_MAX_HEAD = headers.MAX_HEADERS - 64
"""Bytes; Pods take ``MAX_HEADERS``, with the last line's value and what ends the head."""


class Request(NamedTuple):
    """What a message asks for."""

    id: str
    outside: bool
    """Whether the caller came by no gateway."""
    progress: str
    timeout: float | None
    """Seconds for all of the call, when its caller gave them."""
    preference: Preference | None
    head: bytes
    """The HTTP request up to and with ``Faas-Timeout-Ms: ``, whose value is known when it is sent."""
    without_body: bool
    """Whether the answer has no body (HEAD)."""


def call_id(fields: Mapping[str, str] | None) -> str | None:
    """The caller's id of the call; None when it gave none. Raises FaasError invalid_header."""
    text = fields.get(headers.ID) if fields else None
    if text is None or headers.is_id(text):
        return text
    raise FaasError(
        Code.INVALID_HEADER,
        f"Faas-Id is {text[:40]!a} ({len(text)} characters): use 1 to 128 of letters, digits and . _ ~ : -",
    )


def read(fields: Mapping[str, str] | None, body: bytes, host: str, identity: str) -> Request:
    """Reads the headers of a call to the function ``host`` (``name.namespace``). Raises FaasError for a bad one."""
    if not fields:
        return Request(identity, True, "", None, None, _post(host, identity, len(body)) + _LAST, False)
    outside = REQUEST_INFO in fields
    progress = "" if outside else fields.get(headers.PROGRESS, "")
    timeout = _timeout(fields[headers.TIMEOUT_MS]) if headers.TIMEOUT_MS in fields else None
    preference = parse_preference(fields[headers.COLD_START]) if headers.COLD_START in fields else None
    method = fields.get(headers.METHOD)
    head = _post(host, identity, len(body)) if method is None else _proxied(fields, method, host, identity, len(body))
    content_type = fields.get(headers.CONTENT_TYPE)
    if content_type is not None:
        head += _line(headers.CONTENT_TYPE, content_type)
    for name in fields.keys() - _OWN:
        lower = name.lower()
        if lower == headers.TRACEPARENT or lower in headers.FORWARDED_REQUEST:
            head += _line(name, fields[name])
    if len(head) > _MAX_HEAD:
        raise FaasError(Code.HEADERS_TOO_LARGE, f"the headers take {len(head)} bytes; at most {_MAX_HEAD} are allowed")
    return Request(identity, outside or not progress, progress, timeout, preference, head + _LAST, method == "HEAD")


def _post(host: str, identity: str, size: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: %b\r\nFaas-Id: %b\r\nContent-Length: %d\r\n" % (
        host.encode(),
        identity.encode(),
        size,
    )


def _proxied(fields: Mapping[str, str], method: str, host: str, identity: str, size: int) -> bytes:
    if method not in _METHODS:
        raise FaasError(
            Code.METHOD_NOT_ALLOWED, f"the method {method[:40]!a} is not one of {', '.join(sorted(_METHODS))}"
        )
    path, query = fields.get(headers.PATH, "/"), fields.get(headers.QUERY, "")
    if _PATH.fullmatch(path) is None or _QUERY.fullmatch(query) is None:
        raise FaasError(
            Code.INVALID_HEADER,
            "Faas-Http-Path must begin with '/', and it and Faas-Http-Query may have only printable ASCII "
            "without spaces, in at most 8192 characters; encode others as %XX",
        )
    target = f"{path}?{query}" if query else path
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nFaas-Id: {identity}\r\nFaas-Proxy: 1\r\n".encode()
    # RFC 9110 section 8.6: a length of zero says something only for methods that have a body
    return head + b"Content-Length: %d\r\n" % size if size or method in ("POST", "PUT", "PATCH") else head


def _timeout(text: str) -> float:
    if _MILLISECONDS.fullmatch(text) is None:
        raise FaasError(
            Code.INVALID_HEADER, f"Faas-Timeout-Ms is {text[:40]!a}: write whole milliseconds, such as 1500"
        )
    return min(int(text) / 1000, MAX_TIMEOUT)


def _line(name: str, value: str) -> bytes:
    try:
        return f"{name}: {headers.check_value(name, value)}\r\n".encode("latin-1")
    except UnicodeEncodeError:
        raise FaasError(
            Code.INVALID_HEADER, f"the header {name!a} has characters beyond Latin-1 in its value: encode them"
        ) from None
