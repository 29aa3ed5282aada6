"""The proxy address, ``…/functions/{name}/proxy/{path}``: any method, sub-path and query of an HTTP function."""

import re

from services.contracts import headers
from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.gateway.request import Fields, call_headers, checked_ref, selected, text_of

_ADDRESS = re.compile(rb"/api/v1/namespaces/([^/]*)/functions/([^/]*)/proxy(/.*)?", re.DOTALL)
_PATH = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*")
"""What RFC 3986 section 3.3 lets stand in a path."""
_QUERY = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@%/?\[\]|^{}\"<>`\\]*")
"""As section 3.4, and what browsers leave unescaped besides."""
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HIDDEN = re.compile(r"%(?:2f|5c|00|0a|0d)", re.IGNORECASE)
_DOT_SEGMENT = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)
_MAX_PATH = 8 * 1024 - 1
"""Characters of path and of query, as many as the router takes."""


def address_of(raw_path: bytes) -> tuple[FunctionRef, str] | None:
    """Function and sub-path of a proxy address; None for another path. Raises FaasError for what may not pass."""
    match = _ADDRESS.fullmatch(raw_path)
    if match is None:
        return None
    ref = checked_ref(match[1].decode("latin-1"), match[2].decode("latin-1"))
    return ref, checked_path((match[3] or b"/").decode("latin-1"))


def checked_path(path: str) -> str:
    """``path`` as it came when every reader reads it alike. Raises FaasError ``bad_request``.

    Refused: ``.`` and ``..`` segments, which some servers resolve and some do not, escaped slashes, line ends and NUL,
    broken escapes, and what RFC 3986 does not let stand in a path.
    """
    if len(path) > _MAX_PATH:
        raise FaasError(Code.BAD_REQUEST, f"the path has {len(path)} characters; at most {_MAX_PATH} are allowed")
    if not _PATH.fullmatch(path) or _BAD_PERCENT.search(path) or _HIDDEN.search(path):
        raise FaasError(Code.BAD_REQUEST, f"the path {path[:80]!a} has characters or escapes that may not pass")
    if any(_DOT_SEGMENT.fullmatch(segment) for segment in path.split("/")):
        raise FaasError(Code.BAD_REQUEST, f"the path {path[:80]!a} has a '.' or '..' segment")
    return path


def checked_query(query: bytes) -> str:
    """A query without its question mark. Raises FaasError ``bad_request``."""
    text = query.decode("latin-1")
    if len(text) > _MAX_PATH or not _QUERY.fullmatch(text):
        raise FaasError(
            Code.BAD_REQUEST, f"the query is longer than {_MAX_PATH} characters or has some that may not pass"
        )
    return text


def proxy_headers(
    found: Fields, call_id: str, method: str, path: str, query: bytes, client: str | None
) -> dict[str, str]:
    """Headers of a proxied call: those of any call, the request line and the allow-listed fields. Raises FaasError."""
    out = call_headers(found, call_id)
    out |= selected(found, headers.FORWARDED_REQUEST)
    out[headers.METHOD] = method
    out[headers.PATH] = path
    if query:
        out[headers.QUERY] = checked_query(query)
    if client:
        before = out.get("x-forwarded-for")
        out["x-forwarded-for"] = f"{before}, {client}" if before else client
    if b"host" in found:
        out.setdefault("x-forwarded-host", text_of("host", found[b"host"]))
    out.setdefault("x-forwarded-proto", "http")
    return out
