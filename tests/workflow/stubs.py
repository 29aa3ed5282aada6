"""Stubs for the hosts that feature files and the specification's examples call: one server, a thread for each request.

``stub.example`` is for our own features: ``/echo…`` tells what it was sent, ``/status/404`` answers so, ``/redirect/2``
redirects twice, ``/flaky/NAME/2`` fails twice for each new name, ``/slow/300`` takes 300 ms; ``/basic``, ``/bearer``
and ``/digest`` want the user ``user`` with the password ``secret``, or the token that ``/oauth2/token`` gives.
"""

import base64
import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from tests.workflow import petstore

ECHOING = (
    "superbet-casinos.com", "fake-hospital.com", "fake-chat-api.com", "virtual-wf-powered-race.com", "example.com",
    "hospital.example.com",
)  # fmt: skip
"""Hosts that only tell what they were sent."""
HOSTS = (
    "stub.example", "petstore.swagger.io", "petstore3.swagger.io", "swapi.dev", "external-service.example.com",
    "keycloak", "fake.com", *ECHOING
)  # fmt: skip
TOKEN = "t0k3n"
Answer = tuple[int, dict[str, str], bytes]


class Request:
    """A request to a stub. ``base``: the host's URL as the caller knows it, ``prefix`` what its paths begin with: a
    host is called by its own name where names are mapped, else by the path ``/~HOST``."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self.method, parts = handler.command, urlsplit(handler.path)
        self.query = {name: values[0] if len(values) == 1 else values for name, values in parse_qs(parts.query).items()}
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        found = re.fullmatch(r"/~([^/]+)(/.*|)", parts.path)
        name, self.path = (found[1], found[2] or "/") if found else ("", parts.path)
        called = self.headers["host"]
        self.host = name or called
        self.prefix = "" if name in ("", called) else f"/~{name}"
        self.base = f"https://{called}" if name == called else f"http://{called}{self.prefix}"
        self.body = handler.rfile.read(int(self.headers.get("content-length", 0)))

    @property
    def value(self) -> Any:
        """The body: JSON as its value, else text; None when there is none."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            return self.body.decode(errors="replace")


def _json(value: Any, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


_ROUTES: list[tuple[re.Pattern[str], Callable[..., Answer]]] = []
_failures: Counter[str] = Counter()
documents: dict[str, Any] = {}
"""``asyncapi``: what ``/docs/asyncapi.json`` is, given by a test, which knows its NATS server's address."""


def _route(path: str) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    def enter(function: Callable[..., Answer]) -> Callable[..., Answer]:
        _ROUTES.append((re.compile(path), function))
        return function

    return enter


@_route(r"/echo(/.*)?")
def _echo(request: Request, _: str | None) -> Answer:
    return _json({
        "method": request.method, "path": request.path, "query": request.query, "headers": request.headers,
        "body": request.value,
    })  # fmt: skip


@_route(r"/status/(\d+)")
def _status(_: Request, status: str) -> Answer:
    return _json({"status": int(status)}, int(status))


@_route(r"/redirect/(\d+)")
def _redirect(request: Request, left: str) -> Answer:
    target = f"/redirect/{int(left) - 1}" if int(left) > 1 else "/echo/redirected"
    return 302, {"Location": request.prefix + target}, b""


@_route(r"/flaky/([^/]+)/(\d+)")
def _flaky(_: Request, name: str, failures: str) -> Answer:
    _failures[name] += 1
    if _failures[name] <= int(failures):
        return _json({"error": "busy"}, 503)
    return _json({"attempts": _failures[name]})


@_route(r"/slow/(\d+)")
def _slow(_: Request, milliseconds: str) -> Answer:
    time.sleep(int(milliseconds) / 1000)
    return _json({"slept": int(milliseconds)})


@_route(r"/text")
def _text(_: Request) -> Answer:
    return 200, {"Content-Type": "text/plain; charset=utf-8"}, "héllo".encode()


@_route(r"/bytes")
def _bytes(_: Request) -> Answer:
    return 200, {"Content-Type": "application/octet-stream"}, b"\x00\x01\xff"


@_route(r"/empty")
def _empty(_: Request) -> Answer:
    return 204, {}, b""


def _allowed(request: Request, wanted: str) -> Answer:
    if request.headers.get("authorization") == wanted:
        return _json({"authenticated": True})
    return 401, {"WWW-Authenticate": wanted.partition(" ")[0]}, b"who?"


@_route(r"/basic")
def _basic(request: Request) -> Answer:
    return _allowed(request, "Basic " + base64.b64encode(b"user:secret").decode())


@_route(r"/bearer")
def _bearer(request: Request) -> Answer:
    return _allowed(request, f"Bearer {TOKEN}")


@_route(r"/digest")
def _digest(request: Request) -> Answer:
    def hashed(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    fields = dict(re.findall(r'(\w+)="?([^",]+)"?', request.headers.get("authorization", "")))
    if fields:
        middle = f"{fields['nonce']}:{fields['nc']}:{fields['cnonce']}:{fields['qop']}"
        asked = hashed(f"{request.method}:{fields['uri']}")
        wanted = hashed(f"{hashed('user:stub:secret')}:{middle}:{asked}")
        if fields["response"] == wanted and fields["uri"].endswith("/digest"):
            return _json({"authenticated": True})
    offer = 'Digest realm="stub", nonce="abc", algorithm=SHA-256, qop="auth"'
    return 401, {"WWW-Authenticate": offer}, b"who?"


@_route(r"(?:/realms/[^/]+)?/(?:oauth2|auth|protocol/openid-connect)/token")
def _token(request: Request) -> Answer:
    """For any client that has a secret, but for the secret "wrong"."""
    given = request.value
    fields = given if isinstance(given, dict) else dict(parse_qsl(request.body.decode()))
    _, _, header = request.headers.get("authorization", "").partition(" ")
    secret = fields.get("client_secret") or base64.b64decode(header).decode().partition(":")[2]
    if secret in ("", "wrong"):
        return _json({"error": "invalid_client"}, 401)
    return _json({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600})


@_route(r"(/realms/[^/]+)?/\.well-known/openid-configuration")
def _discovery(request: Request, realm: str | None) -> Answer:
    base = request.base + (realm or "")
    return _json({"issuer": base, "token_endpoint": f"{base}/oauth2/token"})


OPENAPI: dict[str, Any] = {
    "openapi": "3.0.3",
    "paths": {
        "/things/{id}": {
            "get": {"operationId": "getThing", "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {}},
                {"name": "verbose", "in": "query", "schema": {}},
                {"name": "X-Trace", "in": "header", "schema": {}}]},
            "put": {"operationId": "putThing",
                    "parameters": [{"name": "id", "in": "path", "required": True, "schema": {}}],
                    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}},
        },
    },
}  # fmt: skip


@_route(r"/v2/swagger\.(?:json|yaml)")
def _swagger(request: Request) -> Answer:
    parts = urlsplit(request.base)
    return _json(petstore.swagger(parts.scheme, parts.netloc, f"{parts.path}/v2"))


@_route(r"/api/v3/openapi\.(?:json|yaml)")
def _third(request: Request) -> Answer:
    return _json(petstore.openapi(f"{urlsplit(request.base).path}/api/v3"))


@_route(r"/openapi\.(?:json|yaml)")
def _openapi(request: Request) -> Answer:
    return _json(OPENAPI | {"servers": [{"url": f"{request.base}/echo"}]})


@_route(r"(?:/v2|/api/v3)(/(?:pet|store|user)(?:/.*)?)")
def _petstore(request: Request, path: str) -> Answer:
    status, value = petstore.answer(request.method, path, request.query, request.value)
    return _json(value, status)


@_route(r"/api/people/(\d*)/?")
def _people(request: Request, id: str) -> Answer:
    luke = {"name": "Luke Skywalker", "homeworld": f"{request.base}/api/planets/1/"}
    if id:
        return _json(luke) if id == "1" else _json({"detail": "Not found"}, 404)
    found = [luke] if str(request.query.get("search", "")).lower() in luke["name"].lower() else []
    return _json({"count": len(found), "results": found})


@_route(r"/api/planets/1/?")
def _planet(_: Request) -> Answer:
    return _json({"name": "Tatooine"})


def _nothing(request: Request) -> Answer:
    if request.host == "external-service.example.com":
        return _json({"error": "down"}, 503)
    if request.host in ECHOING:
        return _echo(request, None)
    return _json({"error": "no such stub"}, 404)


SCHEMAS: dict[str, Any] = {
    "order": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}},
    "strange": {"type": "strange"},
    "parted": {"$ref": "order.json"},
}


@_route(r"/schemas(/login)?/(\w+)\.json")
def _schema(request: Request, login: str | None, name: str) -> Answer:
    if login and request.headers.get("authorization") != f"Bearer {TOKEN}":
        return _json({"error": "who?"}, 401)
    return _json(SCHEMAS[name]) if name in SCHEMAS else _json({"error": "no such schema"}, 404)


@_route(r"/docs/asyncapi\.json")
def _asyncapi(_: Request) -> Answer:
    return _json(documents.get("asyncapi", {}))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        route: Callable[..., Answer]
        request = Request(self)
        found = ((route, match) for pattern, route in _ROUTES if (match := pattern.fullmatch(request.path)))
        route, match = next(found, (_nothing, None))
        status, headers, body = route(request, *(match.groups() if match else ()))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        bodiless = status in (204, 304)  # RFC 9110, 6.4.1
        if not bodiless:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and not bodiless:
            with suppress(ConnectionError):  # who called may have given up, as a scenario wants
                self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _answer

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def stubs() -> Iterator[dict[str, str]]:
    """The stubs' URL by host."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield {host: f"http://127.0.0.1:{server.server_port}/~{host}" for host in HOSTS}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
