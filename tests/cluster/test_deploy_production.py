"""The overlay for production on the node, after the one for a single server was uninstalled: it begins from nothing."""

import os
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from tests.cluster.deployed import EXAMPLE_WITH_REQUIREMENTS, ROOT, SYSTEM, Deployed, manifest
from tests.cluster.platform_images import DEBIAN_PYTHON
from tests.cluster.test_cluster_node import wait_until
from tests.cluster.test_deploy_disruption import load_on, others

pytestmark = pytest.mark.timeout(400)
BACK_WITHIN = 5.0
"""Seconds without an answer: all connect to another server; a call under way is known to be lost after 3 s."""
SOURCE = {"inline": {"main.py": "def handle(event): return 1"}}


@pytest.fixture(scope="module")
def production(platform: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """Three NATS servers, two of each service; of the overlay only what asks for several machines is changed."""
    platform.apply(manifest("left", source=SOURCE, scale={"min": 1}))
    platform.kubectl("wait", "--for=condition=Ready", "fn/left", "--timeout=60s", check=True)
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
    platform.kubectl("rollout", "status", "-n", SYSTEM, "statefulset/nats", "--timeout=60s", check=True)
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
