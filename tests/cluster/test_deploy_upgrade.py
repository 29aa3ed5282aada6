"""On the node: a released version upgraded under load, and uninstalled whole, also after its controllers are gone.

These are the last tests of the platform on the node: they leave none there.
"""

import json
import os
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.deployed import ROOT, SYSTEM, Deployed, commands, manifest
from tests.cluster.platform_images import PLATFORM, platform_image
from tests.cluster.releases import RELEASES, gone_since
from tests.cluster.test_cluster_node import wait_until
from tests.cluster.test_deploy_disruption import load_on, others
from tests.cluster.test_deploy_flows import deploy, runs_of, workflow

pytestmark = pytest.mark.timeout(600)
ADD = {"inline": {"main.py": "def handle(event): return event.get('x', 0) + 1"}}
ASK = {"call": "load", "with": {"x": 1}}
WAITING: list[Any] = [{"first": ASK}, {"go": {"listen": {"to": {"one": {"with": {"type": "go.on"}}}}}}, {"last": ASK}]


@pytest.fixture
def no_platform(platform: Deployed) -> Deployed:
    """The node after its platform was uninstalled without the services that watch Functions and Workflows."""
    platform.apply(manifest("left", source=ADD, scale={"min": 1}))
    platform.apply(workflow("left", [{"ask": ASK}]))
    platform.kubectl("wait", "--for=condition=Ready", "fn/left", "--timeout=120s", check=True)
    platform.kubectl("wait", "--for=condition=Accepted", "wf/left", "--timeout=120s", check=True)
    platform.kubectl("delete", "deployment", "-n", SYSTEM, "scaler", "workflow", "--cascade=foreground", check=True)
    platform.uninstall()
    return platform


@pytest.fixture
def released(no_platform: Deployed, tmp_path: Path) -> Deployed:
    """The newest release for a single server, with objects that no later version has."""
    platform = no_platform
    file = tmp_path / "released.yaml"
    former = "\n---\n".join(json.dumps(each) for each in gone_since())
    file.write_text((RELEASES[-1] / "single.yaml").read_text() + "\n---\n" + former)
    platform.install(file)
    return platform


def next_version(platform: Deployed, folder: Path) -> Path:
    """An overlay whose images and whose installer have other names than those of any release."""
    platform.node.load(replace(platform_image(), name="localhost/faas-platform:next"))
    folder.mkdir()
    renamed = [{"op": "replace", "path": "/metadata/name", "value": "faas-install-next"}]
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(ROOT / "deploy/overlays/single", folder.resolve())],
        "images": [{"name": PLATFORM.partition(":")[0], "newTag": "next"}],
        "patches": [{"target": {"kind": "Job"}, "patch": yaml.safe_dump(renamed)}],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(document))
    return folder


def test_an_upgrade_under_load_loses_nothing_and_is_uninstalled_whole(released: Deployed, tmp_path: Path) -> None:
    platform = released
    platform.apply(manifest("load", source=ADD, scale={"min": 1}))
    wait_until(lambda: platform.ready_pods("load") == 1, "the function has its Pod")
    deploy(platform, tmp_path, workflow("traveller", WAITING))
    for number in range(3):
        platform.faas("workflow", "run", "default/traveller", '{"x":1}', "--id", f"traveller-{number}", check=True)
    uid = platform.function("load")["metadata"]["uid"]

    overlay = next_version(platform, tmp_path / "next")
    with load_on(platform) as load:  # with the token that the old version's installer made
        platform.follow(commands("Upgrade").replace("deploy/overlays/mine", str(overlay)), ROOT)
    platform.overlay = overlay
    assert others(load) == []

    assert platform.function("load")["metadata"]["uid"] == uid
    assert statuses(platform) == ["running"] * 3
    send(platform, "go.on")
    wait_until(lambda: statuses(platform) == ["completed"] * 3, "the runs end")
    pods = [pod for part in ("gateway", "router", "scaler", "workflow") for pod in platform.service_pods(part)]
    assert {each["image"] for pod in pods for each in pod["spec"]["containers"]} == {"localhost/faas-platform:next"}
    jobs = platform.kubectl("get", "jobs", "-n", SYSTEM, "-o", "name", check=True).out.split()
    assert jobs == ["job.batch/faas-install-next"]
    kinds = ",".join(each["kind"] for each in gone_since())
    assert "former" not in platform.kubectl("get", kinds, "-A", "-o", "name", check=True).out
    platform.uninstall()


def statuses(platform: Deployed) -> list[str]:
    """Those of the runs of `traveller`."""
    return [run["status"] for run in runs_of(platform, "traveller")]


def send(platform: Deployed, type_: str) -> None:
    """An event for the workflows of the namespace `default`."""
    body = {"specversion": "1.0", "id": type_, "source": "/test", "type": type_}
    headers = {**platform.authorization(), "Content-Type": "application/cloudevents+json"}
    url = f"{platform.gateway}/api/v1/namespaces/default/events"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=40) as answer:
        assert answer.status < 300
