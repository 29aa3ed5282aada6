"""The ASGI application: authentication, routing, and errors as Status objects."""

import logging
import platform
import sqlite3
from typing import Any

from cli.local.apiserver import address, discovery, errors, http, openapi
from cli.local.apiserver.auth import Authenticator
from cli.local.apiserver.errors import StatusError
from cli.local.apiserver.handlers import Handlers
from cli.local.apiserver.http import Request, Response
from cli.local.apiserver.logs import LogProxy
from cli.local.apiserver.registry import Registry

Json = dict[str, Any]

log = logging.getLogger(__name__)

_VERSION: Json = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0+faas",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": f"python{platform.python_version()}",
    "compiler": "cpython",
    "platform": f"linux/{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(platform.machine(), platform.machine()) }",
}
_AGGREGATED = {
    "v2": b"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    "v2beta1": b"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
}


class Application:
    """Serves the Kubernetes API over ASGI 3."""

    def __init__(self, registry: Registry, handlers: Handlers, logs: LogProxy, authenticator: Authenticator) -> None:
        self._registry = registry
        self._handlers = handlers
        self._logs = logs
        self._authenticator = authenticator
        self._documents: dict[str, tuple[int, Any]] = {}

    async def __call__(self, scope: http.Scope, receive: http.Receive, send: http.Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"ASGI scope {scope['type']!r} is not served")
        request = http.make_request(scope, receive, send)
        try:
            response = await self._answer(request)
        except StatusError as error:
            response = http.error_response(error)
        except sqlite3.Error as error:
            log.error("database: %s", error)
            response = http.error_response(errors.internal(f"the database refused the write: {error}"))
        except Exception:
            # A fault of this server: its log has the traceback, the client an answer, and everybody else goes on.
            log.exception("%s %s failed", request.method, request.path)
            if request.started:
                raise
            response = http.error_response(errors.internal("a fault of the API server, see its log"))
        if response is not None:
            await http.respond(request, response)

    async def _answer(self, request: Request) -> Response | None:
        self._authenticator.check(request.path, request.headers)
        parts = request.path.strip("/").split("/")
        if parts[0] == "api" and len(parts) > 2 and parts[1] == "v1":
            return await self._resource(request, "", "v1", parts[2:])
        if parts[0] == "apis" and len(parts) > 3:
            return await self._resource(request, parts[1], parts[2], parts[3:])
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        if request.path in ("/healthz", "/livez", "/readyz"):
            return Response(b"ok", content_type=b"text/plain; charset=utf-8")
        if request.path == "/version":
            return http.json_response(_VERSION)
        if parts[0] == "openapi":
            return self._openapi(parts[1:])
        return self._discovery(request, parts)

    async def _resource(self, request: Request, group: str, version: str, parts: list[str]) -> Response | None:
        at = address.parse(self._registry, group, version, parts)
        if at.subresource == "log":
            await self._logs.serve(request, at)
            return None
        return await self._handlers.handle(request, at)

    def _discovery(self, request: Request, parts: list[str]) -> Response:
        found: Json | None = None
        if parts in (["api"], ["apis"]):
            accept = request.header(b"accept")
            for version, media_type in _AGGREGATED.items():
                if f"v={version};as=APIGroupDiscoveryList" in accept.replace(" ", ""):
                    body = discovery.aggregated(self._registry, parts == ["api"], version)
                    return http.json_response(body, content_type=media_type)
            core = parts == ["api"]
            found = discovery.core_versions(request.header(b"host")) if core else discovery.group_list(self._registry)
        elif len(parts) == 2 and parts[0] == "api":
            found = discovery.resource_list(self._registry, "", parts[1])
        elif len(parts) == 2 and parts[0] == "apis":
            found = discovery.group(self._registry, parts[1])
        elif len(parts) == 3 and parts[0] == "apis":
            found = discovery.resource_list(self._registry, parts[1], parts[2])
        elif parts == [""]:
            found = {"paths": ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]}
        if found is None:
            raise errors.path_not_found()
        return http.json_response(found)

    def _openapi(self, parts: list[str]) -> Response:
        name = "/".join(parts)
        kept = self._documents.get(name)
        if kept is None or kept[0] != self._registry.generation:
            found: Any = None
            if parts == ["v3"]:
                found = openapi.index(self._registry)
            elif parts[:2] == ["v3", "api"] and len(parts) == 3:
                found = openapi.document(self._registry, "", parts[2])
            elif parts[:2] == ["v3", "apis"] and len(parts) == 4:
                found = openapi.document(self._registry, parts[2], parts[3])
            if found is None:
                raise errors.path_not_found()
            kept = self._documents[name] = (self._registry.generation, found)
        return http.json_response(kept[1])
