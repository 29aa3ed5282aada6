"""Values of a call's arguments as HTTP writes them. Pure."""

import re
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from yarl import URL

from services.workflow.calls.problems import UNREACHABLE, CallError, configuration

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OWN = frozenset({
    "connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te",
    "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
"""Headers by which a request could be split, or sent elsewhere than its URI says."""
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def text_of(value: Any, what: str) -> str:
    """A string, number or boolean as text. Raises CallError."""
    if isinstance(value, dict | list):
        raise configuration(f"{what}: found {'an object' if isinstance(value, dict) else 'a list'}; expected a text")
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def method_of(value: Any) -> str:
    """An HTTP method in capitals. Raises CallError."""
    method = text_of(value, "method").upper()
    if not _TOKEN.fullmatch(method) or method in ("CONNECT", "TRACE"):
        raise configuration("method: expected a method such as GET or POST")
    return method


def headers_of(value: Any) -> dict[str, str]:
    """Headers by lower-case name, those that are null left out. Raises CallError for what is no header or would
    change where the request begins or ends."""
    if value is not None and not isinstance(value, dict):
        raise configuration("headers: expected an object")
    made: dict[str, str] = {}
    for name, given in (value or {}).items():
        if given is None:
            continue
        if not _TOKEN.fullmatch(name):
            raise configuration("headers: a name is no token of RFC 9110")
        if name.lower() in _OWN:
            raise configuration(f"headers: {name} is not for workflows to set")
        made[name.lower()] = _header(text_of(given, f"headers: {name}"), name)
    return made


def _header(text: str, name: str) -> str:
    if _CONTROL.search(text):
        raise configuration(f"headers: {name} has a line break or another control character")
    return text.strip(" \t")


def query_of(value: Any) -> list[tuple[str, str]]:
    """Query parameters; a list gives one for each item, null none. Raises CallError."""
    if value is not None and not isinstance(value, dict):
        raise configuration("query: expected an object")
    made: list[tuple[str, str]] = []
    for name, given in (value or {}).items():
        for item in given if isinstance(given, list) else [given]:
            if item is not None:
                made.append((name, text_of(item, f"query: {name}")))
    return made


def url_of(value: Any, query: list[tuple[str, str]]) -> URL:
    """An absolute http or https URL with more query parameters. Raises CallError, which does not show the URL."""
    text = text_of(value, "endpoint")
    try:
        url = URL(text)
        if url.scheme not in ("http", "https"):
            raise configuration("endpoint: expected an absolute URI with http or https")
        if not url.raw_host or not url.port:  # the specification's own example of an invalid call is an unreachable one
            raise CallError("communication", "endpoint: the URI has no host", UNREACHABLE)
        if url.raw_user is not None or url.raw_password is not None:
            raise configuration("endpoint: a user in a URI is not taken: use authentication")
    except ValueError:
        raise configuration("endpoint: not a URI") from None
    url = url.with_fragment(None)
    if query:
        added = urlencode(query, quote_via=quote)
        whole = f"{url.raw_query_string}&{added}" if url.raw_query_string else added
        url = URL(f"{url.origin()}{url.raw_path}?{whole}", encoded=True)
    return url


def body_of(value: Any, content_type: str) -> tuple[bytes | None, str]:
    """A body and its content type: JSON unless the type says otherwise. Raises CallError."""
    if value is None or isinstance(value, bytes):
        return value, content_type
    kind = content_type.partition(";")[0].strip().lower()
    if not kind or kind == JSON or kind.endswith("+json"):
        return msgspec.json.encode(value), content_type or JSON
    if kind == FORM and isinstance(value, dict):
        return urlencode(query_of(value)).encode(), content_type
    if isinstance(value, str):
        return value.encode(), content_type
    if "json" in kind or not isinstance(value, dict | list):  # application/x-amz-json-1.1; a number as its digits
        return msgspec.json.encode(value), content_type
    raise configuration(f"body: {kind} takes a text, not {'an object' if isinstance(value, dict) else 'a list'}")
