"""A plain HTTP/1.1 client of the API server with one kept connection; it does no retries, which could hide a fault."""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import msgspec

from tests.support.apiserver import ApiServer

Json = dict[str, Any]

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Reply(msgspec.Struct):
    """An answer: `obj` is the decoded body, or None when it is no JSON."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def obj(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.obj["message"])

    @property
    def version(self) -> int:
        return int(self.obj["metadata"]["resourceVersion"])


class ApiClient:
    """Requests with the server's token; a `with` block closes the connection."""

    def __init__(self, server: ApiServer, token: str | None = None, timeout: float = 20.0) -> None:
        self._server = server
        self._timeout = timeout
        self._token = server.token if token is None else token
        self._connection = self._connect()

    def __enter__(self) -> "ApiClient":
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.close()

    def request(self, method: str, path: str, body: Any = None, kind: str = "application/json", **query: Any) -> Reply:
        """Send and read the whole answer. `body` is encoded as JSON unless it is bytes."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Content-Type": kind, "User-Agent": "tests/1"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if "accept" in query:
            headers["Accept"] = query.pop("accept")
        target = f"{path}?{urlencode(query)}" if query else path
        self._connection.request(method, target, data, headers)
        answer = self._connection.getresponse()
        return Reply(answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()})

    def get(self, path: str, **query: Any) -> Reply:
        return self.request("GET", path, **query)

    def create(self, path: str, obj: Any, **query: Any) -> Reply:
        return self.request("POST", path, obj, **query)

    def update(self, path: str, obj: Any, **query: Any) -> Reply:
        return self.request("PUT", path, obj, **query)

    def patch(self, path: str, patch: Any, kind: str = MERGE, **query: Any) -> Reply:
        return self.request("PATCH", path, patch, kind, **query)

    def delete(self, path: str, options: Any = None, **query: Any) -> Reply:
        return self.request("DELETE", path, options, **query)

    @contextlib.contextmanager
    def watch(self, path: str, accept: str = "application/json", **query: Any) -> Iterator[Iterator[Json]]:
        """Events of a watch on a connection of its own, which has begun when the block is entered."""
        connection = self._connect()
        headers = {"Authorization": f"Bearer {self._token}", "Accept": accept}
        connection.request("GET", f"{path}?{urlencode({'watch': '1', **query})}", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        try:
            yield (json.loads(line) for line in answer)
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(
            self._server.host, self._server.port, context=self._server.ssl_context(), timeout=self._timeout
        )
        connection.connect()
        assert isinstance(connection.sock, socket.socket)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def configmap(name: str, namespace: str = "default", **data: str) -> Json:
    """A ConfigMap, the plainest of objects."""
    return {"metadata": {"name": name, "namespace": namespace}, "data": data}


def pod(name: str, **spec: Any) -> Json:
    """A Pod with one container."""
    containers = [{"name": "main", "image": "localhost/faas-process:1"}]
    return {"metadata": {"name": name, "labels": {"app": name}}, "spec": {"containers": containers, **spec}}
