"""Overlays over what was released, at a real API server: nothing is refused, and nothing of the old version stays."""

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.cluster.api import Api
from tests.cluster.controlplane import ControlPlane
from tests.cluster.deployed import SYSTEM, commands
from tests.cluster.differential.custom import definition, full_function
from tests.cluster.releases import RELEASES, gone_since
from tests.cluster.test_cluster_node import output, wait_until
from tests.cluster.test_deploy_manifests import DEPLOY, apply, follow, rendered

Named = tuple[str, str, str]
RESOURCES = "/apis/faas.dev/v1alpha1/namespaces/default"


@pytest.fixture(scope="module", params=("single", "production"))
def overlay(request: pytest.FixtureRequest) -> str:
    """Whose released manifests are applied first."""
    return str(request.param)


@pytest.fixture(scope="module")
def plane(overlay: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server of the overlay's own, without controllers: what they make of the objects is not the matter."""
    plane = ControlPlane(tmp_path_factory.mktemp("released"), controllers=False)
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


def test_an_upgrade_takes_all_that_was_and_leaves_nothing_of_it(plane: ControlPlane, overlay: str) -> None:
    api, former = plane.api(), set(map(named, gone_since()))
    for release in RELEASES:
        apply_text(plane, (release / f"{overlay}.yaml").read_text())
    apply_text(plane, json.dumps({"apiVersion": "v1", "kind": "List", "items": gone_since()}))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": gone_since()[0]["metadata"]}  # as the Job makes them
    api.expect("POST", f"/api/v1/namespaces/{SYSTEM}/secrets", secret)
    made = [make(api, "functions", full_function()), make(api, "workflows", {"definition": definition()})]

    apply(plane, overlay)
    assert former <= of_the_platform(plane)
    follow(plane, pruning().replace("deploy/overlays/mine", str(DEPLOY / "overlays" / overlay)))

    assert of_the_platform(plane) == set(map(named, rendered(plane, overlay)))
    assert api.get(f"/api/v1/namespaces/{SYSTEM}/secrets/former").status == 200
    for resource in made:
        path = f"{RESOURCES}/{resource['kind'].lower()}s/x"
        assert api.expect("GET", path) == resource
        assert api.expect("PUT", f"{path}?fieldValidation=Strict", resource) == resource  # what was right still is


def apply_text(plane: ControlPlane, text: str) -> None:
    command = plane.kubectl("apply", "--validate=strict", "-f", "-")
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def make(api: Api, plural: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Creates the Function or Workflow `x`, once its definition is served."""
    kind = plural.removesuffix("s").title()
    body = {"apiVersion": "faas.dev/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}
    wait_until(lambda: api.get(f"{RESOURCES}/{plural}").status == 200, f"{plural} are served")
    return api.expect("POST", f"{RESOURCES}/{plural}?fieldValidation=Strict", body)


def pruning() -> str:
    """The last commands of the page's section: those before them wait for Pods, which have no node here."""
    text = commands("Upgrade")
    return text[text.index("kinds=") :]


def named(thing: dict[str, Any]) -> Named:
    meta = thing["metadata"]
    return thing["kind"], meta.get("namespace", ""), meta["name"]


def of_the_platform(plane: ControlPlane) -> set[Named]:
    """Every object with the platform's label that `kubectl apply` made."""
    kinds = output(plane.kubectl("api-resources", "--verbs=list", "-o", "name")).split()
    command = plane.kubectl("get", ",".join(kinds), "-A", "-l", "app.kubernetes.io/part-of=faas", "-o", "json")
    applied = "kubectl.kubernetes.io/last-applied-configuration"
    items = json.loads(output(command))["items"]
    return {named(each) for each in items if applied in each["metadata"].get("annotations", {})}


def test_pruning_knows_every_kind_of_the_overlays(plane: ControlPlane) -> None:
    """A kind that is new in an overlay belongs into the page's list, and into `gone_since`."""
    listed = {word.rpartition("/")[2] for word in re.findall(r"\S+/v1/\w+", pruning())}
    needed = {each["kind"] for overlay in ("single", "production") for each in rendered(plane, overlay)}
    never = {"Namespace", "CustomResourceDefinition"}  # the page says why
    assert listed == needed - never == {each["kind"] for each in gone_since()}


def test_what_was_released_is_whole() -> None:
    for manifest in (folder / f"{name}.yaml" for folder in RELEASES for name in ("single", "production")):
        kinds = {each["kind"] for each in yaml.safe_load_all(manifest.read_text())}
        assert {"CustomResourceDefinition", "Deployment", "StatefulSet", "Job", "ClusterRole"} <= kinds
