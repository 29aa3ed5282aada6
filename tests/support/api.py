"""A small blocking client of the API server, for tests."""

import http.client
import time
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec
import yaml

from tests.support.apiserver import ApiServer
from tests.support.patience import PATIENCE, eventually
from tests.support.service import ROOT

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE_PATCH = "application/merge-patch+json"


class Refusal(Exception):
    """An answer of 300 or more: `status` and the decoded Status object."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


class Api:
    """One request a connection; objects are plain dicts."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **query: str
    ) -> bytes:
        """The body of a 2xx answer; asked again where the server says 429, as every client does. Raises Refusal."""
        deadline = time.monotonic() + PATIENCE
        while True:
            status, content = self._ask(method, path, body, content_type, query)
            if status < 300:
                return content
            if status != 429 or time.monotonic() > deadline:
                raise Refusal(status, content.decode(errors="replace"))
            time.sleep(0.2)  # a real API server does so for the second in which it makes room for a new kind

    def _ask(self, method: str, path: str, body: Any, content_type: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection(
            self._server.host, self._server.port, context=self._server.ssl_context(), timeout=20
        )
        headers = {"Authorization": f"Bearer {self._server.token}", "Content-Type": content_type}
        try:
            data = None if body is None else msgspec.json.encode(body)
            connection.request(method, path + (f"?{urlencode(query)}" if query else ""), data, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> dict[str, Any]:
        """The object at `path`."""
        return msgspec.json.decode(self.request("GET", path), type=dict[str, Any])

    def find(self, path: str) -> dict[str, Any] | None:
        """The object at `path`, or None when there is none."""
        try:
            return self.get(path)
        except Refusal as refusal:
            if refusal.status == 404:
                return None
            raise

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The objects of a collection."""
        listing = msgspec.json.decode(self.request("GET", path, **query), type=dict[str, Any])
        return list(listing["items"])

    def create(self, path: str, body: Any) -> dict[str, Any]:
        """The object as created in the collection `path`."""
        return msgspec.json.decode(self.request("POST", path, body), type=dict[str, Any])

    def patch(self, path: str, body: Any) -> dict[str, Any]:
        """The object after a merge patch."""
        return msgspec.json.decode(self.request("PATCH", path, body, MERGE_PATCH), type=dict[str, Any])

    def install(self, *plurals: str) -> None:
        """Our resources, ``functions`` or ``workflows``; returns once they are served."""
        for plural in plurals:
            self.create(CRDS, yaml.safe_load((ROOT / "deploy" / "crds" / f"{plural}.yaml").read_text()))
        for plural in plurals:
            eventually(partial(self._serves, f"/apis/faas.dev/v1alpha1/{plural}"), f"{plural} are served")

    def _serves(self, path: str) -> bool:
        try:
            self.items(path)
        except Refusal:
            return False
        return True

    def delete(self, path: str, **options: Any) -> None:
        """Delete with DeleteOptions."""
        self.request("DELETE", path, options or None)
