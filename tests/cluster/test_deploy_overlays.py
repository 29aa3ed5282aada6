"""What the overlays say of every part: probes, bounds, confinement, and in production that one of a kind may go."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.build import kube_program

OVERLAYS = Path(__file__).parents[2] / "deploy/overlays"
PARTS = {"gateway", "router", "scaler", "workflow", "nats"}
CONFINED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
Objects = list[dict[str, Any]]


@pytest.fixture(scope="module", params=("single", "production"))
def overlay(request: pytest.FixtureRequest) -> Objects:
    """The objects of each overlay."""
    return rendered(request.param)


def rendered(name: str) -> Objects:
    command = [str(kube_program()), "kubectl", "kustomize", str(OVERLAYS / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def workloads(objects: Objects) -> dict[str, dict[str, Any]]:
    """What keeps Pods running, by the part that it runs."""
    found = {each["metadata"]["name"]: each for each in objects if each["kind"] in ("Deployment", "StatefulSet")}
    assert found.keys() == PARTS
    return found


def pods(objects: Objects) -> list[tuple[str, dict[str, Any]]]:
    """Every Pod template's spec, the installer's too."""
    return [
        (each["metadata"]["name"], each["spec"]["template"]["spec"])
        for each in objects
        if "template" in each.get("spec", {}) and each["kind"] != "CustomResourceDefinition"
    ]


def test_every_container_is_confined_and_bounded(overlay: Objects) -> None:
    assert len(pods(overlay)) == len(PARTS) + 1
    for name, spec in pods(overlay):
        security = spec["securityContext"]
        assert security["runAsNonRoot"], name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            assert container["securityContext"] == CONFINED, name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name


def test_every_part_says_when_it_can_be_used_and_when_it_hangs(overlay: Objects) -> None:
    for name, each in workloads(overlay).items():
        for container in each["spec"]["template"]["spec"]["containers"]:
            assert {"readinessProbe", "livenessProbe"} <= container.keys(), name


def test_every_part_is_behind_a_network_policy(overlay: Objects) -> None:
    policies = [each["spec"] for each in overlay if each["kind"] == "NetworkPolicy"]
    assert any(spec["podSelector"] == {} and "Ingress" in spec["policyTypes"] for spec in policies)


def test_services_have_accounts_of_their_own(overlay: Objects) -> None:
    accounts = [spec.get("serviceAccountName") for name, spec in pods(overlay) if name != "nats"]
    assert len(set(accounts)) == len(accounts)
    for name, spec in pods(overlay):
        assert spec.get("serviceAccountName") or spec["automountServiceAccountToken"] is False, name
    for role in (each for each in overlay if each["kind"] in ("Role", "ClusterRole")):
        assert "*" not in json.dumps(role), role["metadata"]["name"]


def test_in_production_one_of_a_kind_may_go() -> None:
    objects = rendered("production")
    budgets = {each["metadata"]["name"]: each["spec"] for each in objects if each["kind"] == "PodDisruptionBudget"}
    assert budgets.keys() == PARTS
    for name, each in workloads(objects).items():
        spec, template = each["spec"], each["spec"]["template"]
        assert spec["replicas"] == (3 if name == "nats" else 2), name
        assert budgets[name]["maxUnavailable"] == 1
        selected = budgets[name]["selector"]["matchLabels"]
        assert selected.items() <= template["metadata"]["labels"].items(), name
        spread = {constraint["topologyKey"] for constraint in template["spec"]["topologySpreadConstraints"]}
        assert spread == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}, name


def test_in_production_services_are_scraped_where_they_listen() -> None:
    parts = workloads(rendered("production"))
    for name in PARTS - {"nats"}:  # nats-server has no metrics in Prometheus' form
        template = parts[name]["spec"]["template"]
        said = template["metadata"]["annotations"]
        assert said["prometheus.io/scrape"] == "true", name
        ports = {port["containerPort"] for part in template["spec"]["containers"] for port in part["ports"]}
        assert int(said["prometheus.io/port"]) in ports, name
