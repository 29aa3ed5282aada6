"""What the platform's NetworkPolicies let through on the node and what they refuse, tried from inside Pods."""

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.deployed import EXAMPLE_WITH_REQUIREMENTS, ROOT, SYSTEM, Deployed, commands, manifest
from tests.cluster.platform_images import DEBIAN_PYTHON, PLATFORM
from tests.cluster.test_cluster_node import wait_until
from tests.cluster.test_deploy_flows import deploy, workflow

pytestmark = pytest.mark.timeout(600)  # the first test waits for the whole platform to come up
SERVICES = ("gateway", "router", "scaler", "workflow")
SOURCE = {"inline": {"main.py": "def handle(event): return 1"}}
OUTSIDE = {
    "internet": "93.184.215.14", "own network": "10.20.0.1", "metadata": "169.254.169.254",
    "Azure's metadata": "168.63.129.16",
}  # fmt: skip
"""Addresses outside the cluster: in this test they are the node's own, with a web server."""
TRY = """
import concurrent.futures, json, socket, sys
def outcome(place):
    host, port = place.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except OSError as error:
        return "dropped" if isinstance(error, TimeoutError) else str(error)
    return "open"
places = json.loads(sys.argv[1])
with concurrent.futures.ThreadPoolExecutor(len(places)) as pool:
    print(json.dumps(dict(zip(places, pool.map(outcome, places.values())))))
"""
Places = dict[str, str]


class Answer(http.server.BaseHTTPRequestHandler):
    """Says hello."""

    def do_GET(self) -> None:
        body = b'{"said": "hello"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def outside(platform: Deployed) -> Iterator[Places]:
    """Servers outside the cluster."""
    for address in OUTSIDE.values():
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "node0"], check=True)
    server = http.server.ThreadingHTTPServer(("", 80), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield {name: f"{address}:80" for name, address in OUTSIDE.items()}
    server.shutdown()
    thread.join()
    server.server_close()
    for address in OUTSIDE.values():
        subprocess.run(["ip", "address", "del", f"{address}/32", "dev", "node0"], check=True)


@pytest.fixture(scope="module")
def places(platform: Deployed, outside: Places) -> Iterator[Places]:
    """All that may be called: the platform's parts, a function, the API server and what is outside.

    Beside that the Pods that call: a function `caller`, and a Pod `other/stranger` that has nothing to do with faas.
    """
    for name in ("callee", "caller"):
        platform.apply(manifest(name, source=SOURCE, scale={"min": 1}))
    platform.kubectl("create", "namespace", "other", check=True)
    account = "/api/v1/namespaces/other/serviceaccounts/default"
    wait_until(lambda: platform.api.get(account).status == 200, "the namespace takes Pods")
    container = {"name": "main", "image": PLATFORM, "command": ["sleep", "3600"]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    meta = {"name": "stranger", "namespace": "other"}
    platform.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    platform.kubectl("wait", "-n", "other", "--for=condition=Ready", "pod/stranger", "--timeout=60s", check=True)
    wait_until(lambda: platform.ready_pods("callee") == platform.ready_pods("caller") == 1, "both have their Pod")
    for name in SERVICES:  # tests before these may have them replaced
        platform.kubectl("rollout", "status", "-n", SYSTEM, f"deployment/{name}", "--timeout=120s", check=True)
    wait_until(lambda: [len(platform.service_pods(name)) for name in SERVICES] == [1] * 4, "one Pod of each is left")
    parts = {name: address_of(platform.service_pods(name)) for name in SERVICES}
    nats = address_of(platform.service_pods("nats"))
    yield {
        **{name: f"{address}:8080" for name, address in parts.items()},
        "gateway by name": "gateway.faas-system.svc:80",
        "nats": f"{nats}:4222", "nats routes": f"{nats}:6222", "nats monitoring": f"{nats}:8222",
        "function": f"{address_of(platform.function_pods('callee'))}:8080",
        "API server": "kubernetes.default.svc:443", **outside,
    }  # fmt: skip
    platform.kubectl("delete", "fn", "callee", "caller", check=True)
    platform.kubectl("delete", "namespace", "other", check=True)


@pytest.fixture(scope="module")
def closed(platform: Deployed, places: Places) -> Iterator[Places]:
    """The same with functions closed off, by the command of the page."""
    (command,) = (line for line in commands("Close functions off").splitlines() if "apply" in line)
    platform.follow(command.replace("shop", "default"), ROOT)
    callee = {"function": places["function"]}
    wait_until(lambda: tried(platform, "other", "stranger", callee) == {"function": "dropped"}, "it is enforced")
    yield places
    platform.kubectl("delete", "-n", "default", "-f", str(ROOT / "deploy/functions/network.yaml"), check=True)


def address_of(pods: list[dict[str, Any]]) -> str:
    (pod,) = pods
    return str(pod["status"]["podIP"])


def tried(platform: Deployed, namespace: str, pod: str, places: Places) -> Places:
    """What became of connections from a Pod: `open`, `dropped`, or the error."""
    command = ("exec", "-n", namespace, pod, "--", "python3", "-c", TRY, json.dumps(places))
    return dict(json.loads(platform.kubectl(*command, check=True).out))


def reached(platform: Deployed, namespace: str, pod: str, places: Places) -> set[str]:
    """The places that a Pod reaches; at the others nobody even answered."""
    outcomes = tried(platform, namespace, pod, places)
    assert set(outcomes.values()) <= {"open", "dropped"}, outcomes
    return {name for name, outcome in outcomes.items() if outcome == "open"}


def name_of(pods: list[dict[str, Any]]) -> str:
    (pod,) = pods
    return str(pod["metadata"]["name"])


def test_a_stranger_reaches_no_inner_port(platform: Deployed, places: Places) -> None:
    assert set(places) - reached(platform, "other", "stranger", places) == {"nats routes", "nats monitoring"}


def test_code_of_functions_reaches_no_inner_port_and_no_metrics(platform: Deployed, places: Places) -> None:
    """Metrics name the functions of all namespaces; the gateway's ask for a token."""
    refused = set(places) - reached(platform, "default", name_of(platform.function_pods("caller")), places)
    assert refused == {"nats routes", "nats monitoring", "router", "scaler", "workflow"}


def test_the_workflow_service_reaches_what_it_needs_and_the_internet(platform: Deployed, places: Places) -> None:
    """Itself among it: nothing cuts a Pod off from itself."""
    found = reached(platform, SYSTEM, name_of(platform.service_pods("workflow")), places)
    assert found == {"nats", "API server", "internet", "workflow"}


def test_a_workflow_calls_a_server_in_the_internet(platform: Deployed, places: Places, tmp_path: Path) -> None:
    call = {"ask": {"call": "http", "with": {"method": "get", "endpoint": f"http://{places['internet']}/"}}}
    deploy(platform, tmp_path, workflow("outward", [call]))
    done = platform.faas("workflow", "run", "default/outward", "--wait", check=True)
    assert json.loads(done.out) == {"said": "hello"}
    platform.kubectl("delete", "wf", "outward", check=True)


@pytest.mark.parametrize("caller", ["gateway", "scaler", "nats"])
def test_closed_functions_are_called_by_routers_alone(platform: Deployed, closed: Places, caller: str) -> None:
    target = {"function": closed["function"]}
    assert tried(platform, SYSTEM, name_of(platform.service_pods(caller)), target) == {"function": "dropped"}
    assert tried(platform, SYSTEM, name_of(platform.service_pods("router")), target) == {"function": "open"}


def test_closed_functions_reach_the_gateway_nats_and_the_internet(platform: Deployed, closed: Places) -> None:
    found = reached(platform, "default", name_of(platform.function_pods("caller")), closed)
    assert found == {"gateway", "gateway by name", "nats", "internet"}


def test_closed_functions_are_deployed_called_and_fetch_their_archives(platform: Deployed, closed: Places) -> None:
    example = EXAMPLE_WITH_REQUIREMENTS
    platform.faas("deploy", str(example), "--python", DEBIAN_PYTHON, "--min", "1", check=True)
    assert platform.faas("execute", "default/callee", "{}", check=True).out.endswith("result: 1\n")
    platform.kubectl("delete", "fn", example.name, check=True)
