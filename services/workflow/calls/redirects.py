"""Redirects (RFC 9110, 15.4): where to, and what of the request goes along. Pure."""

import msgspec
from yarl import URL

from services.workflow.calls.exchange import Reply, Request
from services.workflow.calls.problems import BROKEN, CallError, configuration
from services.workflow.calls.values import url_of

_CODES = frozenset({301, 302, 303, 307, 308})
_KEPT = frozenset({"accept", "accept-encoding", "accept-language", "content-type", "idempotency-key", "user-agent"})
"""Headers that go to another origin: any other may be a credential."""
_OF_BODY = frozenset({"content-type", "content-encoding", "idempotency-key"})


def redirected(request: Request, reply: Reply) -> Request | None:
    """The request that a redirect asks for; None when the answer is none that can be followed. Raises CallError."""
    location = reply.header("location")
    if reply.status not in _CODES or not location:
        return None
    try:
        url = url_of(str(request.url.join(URL(location))), [])
    except (ValueError, CallError):
        raise CallError("communication", f"{request.place} redirects to what is no http URI", BROKEN) from None
    if request.url.scheme == "https" and url.scheme != "https":
        raise configuration(f"{request.place} redirects from https to http")
    headers, method, body = request.headers, request.method, request.body
    if not same_origin(request.url, url):
        headers = {name: value for name, value in headers.items() if name in _KEPT}
    changes = reply.status == 303 or (reply.status in (301, 302) and method == "POST")
    if changes and method not in ("GET", "HEAD"):
        method, body = "GET", None
        headers = {name: value for name, value in headers.items() if name not in _OF_BODY}
    return msgspec.structs.replace(request, method=method, url=url, headers=headers, body=body)


def same_origin(one: URL, other: URL) -> bool:
    """Scheme, host and port (RFC 6454)."""
    return one.origin() == other.origin()
