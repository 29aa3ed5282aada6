"""The two doors behind each other: HTTP through a real gateway and a real router to a Pod that a test writes."""

import json
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.api import Api
from tests.support.apiserver import running_apiserver
from tests.support.bus import running_bus
from tests.support.canned import Asked, Say, Server, canned_server
from tests.support.gateway import Gateway, running_gateway
from tests.support.patience import PATIENCE, eventually
from tests.support.router import pod_object, router_process
from tests.support.service import Service

FUNCTIONS = "/apis/faas.dev/v1alpha1/namespaces/default/functions"
PODS = "/api/v1/namespaces/default/pods"
SPEC = {"source": {"inline": {"main.py": "x = 1\n"}}}


class Stage:
    """Gateway, router, and a Pod."""

    def __init__(self, gateway: Gateway, router: Service, api: Api, pod: Server) -> None:
        self.gateway = gateway
        self.router = router
        self.api = api
        self.pod = pod

    def deploy(self, name: str, with_pod: bool = True) -> None:
        """A Function and, as scaler and kubelet would, its Pod."""
        head = {"apiVersion": "faas.dev/v1alpha1", "kind": "Function", "metadata": {"name": name}}
        self.api.create(FUNCTIONS, {**head, "spec": SPEC})
        if with_pod:
            url = urllib.parse.urlsplit(self.pod.url)
            document = pod_object((url.hostname or "", url.port or 0), f"{name}-1", function=name)
            document["spec"]["containers"][0]["image"] = "localhost/faas-process:1"
            del document["metadata"]["uid"]
            self.api.create(PODS, {"apiVersion": "v1", "kind": "Pod", **document})
            self.api.patch(f"{PODS}/{name}-1/status", {"status": document["status"]})
        wanted = 200 if with_pod else 503
        eventually(lambda: self.gateway.request("POST", f"/default/{name}", b"{}").status == wanted)
        self.pod.asked.clear()


def answer(asked: Asked) -> Say:
    """What the Pod answers."""
    if asked.headers.get("Faas-Proxy"):
        return Say(201, asked.body, {"Set-Cookie": "a=1; Path=/", "ETag": '"1"', "Server": "pod", "X-Inner": "1"})
    return Say(200, asked.body, {"Content-Type": "application/json", "Faas-Duration": "1.25"})


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("stage")
    with running_apiserver(directory / "api") as server, running_bus(directory) as bus, canned_server(answer) as pod:
        api = Api(server)
        api.install("functions")
        with (
            router_process(bus, server.kubeconfig, directory / "router.log") as router,
            running_gateway(directory, bus, server.kubeconfig) as gateway,
        ):
            eventually(router.ready)
            yield Stage(gateway, router, api, pod)


def test_a_call_reaches_the_pod_and_its_answer_the_caller(stage: Stage) -> None:
    stage.deploy("add")
    reply = stage.gateway.request("POST", "/default/add", b'{"x":3}', {"Content-Type": "text/plain", "Faas-Id": "one"})
    assert (reply.status, reply.body, reply.headers["faas-id"]) == (200, b'{"x":3}', "one")
    assert (reply.headers["faas-pod"], reply.headers["faas-duration"]) == ("add-1", "1.25")
    (asked,) = stage.pod.asked
    assert (asked.method, asked.path) == ("POST", "/")
    assert (asked.headers["Content-Type"], asked.headers["Faas-Id"]) == ("text/plain", "one")
    assert 0 < int(asked.headers["Faas-Timeout-Ms"]) <= 60_000


def test_http_functions_see_their_request_and_are_seen(stage: Stage) -> None:
    stage.deploy("web")
    path = "/api/v1/namespaces/default/functions/web/proxy/a%20b/c?x=1"
    reply = stage.gateway.request("PUT", path, b"body", {"Cookie": "s=1", "Authorization": "Bearer secret"})
    assert (reply.status, reply.body, reply.headers["etag"]) == (201, b"body", '"1"')
    assert reply.all("set-cookie") == ["a=1; Path=/"]
    assert not reply.headers.keys() & {"server", "x-inner"}
    (asked,) = stage.pod.asked
    assert (asked.method, asked.path) == ("PUT", "/a%20b/c?x=1")
    fields = {name.lower(): value for name, value in asked.headers.items()}
    assert (fields["cookie"], fields["x-forwarded-for"]) == ("s=1", "127.0.0.1")
    assert "authorization" not in fields


def test_get_describes_and_knows_what_is_not_there(stage: Stage) -> None:
    stage.deploy("described")
    described = json.loads(stage.gateway.request("GET", "/default/described").body)
    assert (described["namespace"], described["name"]) == ("default", "described")
    for method in ("GET", "POST"):
        reply = stage.gateway.request(method, "/default/absent")
        assert (reply.status, json.loads(reply.body)["code"]) == (404, "function_not_found")


def test_a_function_at_zero_says_that_it_is_starting(stage: Stage) -> None:
    stage.deploy("cold", with_pod=False)
    reply = stage.gateway.request("POST", "/default/cold", b"{}")
    assert (reply.status, reply.headers["faas-error"]) == (503, "function_starting")
    assert int(reply.headers["retry-after"]) >= 1
    began = time.monotonic()
    waited = stage.gateway.request("POST", "/default/cold", b"{}", {"Prefer": "wait=1"})
    assert (waited.status, waited.headers["preference-applied"]) == (503, "wait")
    assert 0.9 < time.monotonic() - began < 20


def test_a_call_longer_than_the_silence_that_is_allowed_is_kept_by_the_routers_signs_of_life(stage: Stage) -> None:
    stage.deploy("waits", with_pod=False)
    began = time.monotonic()
    reply = stage.gateway.request("POST", "/default/waits", b"{}", {"Prefer": "wait=5"})
    assert reply.headers["faas-error"] == "function_starting"
    assert time.monotonic() - began > 4.5


def test_a_killed_router_is_lost(stage: Stage, tmp_path: Path) -> None:
    stage.deploy("lost", with_pod=False)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(stage.gateway.request, "POST", "/default/lost", b"{}", {"Prefer": "wait=30"})
        eventually(lambda: "faas_gateway_calls_in_flight 1.0" in _figures(stage.gateway))
        stage.router.kill()
        assert waiting.result(PATIENCE).headers["faas-error"] == "router_lost"
    eventually(lambda: stage.gateway.request("POST", "/default/lost", b"{}").headers["faas-error"] == "no_router")


def _figures(gateway: Gateway) -> str:
    return gateway.request("GET", "/metrics").body.decode()
