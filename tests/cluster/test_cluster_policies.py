"""NetworkPolicies of every form on the node: who of two clients reaches which of two ports of a server."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.api import Api
from tests.cluster.image import Image
from tests.cluster.node import Node
from tests.cluster.policies import selects
from tests.cluster.rootfs import debian_layer
from tests.cluster.test_cluster_node import DEBIAN, wait_until

HERE, THERE = "policies-here", "policies-there"
PATHS = {name: f"/api/v1/namespaces/{name}" for name in (HERE, THERE)}
POLICY = f"/apis/networking.k8s.io/v1/namespaces/{HERE}/networkpolicies"
SERVE = """
import http.server, threading
for port in (8080, 8081):
    server = http.server.ThreadingHTTPServer(("", port), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever).start()
"""
ASK = """
import concurrent.futures, socket, sys
def reached(port):
    try:
        socket.create_connection((sys.argv[1], port), timeout=1).close()
    except TimeoutError:
        return ""
    return port
with concurrent.futures.ThreadPoolExecutor() as pool:
    print([port for port in pool.map(reached, (8080, 8081)) if port])
"""
BOTH = [8080, 8081]
NEAR, SERVER = {"app": "near"}, {"app": "server"}
TO_SERVER = {"podSelector": {"matchLabels": SERVER}}
FROM_THERE = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": THERE}}}
EVERYWHERE: dict[str, Any] = {"namespaceSelector": {}}


@pytest.fixture(scope="module")
def inside(node: Node) -> Iterator[Api]:
    """A server and a client `near` in one namespace, a client `far` in another one; runs in the node's network."""
    node.load(Image(DEBIAN, [debian_layer()]))
    with node.network():
        api = node.api()
        for name in (HERE, THERE):
            api.expect("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        wait_until(
            lambda: all(api.get(f"{each}/serviceaccounts/default").status == 200 for each in PATHS.values()), "accounts"
        )
        start(api, HERE, "server", SERVE)
        start(api, HERE, "near", "import time; time.sleep(3600)")
        start(api, THERE, "far", "import time; time.sleep(3600)")
        wait_until(
            lambda: all(address(api, *each) for each in ((HERE, "server"), (HERE, "near"), (THERE, "far"))),
            "Pods are ready",
        )
        yield api
        for name in (HERE, THERE):
            api.expect("DELETE", f"/api/v1/namespaces/{name}")
        api.close()


def start(api: Api, namespace: str, name: str, program: str) -> None:
    ports = [{"name": "web", "containerPort": 8080}, {"name": "other", "containerPort": 8081}]
    container: dict[str, Any] = {"name": "main", "image": DEBIAN, "command": ["python3", "-c", program]}
    if name == "server":
        container |= {"ports": ports, "readinessProbe": {"tcpSocket": {"port": 8081}, "periodSeconds": 1}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    meta = {"name": name, "labels": {"app": name}}
    api.expect("POST", f"{PATHS[namespace]}/pods", {"metadata": meta, "spec": spec})


def address(api: Api, namespace: str, name: str) -> str:
    """A Pod's address, empty until it is ready."""
    status = api.expect("GET", f"{PATHS[namespace]}/pods/{name}")["status"]
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", ()))
    return str(status["podIP"]) if ready else ""


def reached(node: Node, server: str) -> tuple[list[int], list[int]]:
    """The server's ports that `near` and `far` reach."""
    asked = []
    for namespace, name in ((HERE, "near"), (THERE, "far")):
        command = node.kubectl("exec", "-n", namespace, name, "--", "python3", "-c", ASK, server)
        asked.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    near, far = (json.loads(each.communicate(timeout=60)[0]) for each in asked)
    return near, far


def ingress(**rule: Any) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": SERVER}, "ingress": [rule]}


def egress(*rules: Any) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": NEAR}, "policyTypes": ["Egress"], "egress": list(rules)}


@pytest.mark.parametrize(
    ("spec", "near", "far"),
    [
        ({"podSelector": {}}, [], []),
        (ingress(), BOTH, BOTH),
        (ingress(**{"from": [{"podSelector": {}}]}), BOTH, []),
        (ingress(**{"from": [FROM_THERE]}), [], BOTH),
        (ingress(**{"from": [{**FROM_THERE, "podSelector": {"matchLabels": NEAR}}]}), [], []),
        (ingress(**{"from": [FROM_THERE, {"podSelector": {"matchLabels": NEAR}}]}), BOTH, BOTH),
        (ingress(ports=[{"port": "web"}]), [8080], [8080]),
        (ingress(ports=[{"port": 8079, "endPort": 8080}], **{"from": [EVERYWHERE]}), [8080], [8080]),
        (ingress(ports=[{"port": "none"}, {"port": 8081, "protocol": "UDP"}]), [], []),
        (ingress(**{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.244.0.0/16"]}}]}), [], []),
        (ingress(**{"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.96.0.0/16"]}}]}), BOTH, BOTH),
        (egress(), [], BOTH),
        (egress({"to": [TO_SERVER], "ports": [{"port": "other"}]}), [8081], BOTH),
        (egress({"ports": [{"port": "web"}]}), [8080], BOTH),
        (egress({"to": [FROM_THERE]}), [], BOTH),
        (egress({"to": [{"ipBlock": {"cidr": "10.244.0.0/16"}}], "ports": [{"port": 8081}]}), [8081], BOTH),
    ],
)
def test_who_is_let_through(inside: Api, node: Node, spec: dict[str, Any], near: list[int], far: list[int]) -> None:
    server = address(inside, HERE, "server")
    inside.expect("POST", POLICY, {"metadata": {"name": "tried"}, "spec": spec})
    try:
        wait_until(lambda: reached(node, server) == (near, far), f"near reaches {near} and far {far}", seconds=20)
    finally:
        inside.expect("DELETE", f"{POLICY}/tried")


def test_policies_add_up_and_the_node_always_passes(inside: Api, node: Node) -> None:
    server = address(inside, HERE, "server")
    for name, spec in (("none", {"podSelector": {}}), ("web", ingress(ports=[{"port": "web"}]))):
        inside.expect("POST", POLICY, {"metadata": {"name": name}, "spec": spec})
    wait_until(lambda: reached(node, server) == ([8080], [8080]), "one port is open", seconds=20)
    subprocess.run(["bash", "-c", f"exec 3<>/dev/tcp/{server}/8081"], check=True, timeout=20)  # as a probe does
    inside.expect("DELETE", POLICY)
    wait_until(lambda: reached(node, server) == (BOTH, BOTH), "without a policy everything is open", seconds=20)


@pytest.mark.parametrize(
    ("operator", "values", "matching"),
    [
        ("In", ["a", "b"], [{"key": "a"}]),
        ("NotIn", ["a", "b"], [{"key": "c"}, {}]),
        ("Exists", [], [{"key": "a"}, {"key": "c"}]),
        ("DoesNotExist", [], [{}]),
    ],
)
def test_expressions_of_selectors(operator: str, values: list[str], matching: list[dict[str, str]]) -> None:
    selector = {"matchExpressions": [{"key": "key", "operator": operator, "values": values}]}
    assert [each for each in ({"key": "a"}, {"key": "c"}, {}) if selects(selector, each)] == matching
