"""What a caller may send: paths, header fields and body sizes are checked here, before anything reaches the bus. Pure
but for reading bodies."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

from services.contracts import headers
from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef, InvalidName, check_label
from services.contracts.resources import MAX_TIMEOUT

Fields = dict[bytes, bytes]
"""Request header fields: lower-case name to value."""
Receive = Callable[[], Awaitable[Any]]

_SINGLE = frozenset(
    {
        b"host", b"origin", b"authorization", b"content-type", b"content-length", b"traceparent",
        b"faas-id", b"faas-timeout-ms", b"faas-cold-start",
    }
)  # fmt: skip
"""Fields that may stand once only: with two of them, two readers could disagree on which one counts."""
_CLOUDEVENT = tuple(name for name in sorted(headers.FORWARDED_REQUEST) if name.startswith("ce-"))
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_MAX_PREFER = 1024
"""Characters; keeps the cost of parsing bounded."""
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PREFERENCE = re.compile(
    rf"({_TOKEN})[ \t]*(?:=[ \t]*({_TOKEN}|{_QUOTED})?)?[ \t]*((?:;(?:{_QUOTED}|[^,\"])*)?)(?:,|$)"
)


class Disconnected(Exception):
    """The caller went away before its request was complete."""


def function_of(raw_path: bytes) -> FunctionRef | None:
    """The function that a path of exactly two segments names; None for any other path.

    It is the path as it came, not decoded: an encoded octet could hide a dot, slash or wildcard. Raises FaasError.
    """
    if raw_path.count(b"/") != 2:
        return None
    namespace, name = raw_path.decode("latin-1")[1:].split("/")
    return checked_ref(namespace, name)


def checked_ref(namespace: str, name: str) -> FunctionRef:
    """A function by namespace and name from outside. Raises FaasError ``invalid_name``."""
    return FunctionRef(checked_label(namespace, "namespace"), checked_label(name, "name"))


def checked_label(text: str, what: str) -> str:
    """``text`` when it is a DNS-1123 label. Raises FaasError ``invalid_name``."""
    try:
        return check_label(text, what)
    except InvalidName as error:
        raise FaasError(Code.INVALID_NAME, str(error)) from None


def fields_of(raw: Sequence[tuple[bytes, bytes]]) -> Fields:
    """Header fields by name. Those that come several times are joined as RFC 9110 section 5.3 says, ``cookie`` as
    RFC 9113 section 8.2.3 does. Raises FaasError ``invalid_header`` for one that may come once only."""
    found = dict(raw)
    if len(found) == len(raw):
        return found
    found = {}
    for name, value in raw:
        if name not in found:
            found[name] = value
        elif name not in _SINGLE:
            found[name] += (b"; " if name == b"cookie" else b", ") + value
        else:
            raise FaasError(Code.INVALID_HEADER, f"the header {name.decode()} may be given only once")
    return found


def call_headers(found: Fields, call_id: str) -> dict[str, str]:
    """The headers of a call on the bus, from those of its HTTP request. Nothing else of the request travels.

    Raises FaasError ``invalid_header`` or ``bad_request``.
    """
    out = {headers.ID: call_id}
    if (value := found.get(b"content-type")) is not None:
        out[headers.CONTENT_TYPE] = text_of("content-type", value)
    if (value := found.get(b"faas-timeout-ms")) is not None:
        out[headers.TIMEOUT_MS] = timeout_ms(value)
    if (value := found.get(b"faas-cold-start")) is not None:
        out[headers.COLD_START] = cold_start(value)
    elif (value := found.get(b"prefer")) is not None and (wait := preferred_wait(text_of("prefer", value))):
        out[headers.COLD_START] = wait
    if (value := found.get(b"traceparent")) is not None and _TRACEPARENT.fullmatch(value):
        out[headers.TRACEPARENT] = value.decode()
    if b"ce-id" in found:  # without it, it is no CloudEvent
        out |= selected(found, _CLOUDEVENT)
    return out


def selected(found: Fields, names: Iterable[str]) -> dict[str, str]:
    """The fields among ``names`` as headers of a bus message, checked."""
    return {name: text_of(name, value) for name in names if (value := found.get(name.encode())) is not None}


def text_of(name: str, value: bytes) -> str:
    """A field's value as text. Raises FaasError ``invalid_header`` when it has a control character."""
    return headers.check_value(name, value.decode("latin-1"))


def caller_id(found: Fields) -> str | None:
    """The id that the caller gave its call. Raises FaasError ``invalid_header`` when it cannot be one."""
    value = found.get(b"faas-id")
    if value is None:
        return None
    if headers.is_id(text := value.decode("latin-1")):
        return text
    raise FaasError(
        Code.INVALID_HEADER, "the header Faas-Id is not valid: use 1 to 128 of letters, digits and the signs . _ ~ : -"
    )


def timeout_ms(value: bytes) -> str:
    """A ``Faas-Timeout-Ms`` in range. Raises FaasError ``invalid_header``."""
    high = int(MAX_TIMEOUT * 1000)
    if not (value.isdigit() and len(value) <= 7 and 1 <= int(value) <= high):
        raise FaasError(
            Code.INVALID_HEADER, f"the header Faas-Timeout-Ms is {_shown(value)}: give whole milliseconds, 1 to {high}"
        )
    return str(int(value))


def cold_start(value: bytes) -> str:
    """A ``Faas-Cold-Start``: ``return``, ``wait`` or ``wait=N``. Raises FaasError ``invalid_header``."""
    word, equals, seconds = value.decode("latin-1").lower().partition("=")
    if word == "wait" and (not equals or _is_wait(seconds)):
        return f"wait={int(seconds)}" if equals else "wait"
    if word == "return" and not equals:
        return word
    raise FaasError(
        Code.INVALID_HEADER,
        f"the header Faas-Cold-Start is {_shown(value)}: give return, wait or wait=N, N in whole seconds, 0 to 3600",
    )


def preferred_wait(text: str) -> str | None:
    """``wait`` or ``wait=N`` from a ``Prefer`` header (RFC 7240): its first ``wait``; other preferences are ignored.

    Raises FaasError ``invalid_header`` for a ``wait`` that is not whole seconds from 0 to 3600.
    """
    if "wait" not in text.lower():
        return None
    position = 0
    while len(text) <= _MAX_PREFER and position < len(text):
        if text[position] in " \t,":
            position += 1
            continue
        part = _PREFERENCE.match(text, position)
        if part is None:
            break
        if part[1].lower() == "wait":
            seconds = (part[2] or "").strip('"')
            if not seconds and "=" not in part[0].partition(";")[0]:
                return "wait"
            if not _is_wait(seconds):
                break
            return f"wait={int(seconds)}"
        position = part.end()
    else:
        if position >= len(text):
            return None
    raise FaasError(
        Code.INVALID_HEADER,
        f"the header Prefer is {_shown(text.encode('latin-1'))}: "
        "give wait or wait=N, N in whole seconds, 0 to 3600 (RFC 7240)",
    )


def _is_wait(seconds: str) -> bool:
    return seconds.isascii() and seconds.isdigit() and len(seconds) <= 9 and int(seconds) <= MAX_TIMEOUT


def _shown(value: bytes) -> str:
    return ascii(value[:60].decode("latin-1"))


def too_large(given: int | str, limit: int) -> FaasError:
    """The error for a body over ``limit`` bytes, with both numbers."""
    return FaasError(Code.PAYLOAD_TOO_LARGE, f"the body has {given} bytes; at most {limit} are allowed")


def check_length(found: Fields, limit: int) -> None:
    """Refuses a body by its ``Content-Length`` before any of it is read. Raises FaasError."""
    length = found.get(b"content-length")
    if length is not None and (not length.isdigit() or len(length) > 18 or int(length) > limit):
        raise too_large(length[:40].decode("latin-1"), limit)


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body. Raises FaasError as soon as it is over ``limit`` bytes, Disconnected when its sender leaves."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise too_large(len(body), limit)
        return body
    chunks, size = [], 0
    async for chunk in body_chunks(receive, message):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise too_large(f"more than {limit}", limit)
    return b"".join(chunks)


async def body_chunks(receive: Receive, first: Any = None) -> AsyncIterator[bytes]:
    """The body as it comes; ``first`` is a message that was received already. Raises Disconnected."""
    message = first or await receive()
    while message["type"] == "http.request":
        yield message.get("body", b"")
        if not message.get("more_body"):
            return
        message = await receive()
    raise Disconnected
