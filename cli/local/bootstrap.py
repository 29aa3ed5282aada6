"""Brings a started platform to the point where calls work: CRDs installed, every part ready."""

import base64
import http.client
import json
import ssl
import time
import urllib.parse
from pathlib import Path
from typing import Any

import yaml

from cli.local.keys import NODE
from cli.local.layout import Layout
from cli.local.topology import ProcessSpec

DEADLINE = 90.0
"""Seconds from start to ready; it takes 2 as a rule, and more than 30 were seen on a busy machine."""
_POLL = 0.02
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class NotReady(Exception):
    """The platform did not come up; the message says what is missing and what its log says."""


class _Api:
    """The API server of the kubeconfig by stdlib alone: the supervisor needs three requests, not a client library."""

    def __init__(self, layout: Layout) -> None:
        config = yaml.safe_load(layout.kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self._address = urllib.parse.urlsplit(cluster["server"])
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=authority)
        self._token = config["users"][0]["user"]["token"]

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPSConnection(
            self._address.hostname or "", self._address.port, timeout=5, context=self._tls
        )
        try:
            headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()


def crd_files() -> list[Path]:
    """The project's CRDs: beside the package in a checkout, inside it when it was installed from a wheel."""
    package = Path(__file__).parents[1]
    for directory in (package.parent / "deploy" / "crds", package / "crds"):
        if directory.is_dir():
            return sorted(directory.glob("*.yaml"))
    raise NotReady("the CRDs of the platform are missing from this installation: install it again")


def install_crds(layout: Layout) -> None:
    """Creates the CRDs or brings them up to date, as soon as the API server answers. Raises NotReady."""
    api, deadline = _Api(layout), time.monotonic() + DEADLINE
    for file in crd_files():
        definition = yaml.safe_load(file.read_text())
        while True:
            try:
                _install(api, definition)
                break
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() > deadline:
                    raise NotReady(f"the API server does not answer: {error}{_log(layout, 'apiserver')}") from None
                time.sleep(_POLL)  # nothing announces that a port begins to listen


def _install(api: _Api, definition: dict[str, Any]) -> None:
    status, answer = api.request("POST", _CRDS, definition)
    if status == 409:
        path = f"{_CRDS}/{definition['metadata']['name']}"
        _, current = api.request("GET", path)
        definition["metadata"]["resourceVersion"] = current["metadata"]["resourceVersion"]
        status, answer = api.request("PUT", path, definition)
    if status >= 300:
        raise NotReady(f"the API server refused a CRD of the platform: {answer.get('message', answer)}")


def wait_ready(layout: Layout, specs: list[ProcessSpec], node: str = NODE) -> None:
    """Waits until every service says it is ready and ``node`` is. Raises NotReady naming what is not."""
    deadline = time.monotonic() + DEADLINE
    waiting = {spec.name: spec.ready for spec in specs if spec.ready}
    api, node_ready = _Api(layout), False
    while waiting or not node_ready:
        waiting = {name: url for name, url in waiting.items() if not _answers(url)}
        node_ready = node_ready or _node_ready(api, node)
        if time.monotonic() > deadline:
            missing = [*waiting] + ([] if node_ready else ["kubelet"])
            raise NotReady(f"not ready after {DEADLINE:g} s: {', '.join(missing)}{_log(layout, missing[0])}")
        time.sleep(_POLL)


def _answers(url: str) -> bool:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _node_ready(api: _Api, name: str) -> bool:
    try:
        status, node = api.request("GET", f"/api/v1/nodes/{name}")
    except (OSError, http.client.HTTPException):
        return False
    conditions = node.get("status", {}).get("conditions", []) if status == 200 else []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _log(layout: Layout, name: str) -> str:
    path = layout.logs / f"{name}.log"
    lines = path.read_text(errors="replace").splitlines()[-8:] if path.exists() else []
    return f"\nlast lines of {path}:\n" + "\n".join(lines) if lines else ""
