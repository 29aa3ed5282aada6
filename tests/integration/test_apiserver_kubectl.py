"""kubectl itself against the API server: what a user types works and prints what it prints on a cluster."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.integration.test_apiserver_crd import DEFINITION
from tests.support.apiclient import ApiClient
from tests.support.apiserver import ApiServer, running_apiserver

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed on this machine")

REPLICASET = """
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: "localhost/web:1", env: [{name: A, value: "1"}], ports: [{containerPort: 8080}]}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: single, labels: {app: single}}
spec: {containers: [{name: main, image: "localhost/x:1"}]}
"""
WIDGET = """
apiVersion: test.dev/v1
kind: Widget
metadata: {name: w}
spec: {size: 3}
"""


class Kubectl:
    """Runs kubectl with the server's kubeconfig and a cache of its own."""

    def __init__(self, server: ApiServer, directory: Path) -> None:
        self._command = ["kubectl", "--kubeconfig", str(server.kubeconfig), "--cache-dir", str(directory / "cache")]
        self._directory = directory

    def run(self, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        command = [*self._command, *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=90, check=False)

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """The output of a command that must succeed."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def fails(self, *arguments: str, stdin: str = "") -> str:
        """What a command that must fail says."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode != 0, f"kubectl {' '.join(arguments)} succeeded: {done.stdout}"
        return done.stderr

    def edit(self, manifest: str, old: str, new: str) -> str:
        assert old in manifest
        return manifest.replace(old, new)


class Setup(msgspec.Struct):
    server: ApiServer
    kubectl: Kubectl


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    directory = tmp_path_factory.mktemp("kubectl")
    with running_apiserver(directory) as server:
        kubectl = Kubectl(server, directory)
        kubectl("apply", "-f", "-", stdin=json.dumps(DEFINITION))
        yield Setup(server, kubectl)


@pytest.fixture
def kubectl(setup: Setup) -> Kubectl:
    return setup.kubectl


def test_apply_get_scale_label_annotate_delete(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=REPLICASET) == "replicaset.apps/web created\n"
    assert kubectl("apply", "-f", "-", stdin=REPLICASET) == "replicaset.apps/web unchanged\n"
    changed = kubectl.edit(REPLICASET, 'env: [{name: A, value: "1"}]', 'env: [{name: B, value: "2"}]')
    assert kubectl("diff", "-f", "-", stdin=REPLICASET) == ""
    assert kubectl("apply", "-f", "-", stdin=changed) == "replicaset.apps/web configured\n"
    env = kubectl("get", "rs", "web", "-o", "jsonpath={.spec.template.spec.containers[0].env}")
    assert json.loads(env) == [{"name": "B", "value": "2"}], "a three-way merge removes what left the manifest"
    table = kubectl("get", "rs", "-o", "wide").splitlines()
    assert table[0].split() == ["NAME", "DESIRED", "CURRENT", "READY", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert table[1].split()[:4] == ["web", "2", "0", "0"]
    assert kubectl("scale", "rs", "web", "--replicas=5") == "replicaset.apps/web scaled\n"
    kubectl("label", "rs", "web", "team=a")
    kubectl("annotate", "rs", "web", "note=b")
    kubectl("set", "image", "rs/web", "main=localhost/web:2")
    obj = json.loads(kubectl("get", "rs", "web", "-o", "json"))
    assert (obj["spec"]["replicas"], obj["metadata"]["labels"]["team"]) == (5, "a")
    assert obj["spec"]["template"]["spec"]["containers"][0]["image"] == "localhost/web:2"
    assert "web" in kubectl("get", "all", "-A")
    assert "Replicas:" in kubectl("describe", "rs", "web")
    assert kubectl("delete", "rs", "web").startswith('replicaset.apps "web" deleted')
    assert "NotFound" in kubectl.fails("get", "rs", "web")


def test_server_side_apply_and_its_conflicts(kubectl: Kubectl) -> None:
    manifest = kubectl.edit(REPLICASET, "{name: web}", "{name: applied}")
    assert kubectl("apply", "--server-side", "-f", "-", stdin=manifest).endswith("serverside-applied\n")
    kubectl("scale", "rs", "applied", "--replicas=7")
    said = kubectl.fails("apply", "--server-side", "-f", "-", stdin=manifest)
    assert 'Apply failed with 1 conflict: conflict with "kubectl"' in said
    assert ".spec.replicas" in said
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest)
    assert kubectl("get", "rs", "applied", "-o", "jsonpath={.spec.replicas}") == "2"
    first = kubectl.edit(POD, "{name: single", "{name: both")
    kubectl("apply", "-f", "-", stdin=first)
    assert "Warning" not in kubectl.run("apply", "--server-side", "-f", "-", stdin=first).stderr
    kubectl("delete", "rs/applied", "pod/both", "--force")


def test_create_describe_and_delete_a_pod(kubectl: Kubectl) -> None:
    assert kubectl("create", "-f", "-", stdin=POD) == "pod/single created\n"
    assert "AlreadyExists" in kubectl.fails("create", "-f", "-", stdin=POD)
    assert kubectl("get", "pod", "single").splitlines()[1].split()[:4] == ["single", "0/1", "Pending", "0"]
    described = kubectl("describe", "pod", "single")
    assert "Image: localhost/x:1" in " ".join(described.split())
    assert "QoS Class:" in described
    assert kubectl("run", "other", "--image=localhost/y:1") == "pod/other created\n"
    kubectl("wait", "--for=jsonpath={.status.phase}=Pending", "pod/other", "--timeout=40s")
    kubectl("delete", "pod", "single", "other", "--wait=true", "--timeout=40s")
    assert "No resources found" in kubectl.run("get", "pods").stderr


def test_create_subcommands_that_send_protobuf(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "settings", "--from-literal=a=b", "--from-literal=c=ü")
    assert json.loads(kubectl("get", "cm", "settings", "-o", "jsonpath={.data}")) == {"a": "b", "c": "ü"}
    kubectl("create", "secret", "generic", "hidden", "--from-literal=k=v")
    assert kubectl("get", "secret", "hidden", "-o", "jsonpath={.data.k} {.type}") == "dg== Opaque"
    kubectl("create", "namespace", "team")
    kubectl("create", "serviceaccount", "robot", "-n", "team")
    kubectl("create", "service", "clusterip", "front", "--tcp=80:8080", "-n", "team")
    assert kubectl("get", "svc", "front", "-n", "team", "-o", "jsonpath={.spec.ports[0].targetPort}") == "8080"
    kubectl("delete", "namespace", "team", "--timeout=40s")
    assert "NotFound" in kubectl.fails("get", "namespace", "team")


def test_custom_resources(kubectl: Kubectl) -> None:
    kubectl("wait", "--for=condition=Established", "crd/widgets.test.dev", "--timeout=40s")
    kubectl("apply", "-f", "-", stdin=WIDGET)
    assert kubectl("get", "wd").splitlines()[0].split() == ["NAME", "SIZE", "AGE"]
    assert (
        kubectl("apply", "-f", "-", stdin=kubectl.edit(WIDGET, "size: 3", "size: 4"))
        == "widget.test.dev/w configured\n"
    )
    assert "Size:" in kubectl("describe", "widget", "w")
    explained = kubectl("explain", "widget.spec")
    assert "size" in explained
    assert "-required-" in explained
    assert "spec.size in body should be less than or equal to 9" in kubectl.fails(
        "apply", "-f", "-", stdin=kubectl.edit(WIDGET, "size: 3", "size: 12")
    )
    assert 'unknown field "spec.sise"' in kubectl.fails(
        "apply", "-f", "-", stdin=kubectl.edit(WIDGET, "size: 3", "size: 3, sise: 4")
    )
    kubectl("patch", "wd", "w", "--type=merge", "-p", '{"spec":{"color":"blue"}}')
    kubectl("patch", "wd", "w", "--type=json", "-p", '[{"op":"replace","path":"/spec/size","value":5}]')
    kubectl("patch", "wd", "w", "--subresource=status", "--type=merge", "-p", '{"status":{"replicas":1}}')
    kubectl("scale", "wd/w", "--replicas=6")
    spec = json.loads(kubectl("get", "wd", "w", "-o", "jsonpath={.spec}"))
    assert spec == {"color": "blue", "size": 5, "replicas": 6}
    kubectl("delete", "wd", "w")


def test_what_is_there_to_ask_for(kubectl: Kubectl) -> None:
    resources = kubectl("api-resources", "--no-headers")
    assert {line.split()[0] for line in resources.splitlines()} >= {"pods", "replicasets", "widgets", "leases", "nodes"}
    assert "test.dev/v1" in kubectl("api-versions")
    assert "KIND:       Pod" in kubectl("explain", "pod.spec.containers")
    assert "Server Version: v1." in kubectl("version")
    assert kubectl("get", "--raw", "/readyz") == "ok"
    assert "default" in kubectl("get", "namespaces")
    assert "CREATED AT" in kubectl("get", "crd")


def test_get_watch_prints_changes(setup: Setup, kubectl: Kubectl) -> None:
    command = ["kubectl", "--kubeconfig", str(setup.server.kubeconfig), "get", "cm", "-w", "--no-headers"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        kubectl("create", "configmap", "watched")
        seen: list[str] = []
        while not any(line.startswith("watched") for line in seen):
            seen.append(process.stdout.readline())
        process.terminate()


def test_a_wrong_token_is_refused(setup: Setup, kubectl: Kubectl, tmp_path: Path) -> None:
    config = setup.server.kubeconfig.read_text().replace(setup.server.token, "x" * 32)
    other = tmp_path / "kubeconfig"
    other.write_text(config)
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(other), "get", "pods"], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode != 0
    assert "logged in" in done.stderr or "Unauthorized" in done.stderr


def test_an_update_of_a_terminating_namespace_is_refused(setup: Setup, kubectl: Kubectl) -> None:
    with ApiClient(setup.server) as api:
        api.create("/api/v1/namespaces", {"metadata": {"name": "leaving"}})
        held = {"metadata": {"name": "held", "finalizers": ["test/hold"]}}
        api.create("/api/v1/namespaces/leaving/configmaps", held)
        kubectl("delete", "namespace", "leaving", "--wait=false")
        said = kubectl.fails("create", "configmap", "late", "-n", "leaving")
        assert "unable to create new content in namespace leaving because it is being terminated" in said
        api.patch("/api/v1/namespaces/leaving/configmaps/held", {"metadata": {"finalizers": None}})
