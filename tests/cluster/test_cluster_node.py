"""The whole node: Pods in containers, found by Service and by name, and nothing of it left on the machine."""

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.api import Api, Object
from tests.cluster.image import Image
from tests.cluster.node import Node, why_not_here
from tests.cluster.rootfs import debian_layer

DEBIAN = "localhost/debian:1"
SERVER = """
import http.server, socket
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(socket.gethostname().encode())
print("serving", flush=True)
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
ASK_API_SERVER = """
import json, ssl, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
request = urllib.request.Request("https://kubernetes.default.svc/api/v1/namespaces/default/pods")
request.add_header("Authorization", "Bearer " + open(folder + "token").read())
try:
    urllib.request.urlopen(request, context=ssl.create_default_context(cafile=folder + "ca.crt"))
except urllib.error.HTTPError as error:
    print(json.load(error)["message"].partition(":")[0])
"""


@pytest.fixture(scope="module")
def loaded_node(node: Node) -> Node:
    node.load(Image(DEBIAN, [debian_layer()]))
    return node


@pytest.fixture
def inside(loaded_node: Node) -> Iterator[Api]:
    """Runs the test in the node's network, with a connection to its API server."""
    with loaded_node.network():
        api = loaded_node.api()
        yield api
        api.close()


@pytest.fixture
def web(inside: Api) -> Iterator[str]:
    """The name of a ReplicaSet of two HTTP servers, of the Service before them, and of their label `app`."""
    name = "web"
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    container = {"name": "main", "image": DEBIAN, "command": ["python3", "-c", SERVER], "readinessProbe": probe}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    wanted = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
    sets, services = "/apis/apps/v1/namespaces/default/replicasets", "/api/v1/namespaces/default/services"
    meta = {"metadata": {"name": name}}
    inside.expect("POST", sets, {"apiVersion": "apps/v1", "kind": "ReplicaSet", **meta, "spec": wanted})
    ports = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}
    inside.expect("POST", services, {"apiVersion": "v1", "kind": "Service", **meta, "spec": ports})
    wait_until(lambda: inside.get(f"{sets}/{name}").body["status"].get("readyReplicas") == 2, "two Pods are ready")
    yield name
    inside.expect("DELETE", f"{sets}/{name}", {"propagationPolicy": "Background"})
    inside.expect("DELETE", f"{services}/{name}")
    wait_until(lambda: not pods(inside, name), "the Pods are gone")


def pods(api: Api, name: str) -> list[Object]:
    listed = api.expect("GET", f"/api/v1/namespaces/default/pods?labelSelector=app%3D{name}")
    return list(listed["items"])


def wait_until(done: Callable[[], bool], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


def fetched(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_service_spreads_calls_over_containers(web: str, inside: Api) -> None:
    names = {pod["metadata"]["name"] for pod in pods(inside, web)}
    address = inside.expect("GET", f"/api/v1/namespaces/default/services/{web}")["spec"]["clusterIP"]
    seen: set[str] = set()

    def both_answered() -> bool:
        seen.add(fetched(f"http://{address}/"))
        return names <= seen

    wait_until(both_answered, f"{names} answer at {address}")
    assert seen <= names | {""}  # nothing before kube-proxy knew the Service


def test_kubectl_reaches_into_containers(web: str, inside: Api, loaded_node: Node) -> None:
    name = pods(inside, web)[0]["metadata"]["name"]
    assert output(loaded_node.kubectl("logs", name)).startswith("serving\n")
    assert output(loaded_node.kubectl("exec", name, "--", "hostname")) == f"{name}\n"


def test_pods_find_each_other_and_the_api_server_by_name(web: str, inside: Api, loaded_node: Node) -> None:
    name = pods(inside, web)[0]["metadata"]["name"]
    ask = f"import urllib.request; print(urllib.request.urlopen('http://{web}', timeout=20).read().decode())"
    assert output(loaded_node.kubectl("exec", name, "--", "python3", "-c", ask)).startswith(f"{web}-")
    answer = output(loaded_node.kubectl("exec", name, "--", "python3", "-c", ASK_API_SERVER))
    assert answer == "pods is forbidden\n"  # the token is good, and gives no rights


def test_nothing_is_left_on_the_machine(tmp_path: Path) -> None:
    if reason := why_not_here():
        pytest.skip(reason)
    links, mounts = network_links(), Path("/proc/mounts").read_text()
    node = Node(tmp_path)
    try:
        node.start()
        assert (network_links(), Path("/proc/mounts").read_text()) == (links, mounts)
        processes = processes_of(node)
        assert len(processes) > 8
    finally:
        node.stop()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes), "every process has ended")
    assert (network_links(), Path("/proc/mounts").read_text()) == (links, mounts)


def network_links() -> set[str]:
    return {link["ifname"] for link in json.loads(output(["ip", "-json", "link"]))}


def processes_of(node: Node) -> list[int]:
    """Returns every process of the node's PID namespace, containers included."""
    space = os.readlink(f"/proc/{node.init_pid()}/ns/pid")
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "ns/pid") == space:
                found.append(int(entry.name))
        except OSError:  # it has ended meanwhile
            continue
    return found
