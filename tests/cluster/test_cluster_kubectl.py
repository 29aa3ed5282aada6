"""One kubectl, two API servers: the same commands print the same and end with the same code."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cli.local import pki
from tests.cluster.api import Api
from tests.cluster.build import kube_program
from tests.cluster.differential.accepted import KUBECTL
from tests.cluster.differential.servers import Pair, both_servers

FUNCTION = {
    "apiVersion": "faas.dev/v1alpha1",
    "kind": "Function",
    "metadata": {"name": "add"},
    "spec": {"source": {"inline": {"main.py": "def handle(event): return 1"}}},
}
SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}
CONTAINER = {"name": "main", "image": "localhost/faas-process"}
POD = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [CONTAINER]}}
SETS = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": POD}
WEB = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web"}, "spec": SETS}

COMMANDS = [
    "create namespace shop",
    "apply -f function.yaml",
    "apply -f function.yaml",
    "apply -f function-changed.yaml",
    "apply --server-side --force-conflicts -f function.yaml",
    "apply -f function-misspelt.yaml",
    "apply -f function-bad.yaml",
    "diff -f function-changed.yaml",
    "get functions",
    "get fn -o wide",
    "get fn add -o jsonpath={.spec.scale}",
    "get fn,cm -o name",
    "describe fn add",
    "explain function.spec.scale",
    "label fn add tier=a",
    "get fn -l tier=a -o name",
    "annotate fn add note=x --overwrite",
    "patch fn add --type=merge -p {\"spec\":{\"concurrency\":3}}",
    "wait --for=condition=Ready --timeout=0 fn/add",
    "wait --for=jsonpath={.spec.concurrency}=3 --timeout=40s fn/add",
    "create -f settings.yaml",
    "create -f settings.yaml",
    "create configmap more --from-literal=a=1 --from-literal=b=2",
    "create secret generic keys --from-literal=token=t",
    "get cm,secret",
    "describe cm more",
    "describe secret keys",
    "apply -f web.yaml",
    "scale rs web --replicas=3",
    "scale rs web --current-replicas=1 --replicas=2",
    "get rs web",
    "get rs web -o jsonpath={.spec.replicas}",
    "set image rs/web main=localhost/faas-process:2",
    "get pods",
    "get pods missing",
    "get nothings",
    "logs missing",
    "delete rs web --cascade=background",
    "delete cm more settings",
    "delete secret keys --wait=false",
    "delete fn add",
    "delete fn add",
    "delete fn add --ignore-not-found",
    "get events",
    "get crd functions.faas.dev",
]  # fmt: skip


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with both_servers(tmp_path_factory.mktemp("kubectl")) as pair:
        yield pair


def write_manifests(folder: Path) -> None:
    changed = {**FUNCTION, "spec": {**FUNCTION["spec"], "concurrency": 7}}  # type: ignore[dict-item]
    misspelt = {**FUNCTION, "spec": {**FUNCTION["spec"], "concurency": 7}}  # type: ignore[dict-item]
    bad = {**FUNCTION, "spec": {**FUNCTION["spec"], "concurrency": 0}}  # type: ignore[dict-item]
    for name, document in (
        ("function", FUNCTION),
        ("function-changed", changed),
        ("function-misspelt", misspelt),
        ("function-bad", bad),
        ("settings", SETTINGS),
        ("web", WEB),
    ):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(document))


def kubectl(api: Api, folder: Path, command: str) -> str:
    """Returns what the command prints and its exit code, without ages and what each server chooses for itself."""
    kubeconfig = folder / f"{api.url.rpartition(':')[2]}.kubeconfig"
    if not kubeconfig.exists():
        pki.write_kubeconfig(kubeconfig, api.url, api.ca_file.read_bytes(), api.token, "shop")
    cache = f"--cache-dir={kubeconfig}.cache"  # discovery is remembered for hours
    words = [str(kube_program()), "kubectl", f"--kubeconfig={kubeconfig}", cache, *command.split(" ")]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=90, check=False)
    text = f"{done.stdout}\n{done.stderr}\nexit code {done.returncode}"
    for pattern, token in (
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID"),
        (r"\b\d+(ms|s)\b", "AGE"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000", "TIME"),
        (r"(Resource Version:|resourceVersion:) +\S+", r"\1 VERSION"),
        (r"/tmp/\S+", "FILE"),
        (r" +", " "),
    ):
        text = re.sub(pattern, token, text)
    return text


def test_kubectl_prints_the_same(pair: Pair, tmp_path: Path) -> None:
    write_manifests(tmp_path)
    different = {}
    for command in COMMANDS:
        real, ours = (kubectl(api, tmp_path, command) for api in pair)
        if real != ours:
            different[command] = f"$ kubectl {command}\n--- real\n{real}\n--- ours\n{ours}"
    assert different.keys() == KUBECTL.keys(), "\n".join(different.values())
