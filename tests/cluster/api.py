"""The plainest client of a Kubernetes API server that shows everything of an answer, for tests that compare answers."""

import http.client
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"  # what `kubectl get` asks for
IDLE_SECONDS = 30.0
"""After which a connection is not used again: the API server closes idle ones after 90 s, which a slow test meets."""

Object = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """An HTTP status with the JSON of its body; a body that is no JSON object is `{"text": …}`."""

    status: int
    body: Object

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", "")) if self.body.get("kind") == "Status" else ""


class Api:
    """One kept-alive connection to an API server, with a bearer token; not for use by several threads."""

    def __init__(self, url: str, token: str, ca_file: Path, *, seconds: float = 30) -> None:
        address = urlsplit(url)
        self.url = url
        self.token = token
        self._seconds = seconds
        self.ca_file = ca_file
        self._host, self._port = str(address.hostname), address.port or 443
        self._tls = ssl.create_default_context(cafile=str(ca_file))
        self._connection = self._connect()
        self._used = 0.0

    @classmethod
    def of_kubeconfig(cls, kubeconfig: Path, ca_file: Path) -> "Api":
        """Returns a connection as the one user of a kubeconfig with a token."""
        document = yaml.safe_load(kubeconfig.read_text())
        return cls(document["clusters"][0]["cluster"]["server"], document["users"][0]["user"]["token"], ca_file)

    def request(
        self, method: str, path: str, body: object = None, content_type: str = JSON, accept: str = JSON
    ) -> Answer:
        """Sends `body` as JSON (bytes as they are) and returns what came back, errors included."""
        payload = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {self.token}", "Accept": accept, "Content-Type": content_type}
        if time.monotonic() - self._used > IDLE_SECONDS:
            self._connection.close()  # the request opens it again
        self._used = time.monotonic()
        try:
            self._connection.request(method, path, payload, headers)
            response = self._connection.getresponse()
            return Answer(response.status, decoded(response.read()))
        except (http.client.HTTPException, OSError):
            self._connection.close()  # the next request opens it again
            raise

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def expect(self, method: str, path: str, body: object = None, content_type: str = JSON) -> Object:
        """Like `request`, for steps that must succeed: returns the object, or fails the test with the answer."""
        answer = self.request(method, path, body, content_type)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.body.get('message', answer.body)}"
        return answer.body

    @contextmanager
    def watch(self, path: str) -> Iterator[Iterator[Object]]:
        """Opens a watch (`path` carries its query) and yields the events as they come, until the server ends it."""
        connection = self._connect()
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}", "Accept": JSON})
            response = connection.getresponse()
            yield (json.loads(line) for line in response if line.strip())
        finally:
            connection.close()

    def close(self) -> None:
        self._connection.close()

    def _connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._host, self._port, context=self._tls, timeout=self._seconds)


def decoded(body: bytes) -> Object:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"text": body.decode(errors="replace")}
