"""The process kubelet of `faas up` as the only node of a real control plane."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.api import MERGE_PATCH, Api, Object
from tests.cluster.controlplane import NODE_NAME, ControlPlane
from tests.cluster.process_node import ProcessNode
from tests.support.patience import PATIENCE

SETS = "/apis/apps/v1/namespaces/default/replicasets"
PODS = "/api/v1/namespaces/default/pods"
SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["HOSTNAME"].encode())
    def log_message(self, *line):
        pass
print("serving", os.environ["HOSTNAME"], flush=True)
http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def node(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessNode]:
    node = ProcessNode(control_plane, tmp_path_factory.mktemp("node"))
    try:
        node.start()
        yield node
    finally:
        node.stop()


@pytest.fixture
def replica_set(node: ProcessNode, control_plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a ReplicaSet of two HTTP servers, whose Pods carry it as the label `app`."""
    api = control_plane.api()
    name = f"web-{request.node.name.removeprefix('test_').replace('_', '-')}"[:40].rstrip("-")
    api.expect("POST", SETS, manifest(name))
    wait_for(api, name, lambda pods: len(pods) == 2 and all(is_ready(pod) for pod in pods))
    yield name
    api.request("DELETE", f"{SETS}/{name}", {"propagationPolicy": "Background"})
    wait_for(api, name, lambda pods: not pods)


def manifest(name: str) -> Object:
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1}
    command = [sys.executable, "-c", SERVER]
    container = {"name": "main", "image": "localhost/faas-process", "command": command, "readinessProbe": probe}
    spec = {"containers": [container], "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 5}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    wanted = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name}, "spec": wanted}


def wait_for(api: Api, name: str, done: Callable[[list[Object]], bool], seconds: float = PATIENCE) -> list[Object]:
    """Returns the Pods of the ReplicaSet as soon as they are as asked for."""
    listed = api.expect("GET", f"{PODS}?labelSelector=app%3D{name}")
    pods = {pod["metadata"]["name"]: pod for pod in listed["items"]}
    version = listed["metadata"]["resourceVersion"]
    query = f"labelSelector=app%3D{name}&watch=1&resourceVersion={version}&timeoutSeconds={seconds:.0f}"
    with api.watch(f"{PODS}?{query}") as events:
        while not done(list(pods.values())):
            event = next(events, None)
            assert event is not None, f"not within {seconds} s: {[pod['status'] for pod in pods.values()]}"
            pods.pop(event["object"]["metadata"]["name"], None)
            if event["type"] != "DELETED":
                pods[event["object"]["metadata"]["name"]] = event["object"]
    return list(pods.values())


def is_ready(pod: Object) -> bool:
    return any(
        each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", [])
    ) and not pod["metadata"].get("deletionTimestamp")


def answer_of(pod: Object) -> str:
    with urllib.request.urlopen(f"http://{pod['status']['podIP']}:8080/", timeout=20) as answer:
        return str(answer.read().decode())


def test_pods_of_a_replica_set_run_and_answer(replica_set: str, control_plane: ControlPlane) -> None:
    pods = wait_for(control_plane.api(), replica_set, lambda pods: len(pods) == 2)
    assert {pod["spec"]["nodeName"] for pod in pods} == {NODE_NAME}
    assert len({pod["status"]["podIP"] for pod in pods}) == 2
    assert [answer_of(pod) for pod in pods] == [pod["metadata"]["name"] for pod in pods]


def test_scaling_out_and_to_zero(replica_set: str, control_plane: ControlPlane) -> None:
    api = control_plane.api()
    began = time.monotonic()
    api.expect("PATCH", f"{SETS}/{replica_set}/scale", {"spec": {"replicas": 4}}, MERGE_PATCH)
    pods = wait_for(api, replica_set, lambda pods: len(pods) == 4 and all(is_ready(pod) for pod in pods))
    assert time.monotonic() - began < 40
    api.expect("PATCH", f"{SETS}/{replica_set}/scale", {"spec": {"replicas": 0}}, MERGE_PATCH)
    wait_for(api, replica_set, lambda pods: not pods)
    with pytest.raises(OSError, match="refused"):
        answer_of(pods[0])


def test_a_deleted_pod_is_replaced(replica_set: str, control_plane: ControlPlane) -> None:
    api = control_plane.api()
    gone = wait_for(api, replica_set, lambda pods: len(pods) == 2)[0]["metadata"]["name"]
    answer = api.expect("DELETE", f"{PODS}/{gone}")
    assert answer["metadata"]["deletionGracePeriodSeconds"] == 5

    def replaced(pods: list[Object]) -> bool:
        return len(pods) == 2 and all(is_ready(pod) and pod["metadata"]["name"] != gone for pod in pods)

    wait_for(api, replica_set, replaced)


def test_kubectl_logs_comes_through_the_kubelet(replica_set: str, control_plane: ControlPlane) -> None:
    name = wait_for(control_plane.api(), replica_set, lambda pods: len(pods) == 2)[0]["metadata"]["name"]
    command = control_plane.kubectl("logs", name)
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (shown.stdout, shown.stderr) == (f"serving {name}\n", "")


def test_kubectl_logs_follows_until_the_pod_ends(replica_set: str, control_plane: ControlPlane) -> None:
    api = control_plane.api()
    name = wait_for(api, replica_set, lambda pods: len(pods) == 2)[0]["metadata"]["name"]
    command = control_plane.kubectl("logs", "-f", name)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == f"serving {name}\n"
        api.expect("DELETE", f"{PODS}/{name}")
        assert follower.wait(PATIENCE) == 0


def test_deleting_the_replica_set_removes_its_pods(replica_set: str, control_plane: ControlPlane) -> None:
    """By the real garbage collector, for which the kubelet has to finish each graceful deletion."""
    api = control_plane.api()
    api.expect("DELETE", f"{SETS}/{replica_set}", {"propagationPolicy": "Foreground"})
    wait_for(api, replica_set, lambda pods: not pods)
    deadline = time.monotonic() + PATIENCE
    while api.get(f"{SETS}/{replica_set}").status != 404:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("name", "image", "token", "reasons"),
    [
        ("no-image", "registry.invalid/none", False, {"ErrImagePull", "ImagePullBackOff"}),
        ("with-token", "localhost/faas-process", True, {"CreateContainerConfigError"}),
    ],
)
def test_a_pod_that_cannot_run_here_says_why(
    name: str, image: str, token: bool, reasons: set[str], node: ProcessNode, control_plane: ControlPlane
) -> None:
    api = control_plane.api()
    spec = {"containers": [{"name": "main", "image": image}], "automountServiceAccountToken": token}
    metadata = {"name": name, "labels": {"app": name}}
    api.expect("POST", PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    def waits(pods: list[Object]) -> bool:
        states = [each["state"] for each in pods[0]["status"].get("containerStatuses", [])] if pods else []
        return any(state.get("waiting", {}).get("reason") in reasons for state in states)

    wait_for(api, name, waits)
    api.expect("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 1})
    wait_for(api, name, lambda pods: not pods)
