"""The overlay for production on the node, after the one for a single server was uninstalled: it begins from nothing."""

import json
import os
import urllib.request
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from tests.cluster.deployed import EXAMPLE_WITH_REQUIREMENTS, ROOT, SYSTEM, Deployed, manifest
from tests.cluster.platform_images import DEBIAN_PYTHON
from tests.cluster.test_cluster_node import wait_until
from tests.cluster.test_deploy_disruption import load_on, others
from tests.cluster.test_deploy_flows import deploy, runs_of, workflow

pytestmark = pytest.mark.timeout(600)
BACK_WITHIN = 12.0
"""Seconds without an answer: all connect to another server; a call under way is known to be lost after 3 s, and a busy
machine takes its time."""
RUNS = 10
ADD = {"inline": {"main.py": "def handle(event): return event['x'] + event['y']"}}
SOURCE = {"inline": {"main.py": "def handle(event): return 1"}}


@pytest.fixture(scope="module")
def production(platform: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """Three NATS servers, two of each service; of the overlay only what asks for several machines is changed."""
    platform.apply(manifest("left", source=SOURCE, scale={"min": 1}))
    platform.kubectl("wait", "--for=condition=Ready", "fn/left", "--timeout=120s", check=True)
    platform.uninstall()
    assert platform.function_pods("left") == []
    assert platform.kubectl("get", "namespace", SYSTEM).code == 1
    overlay = one_machine(tmp_path_factory.mktemp("overlay") / "production")
    platform.install(overlay, servers=3)
    return platform


def one_machine(folder: Path) -> Path:
    folder.mkdir()
    path = "/spec/template/spec/topologySpreadConstraints/0/whenUnsatisfiable"
    change = [{"op": "replace", "path": path, "value": "ScheduleAnyway"}]
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(ROOT / "deploy/overlays/production", folder.resolve())],
        "patches": [{"target": {"kind": "StatefulSet"}, "patch": yaml.safe_dump(change)}],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(document))
    return folder


def test_an_archive_outlives_a_server(production: Deployed) -> None:
    platform, name = production, EXAMPLE_WITH_REQUIREMENTS.name
    deploy = ("deploy", str(EXAMPLE_WITH_REQUIREMENTS), "--python", DEBIAN_PYTHON, "--min", "1")
    # servers that are ready elect JetStream's leaders a moment later; until then the answer is to try again
    wait_until(lambda: platform.faas(*deploy).code == 0, "the archive is stored on three servers")
    platform.kubectl("scale", "-n", SYSTEM, "statefulset/nats", "--replicas=2", check=True)
    wait_until(lambda: len(platform.service_pods("nats")) == 2, "one of three servers is gone")
    (pod,) = platform.function_pods(name)
    platform.kubectl("delete", "pod", pod["metadata"]["name"], check=True)
    wait_until(lambda: platform.ready_pods(name) == 1, "another Pod has fetched the archive")
    platform.kubectl("scale", "-n", SYSTEM, "statefulset/nats", "--replicas=3", check=True)
    platform.kubectl("rollout", "status", "-n", SYSTEM, "statefulset/nats", "--timeout=120s", check=True)
    platform.kubectl("delete", "fn", name, check=True)


def test_servers_restart_one_by_one_under_load(production: Deployed) -> None:
    platform = production
    platform.apply(manifest("load", source=SOURCE, scale={"min": 1}))
    wait_until(lambda: platform.ready_pods("load") == 1, "the function has its Pod")
    with load_on(platform) as load:
        platform.kubectl("rollout", "restart", "-n", SYSTEM, "statefulset/nats", check=True)
        platform.kubectl("rollout", "status", "-n", SYSTEM, "statefulset/nats", "--timeout=120s", check=True)
    assert {call.status for call in load.calls} <= {200, 502, 503}, others(load)
    answered = sorted(call.began + call.seconds for call in load.calls if call.status == 200)
    assert max(later - earlier for earlier, later in pairwise(answered)) < BACK_WITHIN


def test_runs_outlive_any_one_service_and_server(production: Deployed, tmp_path: Path) -> None:
    """Their histories and timers are on three servers, and of two services one is enough."""
    platform = production
    platform.apply(manifest("add", source=ADD, scale={"min": 1}))
    pause = {"pause": {"wait": {"seconds": 8}}}
    ask = {"sum": {"call": "add", "with": {"x": "${ .x }", "y": 1}}}
    wait_until(lambda: platform.ready_pods("add") == 1, "the function has its Pod")
    deploy(platform, tmp_path, workflow("patient", [ask, pause, {"again": {**ask["sum"], "with": {"x": 1, "y": 1}}}]))
    for number in range(RUNS):
        started = ("workflow", "run", "default/patient", '{"x":1}', "--id", f"patient-{number}")
        platform.faas(*started, check=True)
    victim = platform.service_pods("workflow")[0]["metadata"]["name"]
    for pod in (victim, "nats-1"):
        platform.kubectl("delete", "pod", "-n", SYSTEM, pod, "--grace-period=0", "--force", check=True)
    completed = ["completed"] * RUNS
    wait_until(lambda: [run["status"] for run in runs_of(platform, "patient")] == completed, "all runs have ended")
    platform.kubectl("rollout", "status", "-n", SYSTEM, "statefulset/nats", "--timeout=120s", check=True)
    assert replicas_of_streams(platform) == {3}


def replicas_of_streams(platform: Deployed) -> set[int]:
    """On how many servers each stream is, by the monitoring endpoint of one of them."""
    address = platform.service_pods("nats")[0]["status"]["podIP"]
    with urllib.request.urlopen(
        f"http://{address}:8222/jsz?accounts=true&config=true&streams=true", timeout=10
    ) as page:
        accounts = json.load(page)["account_details"]
    streams = [stream for account in accounts for stream in account.get("stream_detail", [])]
    assert {"WORKFLOW", "WORKFLOW_TIMERS"} <= {stream["name"] for stream in streams}
    return {stream["config"]["num_replicas"] for stream in streams}


def test_a_namespace_says_that_its_workflows_may_read_its_secrets(production: Deployed, tmp_path: Path) -> None:
    platform = production
    platform.kubectl("create", "secret", "generic", "pin", "--from-literal=code=1234", check=True)
    ask = {"sum": {"call": "add", "with": {"x": "${ $secrets.pin.code | length }", "y": 1}}}
    deploy(platform, tmp_path, workflow("secretive", [ask], use={"secrets": ["pin"]}))
    run = ("workflow", "run", "default/secretive", "--wait")
    refused = platform.faas(*run)
    assert (refused.code, "403" in refused.err) == (1, True), refused
    binding = ("create", "rolebinding", "faas-workflow-secrets", "--clusterrole=faas-workflow-secrets")
    platform.kubectl(*binding, f"--serviceaccount={SYSTEM}:faas-workflow", check=True)
    wait_until(lambda: platform.faas(*run).out == "5\n", "the right has come into force")
    platform.kubectl("delete", "secret", "pin", check=True)
