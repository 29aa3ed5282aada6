"""HTTP calls of the in-memory driver: to the stubs that stand for the hosts of the kit."""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from services.contracts.workflow.calls import HttpArguments
from services.contracts.workflow.errors import standard_type

TIMEOUT = 10.0


class NotMapped(ValueError):
    """A host that no ``--map`` names: nothing outside is ever called."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


def mapped(uri: str, hosts: dict[str, str]) -> str:
    """The stub's URL for a URI. Raises NotMapped."""
    parts = urllib.parse.urlsplit(uri)
    base = hosts.get(parts.netloc) or hosts.get(parts.hostname or "")
    if base is None:
        raise NotMapped(f"host {parts.netloc or uri} has no --map")
    return urllib.parse.urlunsplit((*urllib.parse.urlsplit(base)[:2], parts.path, parts.query, ""))


def call(arguments: HttpArguments, hosts: dict[str, str]) -> tuple[Any, dict[str, Any] | None]:
    """The output of a call, or its error."""
    uri: Any = arguments.endpoint.uri
    query: Any = arguments.query
    method = str(arguments.method).upper()
    try:
        url = mapped(uri, hosts) + (("&" if "?" in uri else "?") + urllib.parse.urlencode(query) if query else "")
        answer, content = _exchange(url, method, arguments)
    except (NotMapped, OSError) as error:
        return None, _error(500, str(error))
    if answer.status >= (400 if arguments.redirect else 300):
        return None, _error(answer.status, f"{method} {uri} answered {answer.status}")
    if arguments.output == "content":
        return content, None
    headers = dict(answer.headers.items())
    request = {"method": method.lower(), "uri": uri, "headers": arguments.headers or {}}
    return {"request": request, "statusCode": answer.status, "headers": headers, "content": content}, None


def _exchange(url: str, method: str, arguments: HttpArguments) -> tuple[Any, Any]:
    body: Any = arguments.body
    data = None if body is None else json.dumps(body).encode()
    given: Any = arguments.headers or {}
    headers = {"Content-Type": "application/json"} | given
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        answer = _OPENER.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        content = answer.read()
    try:
        return answer, json.loads(content) if content else None
    except ValueError:
        return answer, content.decode(errors="replace")


def _error(status: int, detail: str) -> dict[str, Any]:
    title = http.client.responses.get(status, "Communication Error")
    return {"type": standard_type("communication"), "status": status, "title": title, "detail": detail}
