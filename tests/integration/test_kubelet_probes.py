"""A real kubelet under a real API server: probes, and what their answers do to a Pod."""

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api import Api
from tests.support.apiserver import ApiServer
from tests.support.kubelet import (
    PODS,
    Kubelet,
    container_of,
    is_ready,
    logs,
    process_pod,
    processes_of,
    reasons,
    running_kubelet,
    status_of,
)
from tests.support.patience import eventually

WEB_SERVER = """
import http.server, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if not os.path.exists(os.environ["HOME"] + "/sick") else 500)
        self.end_headers()
    def log_message(self, *_): pass
signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), os._exit(0)))
print("up", flush=True)
http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""
READINESS = {"readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1}}
SLEEP = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(0)); print('up'); time.sleep(600)"


@pytest.fixture(scope="module")
def kubelet(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubelet]:
    with running_kubelet(server, tmp_path_factory.mktemp("kubelet") / "dir") as running:
        eventually(lambda: Api(server).find("/api/v1/nodes/node-1"), "the node is registered")
        yield running


@pytest.fixture
def api(server: ApiServer, kubelet: Kubelet) -> Iterator[Api]:
    api = Api(server)
    yield api
    for pod in api.items(PODS):
        api.delete(f"{PODS}/{pod['metadata']['name']}", gracePeriodSeconds=1)
    eventually(lambda: not api.items(PODS), "all Pods are gone")


def test_a_pod_becomes_ready_answers_and_ends(api: Api, kubelet: Kubelet, tmp_path: Path) -> None:
    began = time.monotonic()
    api.create(PODS, process_pod("web", WEB_SERVER, container=READINESS))
    eventually(lambda: is_ready(api, "web"), "ready")
    print(f"created to ready: {(time.monotonic() - began) * 1000:.0f} ms, a Python start included")
    status = status_of(api, "web")
    assert status["phase"] == "Running"
    assert status["podIP"].startswith("127.")
    assert 64 <= int(status["podIP"].split(".")[1]) <= 127
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert status["containerStatuses"][0]["restartCount"] == 0
    with urllib.request.urlopen(f"http://{status['podIP']}:8080/healthz", timeout=5) as answer:
        assert answer.status == 200
    assert logs(api, kubelet, tmp_path, "web") == "up\n"
    api.delete(f"{PODS}/web")
    eventually(lambda: api.find(f"{PODS}/web") is None, "gone")
    assert processes_of(kubelet.directory) == []
    eventually(lambda: not list((kubelet.directory / "pods").iterdir()), "its directory is gone")
    eventually(lambda: {"Started", "Killing"} <= reasons(api, "web"), "events")


def test_unready_and_ready_again(api: Api, kubelet: Kubelet) -> None:
    probe = READINESS["readinessProbe"] | {"failureThreshold": 1}
    created = api.create(PODS, process_pod("moody", WEB_SERVER, container={"readinessProbe": probe}))
    eventually(lambda: is_ready(api, "moody"), "ready")
    sick = kubelet.directory / "pods" / created["metadata"]["uid"] / "dir" / "sick"
    sick.touch()
    eventually(lambda: not is_ready(api, "moody"), "unready")
    assert container_of(api, "moody")["restartCount"] == 0
    sick.unlink()
    eventually(lambda: is_ready(api, "moody"), "ready again")
    eventually(lambda: "Unhealthy" in reasons(api, "moody"), "event")


def test_a_failed_liveness_probe_restarts(api: Api, kubelet: Kubelet) -> None:
    probe = READINESS["readinessProbe"] | {"failureThreshold": 1}
    created = api.create(PODS, process_pod("live", WEB_SERVER, container=READINESS | {"livenessProbe": probe}))
    eventually(lambda: is_ready(api, "live"), "ready")
    sick = kubelet.directory / "pods" / created["metadata"]["uid"] / "dir" / "sick"
    sick.touch()
    eventually(lambda: container_of(api, "live")["restartCount"] == 1, "restarted")
    sick.unlink()
    eventually(lambda: is_ready(api, "live"), "ready again")


def test_tcp_and_startup_probes(api: Api) -> None:
    probes = {
        "startupProbe": {"tcpSocket": {"port": "web"}, "periodSeconds": 1, "failureThreshold": 30},
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "ports": [{"name": "web", "containerPort": 8080}],
    }
    api.create(PODS, process_pod("tcp", WEB_SERVER, container=probes))
    eventually(lambda: is_ready(api, "tcp"), "ready")
    assert container_of(api, "tcp")["started"] is True


def test_exec_probes_see_the_container_s_environment(api: Api, kubelet: Kubelet) -> None:
    command = ["sh", "-c", 'test "$HOME" = "$PWD" && test -e "$HOME/well"']
    probe = {"exec": {"command": command}, "periodSeconds": 1, "failureThreshold": 1}
    created = api.create(PODS, process_pod("exec", SLEEP, container={"readinessProbe": probe}))
    eventually(lambda: container_of(api, "exec").get("state", {}).get("running"), "running")
    well = kubelet.directory / "pods" / created["metadata"]["uid"] / "dir" / "well"
    assert not is_ready(api, "exec")
    well.touch()
    eventually(lambda: is_ready(api, "exec"), "ready")
    well.unlink()
    eventually(lambda: not is_ready(api, "exec"), "unready")


def test_a_startup_probe_that_never_succeeds_restarts(api: Api) -> None:
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    api.create(PODS, process_pod("slow", SLEEP, container={"startupProbe": probe}))
    eventually(lambda: container_of(api, "slow").get("restartCount") == 1, "restarted")
    eventually(lambda: {"Unhealthy", "Killing"} <= reasons(api, "slow"), "events")
