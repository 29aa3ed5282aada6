"""What a call gives back of an HTTP answer. Pure."""

import base64
import re
from typing import Any

import msgspec

from services.contracts.workflow.calls import HttpOutput
from services.workflow.calls.exchange import Reply, Request
from services.workflow.calls.problems import BROKEN, CallError, refused

_TEXT = re.compile(
    r"text/.*|.*\+(?:xml|yaml)|application/(?:xml|yaml|x-yaml|javascript|graphql|sql|x-www-form-urlencoded|x-ndjson)"
)
_SHOWN = frozenset({"accept", "accept-language", "content-type", "idempotency-key", "user-agent"})
"""Request headers that never carry a secret."""
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})


def check(reply: Reply, redirect: bool, place: str) -> None:
    """Raises CallError for a status outside 200–299; with ``redirect``, outside 200–399."""
    if not 200 <= reply.status <= (399 if redirect else 299):
        raise refused(place, reply.status)


def output_of(request: Request, reply: Reply, output: HttpOutput, private: bool) -> Any:
    """The output of a call. ``private``: the request may have secrets in it, so little of it is shown.

    Raises CallError for an answer that is not what its content type says.
    """
    if output == "raw":
        return base64.b64encode(reply.body).decode() if reply.body else None
    content = content_of(reply, request.place)
    if output == "content":
        return content
    shown = _SHOWN if private else request.headers.keys() - _CREDENTIALS
    return {
        "request": {
            "method": request.method.lower(),
            "uri": f"{request.url.origin()}/" if private else str(request.url),
            "headers": {_written(name): value for name, value in request.headers.items() if name in shown},
        },
        "statusCode": reply.status,
        "headers": joined(reply.headers),
        "content": content,
    }


def _written(name: str) -> str:
    """A header's name as it is mostly written, and in the specification's example: Content-Type."""
    return "-".join(part.capitalize() for part in name.split("-"))


def joined(headers: list[tuple[str, str]]) -> dict[str, str]:
    """Headers by name, several of one name in one."""
    made: dict[str, str] = {}
    for name, value in headers:
        made[name] = f"{made[name]}, {value}" if name in made else value
    return made


def content_of(reply: Reply, place: str) -> Any:
    """A body by its content type: JSON as its value, text as a string, anything else in base64. Without a type it is
    what it looks like. None when there is none. Raises CallError for JSON that is none."""
    if not reply.body:
        return None
    kind, _, rest = reply.header("content-type").partition(";")
    kind = kind.strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return msgspec.json.decode(reply.body)
        except (msgspec.DecodeError, RecursionError):
            raise CallError("communication", f"{place}: its answer says that it is JSON and is not", BROKEN) from None
    if not kind:
        try:
            return msgspec.json.decode(reply.body)
        except (msgspec.DecodeError, RecursionError):
            kind = "text/plain"
    if _TEXT.fullmatch(kind):
        try:
            return reply.body.decode(_charset(rest))
        except (UnicodeDecodeError, LookupError):
            pass  # not the text that it says: shown like any other bytes
    return base64.b64encode(reply.body).decode()


def _charset(parameters: str) -> str:
    found = re.search(r"charset\s*=\s*\"?([\w.:-]+)", parameters, re.IGNORECASE)
    return found[1] if found and found[1].lower() in _CHARSETS else "utf-8"


_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252", "utf-16"})
"""Those of the web; Python's codecs by other names do other things than decoding text."""
