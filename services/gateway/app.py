"""The gateway's ASGI application: calls on bare ASGI, everything else by FastAPI, every request past one door."""

import logging
import re
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from services.contracts import archives
from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.gateway import docs_page, proxy
from services.gateway.invoke import Invoker
from services.gateway.metrics import CallMetrics
from services.gateway.request import Disconnected, Fields, checked_label, fields_of, function_of
from services.gateway.respond import send_error
from services.gateway.trust import Trust

log = logging.getLogger("gateway")

_NAMESPACED = re.compile(rb"/api/v1/namespaces/([^/]*)/(.*)", re.DOTALL)
_OPEN = frozenset({b"/healthz", b"/readyz"})
"""Probes come from the node, by the Pod's address and without a token."""
_PUBLIC = frozenset({b"/docs", b"/openapi.json"})
"""The same for everybody, so no token is asked for."""
_PLAIN = re.compile(rb"[A-Za-z0-9\-._~!$&'()*+,;=:@/]*")
_ALLOW = "GET, HEAD, POST"


class Gateway(FastAPI):
    """FastAPI with the call path in front of it: an endpoint would cost six times as much a call (design, 5)."""

    def __init__(self, trust: Trust, invoker: Invoker, metrics: CallMetrics, **options: Any) -> None:
        super().__init__(docs_url=None, redoc_url=None, redirect_slashes=False, **options)
        self._trust = trust
        self._invoker = invoker
        self._metrics = metrics

    def openapi(self) -> dict[str, Any]:
        """The description of the whole API, made when it is first asked for."""
        if self.openapi_schema is None:
            self.openapi_schema = docs_page.complete(super().openapi())
        return self.openapi_schema

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Paths of exactly two segments are functions; proxy addresses are calls too."""
        if scope["type"] != "http":
            return
        call_id: str | None = None
        method: str = scope["method"]
        try:
            found = fields_of(scope["headers"])
            raw_path: bytes = scope["raw_path"]
            ref = function_of(raw_path)
            if ref is not None:
                self._trust.check(found, ref.namespace)
                call_id = self._invoker.new_id(found)
                if method == "POST":
                    await self._invoker.invoke(ref, found, call_id, receive, send)
                elif method in ("GET", "HEAD"):
                    await self._invoker.describe(ref, call_id, send)
                else:
                    raise FaasError(
                        Code.METHOD_NOT_ALLOWED, f"{method} is not for functions: POST calls, GET describes"
                    )
                return
            address = proxy.address_of(raw_path)
            if address is not None:
                call_id = self._invoker.new_id(found)
                await self._proxied(*address, scope, found, call_id, receive, send)
                return
            self._enter(raw_path, method, found)
            await super().__call__(scope, receive, send)
        except FaasError as error:
            self._metrics.refused(error.code)
            await send_error(send, error, call_id, _ALLOW if error.code is Code.METHOD_NOT_ALLOWED else "")
        except Disconnected:
            log.debug("a caller left before its request was complete")
        except Exception:
            log.exception("request failed", extra={"path": ascii(scope["path"][:200]), "id": call_id})
            self._metrics.refused(Code.INTERNAL)
            await send_error(send, FaasError(Code.INTERNAL, "the gateway failed; its log has the reason"), call_id)

    async def _proxied(
        self, ref: FunctionRef, path: str, scope: Scope, found: Fields, call_id: str, receive: Receive, send: Send
    ) -> None:
        self._trust.check(found, ref.namespace)
        client = scope["client"][0] if scope.get("client") else None
        fields = proxy.proxy_headers(found, call_id, scope["method"], path, scope["query_string"], client)
        await self._invoker.call(ref, fields, found, call_id, receive, send)

    def _enter(self, raw_path: bytes, method: str, found: Fields) -> None:
        """The door of the platform's own addresses. Raises FaasError."""
        if raw_path in _OPEN:
            return
        if not _PLAIN.fullmatch(raw_path):
            shown = ascii(raw_path[:80].decode("latin-1"))
            raise FaasError(Code.INVALID_NAME, f"the path {shown} has encoded octets or characters that no address has")
        match = _NAMESPACED.fullmatch(raw_path)
        namespace = checked_label(match[1].decode(), "namespace") if match else None
        if match and namespace and method == "GET" and match[2].startswith(b"archives/"):
            digest = match[2].removeprefix(b"archives/").decode()
            if archives.is_digest(digest) and self._trust.may_fetch(found, namespace, digest):
                return
        if raw_path in _PUBLIC and self._trust.tokens is not None:
            return
        self._trust.check(found, namespace)
