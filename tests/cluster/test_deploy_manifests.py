"""The overlays at a real API server: taken whole and strictly, within the Pod security standard, gone whole."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.api import Api
from tests.cluster.controlplane import ControlPlane
from tests.cluster.deployed import commands
from tests.cluster.inventory import everything, wait_for_nothing_but
from tests.cluster.test_cluster_node import output, wait_until

DEPLOY = Path(__file__).parents[2] / "deploy"
SYSTEM = "faas-system"
REPLICA_SETS = "/apis/apps/v1/namespaces/default/replicasets"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane without nodes, and of this module's own: the tests look for what is left on it."""
    plane = ControlPlane(tmp_path_factory.mktemp("manifests"))
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="module")
def before(plane: ControlPlane) -> set[str]:
    """Every object of the cluster before the platform came."""
    return everything(plane.kubectl)


@pytest.fixture(scope="module")
def installed(plane: ControlPlane, before: set[str]) -> ControlPlane:
    """The same with `overlays/single` applied."""
    assert before
    assert len(apply(plane, "single")) == len(rendered(plane, "single"))
    output(plane.kubectl("wait", "--for=condition=Established", "crd/functions.faas.dev", "--timeout=60s"))
    return plane


def rendered(plane: ControlPlane, overlay: str) -> list[dict[str, Any]]:
    command = [plane.kubectl()[0], "kubectl", "kustomize", str(DEPLOY / "overlays" / overlay)]
    return [each for each in yaml.safe_load_all(output(command)) if each]


def apply(plane: ControlPlane, overlay: str) -> list[str]:
    """Applies it, refusing unknown fields, and returns what kubectl says of each object."""
    command = plane.kubectl("apply", "--validate=strict", "-k", str(DEPLOY / "overlays" / overlay))
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr.lower(), done.stderr
    return done.stdout.splitlines()


def uninstall(plane: ControlPlane, overlay: str) -> None:
    """By the commands of docs/how-to-cluster.md."""
    script = commands("Uninstall").replace("deploy/overlays/mine", str(DEPLOY / "overlays" / overlay))
    follow(plane, script)


def follow(plane: ControlPlane, script: str) -> None:
    """Runs commands of the page as its reader would."""
    prelude = f'kubectl() {{ {" ".join(plane.kubectl())} "$@"; }}\n'
    command = ["bash", "-euxo", "pipefail", "-c", prelude + script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_every_crd_is_in_the_manifests(installed: ControlPlane) -> None:
    names = {yaml.safe_load(file.read_text())["metadata"]["name"] for file in (DEPLOY / "crds").glob("*.yaml")}
    found = {each["metadata"]["name"] for each in rendered(installed, "single") if each["kind"].startswith("Custom")}
    assert found == names


def test_pod_security_lets_every_pod_in(installed: ControlPlane) -> None:
    expected = {"gateway": 1, "router": 1, "scaler": 1, "workflow": 1, "nats": 1, "install": 1}
    wait_until(lambda: pods_by_name(installed.api()) == expected, f"there are Pods {expected}")


def test_applied_again_it_restarts_nothing(installed: ControlPlane) -> None:
    seen = generations(installed)
    apply(installed, "single")
    assert generations(installed) == seen


def generations(plane: ControlPlane) -> str:
    form = '{range .items[*]}{.kind} {.metadata.name} {.metadata.generation}{"\\n"}{end}'
    kinds = "deployments,statefulsets,jobs,networkpolicies,services"
    return output(plane.kubectl("get", kinds, "-n", SYSTEM, "-o", f"jsonpath={form}"))


def pods_by_name(api: Api) -> dict[str, int]:
    listed = api.expect("GET", f"/api/v1/namespaces/{SYSTEM}/pods")["items"]
    names = [pod["metadata"]["labels"]["app.kubernetes.io/name"] for pod in listed]
    return {name: names.count(name) for name in names}


def test_wrong_manifests_are_refused_by_the_field(installed: ControlPlane) -> None:
    source = {"inline": {"main.py": "x = 1"}}
    for name, spec, said in (
        ("add", {"source": source, "timout": "1s"}, 'unknown field "spec.timout"'),
        ("add", {"source": source, "timeout": "soon"}, "spec.timeout"),
        ("add", {"source": source, "scale": {"min": 3, "max": 1}}, "min must not be above max"),
        ("add", {"source": source, "image": "x"}, "exactly one of source and image is needed"),
        ("add", {"source": source, "env": [{"name": "FAAS_X", "value": ""}]}, "belong to the platform"),
        ("a.b", {"source": source}, "metadata.name"),
        ("add", {"definition": definition("add") | {"do": {}}}, "spec.definition.do"),
        ("add", {"definition": definition("other")}, "document.name must be the resource's name"),
        ("add", {"definition": definition("add"), "imput": 1}, 'unknown field "spec.imput"'),
    ):
        kind = "Workflow" if "definition" in spec else "Function"
        body = {"apiVersion": "faas.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        command = installed.kubectl("create", "-f", "-")
        done = subprocess.run(
            command, input=json.dumps(body), capture_output=True, text=True, timeout=90, check=False
        )  # fmt: skip
        assert done.returncode == 1, done.stdout
        assert said in done.stderr


def definition(name: str) -> dict[str, Any]:
    document = {"dsl": "1.0.3", "namespace": "default", "name": name, "version": "0.1.0"}
    return {"document": document, "do": [{"greet": {"set": {"hello": "you"}}}]}


def test_what_services_may_do_is_what_they_ask_for(installed: ControlPlane) -> None:
    """None may make a Pod or touch what is not the platform's business; the workflow service may read a Secret."""
    for service in ("gateway", "router", "scaler", "workflow"):
        user = f"system:serviceaccount:{SYSTEM}:faas-{service}"
        assert may(installed, user, "get", "secrets") == (service == "workflow")
        for verb, resource in (
            ("list", "secrets"), ("create", "pods"), ("delete", "pods"), ("create", "pods/exec"), ("list", "nodes"),
            ("create", "clusterrolebindings.rbac.authorization.k8s.io"), ("update", "deployments.apps"),
        ):  # fmt: skip
            assert not may(installed, user, verb, resource), f"{user} may {verb} {resource}"
    workflow = f"system:serviceaccount:{SYSTEM}:faas-workflow"
    assert may(installed, workflow, "patch", "workflows/status.faas.dev")
    assert not may(installed, workflow, "update", "workflows.faas.dev")
    install = f"system:serviceaccount:{SYSTEM}:faas-install"
    assert may(installed, install, "create", "secrets", SYSTEM)
    assert not may(installed, install, "list", "secrets", SYSTEM)
    assert not may(installed, install, "get", "secrets")


def may(plane: ControlPlane, user: str, verb: str, resource: str, namespace: str = "default") -> bool:
    name, _, group = resource.partition(".")
    attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": name.partition("/")[0]}
    if "/" in name:
        attributes["subresource"] = name.partition("/")[2]
    body = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": attributes},
    }  # fmt: skip
    answer = plane.api().expect("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return bool(answer["status"]["allowed"])


def test_upgraded_and_uninstalled_it_leaves_nothing(installed: ControlPlane, before: set[str]) -> None:
    """No scaler runs here: what one made belongs to its Function, so Kubernetes itself removes it."""
    api = installed.api()
    make_function_with_pods(api)
    apply(installed, "production")
    # without a node no new Pod gets ready, so each service keeps an old one beside its two new ones
    expected = {"gateway": 3, "router": 3, "scaler": 3, "workflow": 3, "nats": 3, "install": 2}
    wait_until(lambda: pods_by_name(api) == expected, f"there are Pods {expected}")
    assert not may(installed, f"system:serviceaccount:{SYSTEM}:faas-workflow", "get", "secrets")
    uninstall(installed, "production")
    wait_for_nothing_but(before, installed.kubectl)


def make_function_with_pods(api: Api) -> None:
    spec = {"source": {"inline": {"main.py": "def handle(event): return event"}}}
    body = {"apiVersion": "faas.dev/v1alpha1", "kind": "Function", "metadata": {"name": "add"}, "spec": spec}
    function = api.expect("POST", "/apis/faas.dev/v1alpha1/namespaces/default/functions", body)
    owner = {
        "apiVersion": "faas.dev/v1alpha1", "kind": "Function", "name": "add", "uid": function["metadata"]["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    labels = {"faas.dev/function": "add"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "localhost/none"}]}}
    wanted = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    meta = {"name": "add-1", "ownerReferences": [owner], "labels": labels}
    api.expect("POST", REPLICA_SETS, {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta, "spec": wanted})
    selected = "/api/v1/namespaces/default/pods?labelSelector=faas.dev%2Ffunction"
    wait_until(lambda: len(api.expect("GET", selected)["items"]) == 2, "the function has its Pods")
