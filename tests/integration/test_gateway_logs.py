"""Logs of a function's Pods: a real API server, a real kubelet, real processes that print."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api import Api
from tests.support.apiserver import running_apiserver
from tests.support.bus import running_bus
from tests.support.gateway import Gateway, running_gateway
from tests.support.kubelet import process_pod, running_kubelet
from tests.support.patience import PATIENCE, eventually

PODS = "/api/v1/namespaces/default/pods"
STORED = "/apis/faas.dev/v1alpha1/namespaces/default/functions"
LOGS = "/api/v1/namespaces/default/functions/{}/logs"
FAILS_ONCE = """
import os, time
if os.path.exists("again"):
    print("second")
    time.sleep(600)
open("again", "w")
print("first")
"""
WAITS = """
import os, time
print("begin")
while not os.path.exists({file!r}):
    time.sleep(0.01)
print("more")
time.sleep(600)
"""
STAYS = "import time\nprint('one')\nprint()\nprint('three')\ntime.sleep(600)\n"


class Cluster:
    """Functions without a scaler: their Pods are the test's."""

    def __init__(self, api: Api, gateway: Gateway) -> None:
        self.api = api
        self.gateway = gateway

    def function(self, name: str) -> None:
        spec = {"source": {"inline": {"main.py": "x = 1\n"}}}
        self.api.create(
            STORED, {"apiVersion": "faas.dev/v1alpha1", "kind": "Function", "metadata": {"name": name}, "spec": spec}
        )

    def pod(self, function: str, name: str, script: str = STAYS) -> None:
        pod = process_pod(name, script, restartPolicy="Always")
        pod["metadata"]["labels"] = {"faas.dev/function": function}
        self.api.create(PODS, pod)

    def delete_pod(self, name: str) -> None:
        self.api.request("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 0})

    def read(self, function: str, query: str = "") -> str:
        answer = self.gateway.request("GET", LOGS.format(function) + query)
        assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        return answer.body.decode()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("logs")
    with running_apiserver(directory / "api") as server, running_kubelet(server, directory / "kubelet"):
        api = Api(server)
        api.install("functions")
        eventually(lambda: bool(api.items("/api/v1/nodes")))
        with running_bus(directory) as bus, running_gateway(directory, bus, server.kubeconfig) as gateway:
            yield Cluster(api, gateway)


def test_a_function_without_pods_has_no_lines(cluster: Cluster) -> None:
    cluster.function("idle")
    assert cluster.read("idle") == ""


def test_the_lines_of_one_pod_come_as_they_are(cluster: Cluster) -> None:
    cluster.function("single")
    cluster.pod("single", "single-1")
    eventually(lambda: cluster.read("single") == "one\n\nthree\n")
    assert cluster.read("single", "?tail=1") == "three\n"


def test_the_lines_of_several_pods_say_whose_they_are(cluster: Cluster) -> None:
    cluster.function("several")
    for name in ("several-1", "several-2"):
        cluster.pod("several", name)
    lines = {f"[several-{number}] three" for number in (1, 2)}
    eventually(lambda: lines <= set(cluster.read("several", "?tail=1").splitlines()))


def test_the_run_before_this_one(cluster: Cluster) -> None:
    cluster.function("restarts")
    cluster.pod("restarts", "restarts-1", FAILS_ONCE)
    eventually(lambda: cluster.read("restarts") == "second\n")
    assert cluster.read("restarts", "?previous=true") == "first\n"
    assert "(no log: " in cluster.read("single", "?previous=true")


def test_following_goes_on_with_new_pods_and_ends_with_the_function(cluster: Cluster, tmp_path: Path) -> None:
    cluster.function("followed")
    more = tmp_path / "more"
    cluster.pod("followed", "followed-1", WAITS.format(file=str(more)))
    connection = http.client.HTTPConnection("127.0.0.1", cluster.gateway.port, timeout=PATIENCE)
    connection.request("GET", LOGS.format("followed") + "?follow=true")
    response = connection.getresponse()
    assert response.readline() == b"begin\n"
    more.touch()
    assert response.readline() == b"more\n"
    cluster.pod("followed", "followed-2", "import time\nprint('new')\ntime.sleep(600)\n")
    assert response.readline() == b"[followed-2] new\n"
    cluster.api.request("DELETE", f"{STORED}/followed")
    cluster.delete_pod("followed-1")
    cluster.delete_pod("followed-2")
    assert response.read() == b""
    connection.close()


def test_following_a_function_that_has_no_pod_yet(cluster: Cluster) -> None:
    cluster.function("later")
    connection = http.client.HTTPConnection("127.0.0.1", cluster.gateway.port, timeout=PATIENCE)
    connection.request("GET", LOGS.format("later") + "?follow=true")
    response = connection.getresponse()
    cluster.pod("later", "later-1")
    assert [response.readline() for _ in range(3)] == [b"one\n", b"\n", b"three\n"]
    response.close()
    connection.close()
