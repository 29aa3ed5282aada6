"""The platform on a level 2 node, as an operator brings it there: images loaded, `kubectl apply -k`, and a token."""

import base64
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.packing.platforms import chosen
from cli.packing.source import of_folder, pack
from tests.cluster.inventory import everything, wait_for_nothing_but
from tests.cluster.node import Node
from tests.cluster.platform_images import DEBIAN_PYTHON, nats_image, platform_image, python_image

ROOT = Path(__file__).parents[2]
FAAS = Path(sys.executable).with_name("faas")
EXAMPLE_WITH_REQUIREMENTS = ROOT / "examples/thumbnail"
HOW_TO = ROOT / "docs/how-to-cluster.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SINGLE = ROOT / "deploy/overlays/single"
SYSTEM = "faas-system"
UP_SECONDS = 300


@dataclass(frozen=True)
class Finished:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


class Deployed:
    """A platform on a node that has none yet. Use within `node.network()`."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.api = node.api()
        self.gateway = ""
        self.token = ""
        self.overlay = SINGLE
        self._before = everything(node.kubectl)

    def load_images(self) -> None:
        """Gives the node the platform's images. `prepare` must have been called outside the node's network."""
        self.node.load(platform_image(), python_image(), nats_image())

    def install(self, overlay: Path = SINGLE, servers: int = 1) -> None:
        """Applies an overlay, or a file made from one, with so many NATS servers; returns when every part is ready."""
        for number in range(servers):
            self.api.expect(
                "POST", "/api/v1/persistentvolumes", volume(self.node.directory, f"{overlay.name}-{number}")
            )
        self.kubectl("apply", "-k" if overlay.is_dir() else "-f", str(overlay), check=True)
        self.overlay = overlay
        try:
            for what in (
                "statefulset/nats",
                "deployment/gateway",
                "deployment/router",
                "deployment/scaler",
                "deployment/workflow",
            ):
                self.kubectl("rollout", "status", "-n", SYSTEM, what, f"--timeout={UP_SECONDS}s", check=True)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.state()}") from None
        self.gateway = f"http://{self.service_address('gateway')}"
        self.token = self.secret("faas-operator-token")["token"]

    def uninstall(self) -> None:
        """As docs/how-to-cluster.md says, by its commands; fails if the cluster is not what it was before the platform.

        The volumes are this node's own affair.
        """
        self.follow(commands("Uninstall").replace("deploy/overlays/mine", str(self.overlay)), ROOT)
        self.kubectl("delete", "pv", "--all", check=True)
        wait_for_nothing_but(self._before, self.node.kubectl)

    def follow(self, script: str, directory: Path) -> str:
        """Runs commands as a reader would type them who has `kubectl`, `faas` and `examples/`; what they said."""
        tools = self.node.directory / "tools"
        tools.mkdir(exist_ok=True)
        program, *words = self.node.kubectl()[:2]
        wrapper = tools / "kubectl"
        wrapper.write_text(f'#!/bin/sh\nexec {program} {" ".join(words)} "$@"\n')
        wrapper.chmod(0o755)
        env = {
            "PATH": f"{tools}:{FAAS.parent}:{os.environ['PATH']}", "KUBECONFIG": str(self.node.kubeconfig),
            "HOME": str(self.node.directory),
        }  # fmt: skip
        script = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + script
        command = ["bash", "-euxo", "pipefail", "-c", script]
        done = subprocess.run(
            command, cwd=directory, env=env, capture_output=True, text=True, timeout=2 * UP_SECONDS, check=False
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}{self.state()}"
        return done.stdout

    def authorization(self) -> dict[str, str]:
        """The header that opens the gateway."""
        return {"Authorization": f"Bearer {self.token}"}

    def kubectl(
        self, *arguments: str, check: bool = False, stdin: str | None = None, timeout: float = UP_SECONDS
    ) -> Finished:
        """Runs kubectl as administrator; with `check`, fails the test unless it ends well."""
        return run(self.node.kubectl(*arguments), stdin, timeout, {}, check)

    def faas(self, *arguments: str, check: bool = False, timeout: float = 120, **env: str) -> Finished:
        """Runs `faas` as somebody outside the cluster, with the operator's token."""
        where = {"FAAS_GATEWAY": self.gateway, "FAAS_TOKEN": self.token}
        return run([str(FAAS), *arguments], None, timeout, where | env, check)

    def apply(self, manifest: dict[str, Any]) -> None:
        """Applies one object by kubectl."""
        self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest), check=True)

    def secret(self, name: str) -> dict[str, str]:
        """The values of a Secret of the platform."""
        data = self.api.expect("GET", f"/api/v1/namespaces/{SYSTEM}/secrets/{name}")["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def service_address(self, name: str) -> str:
        """A Service's address."""
        return str(self.api.expect("GET", f"/api/v1/namespaces/{SYSTEM}/services/{name}")["spec"]["clusterIP"])

    def pods(self, selector: str, namespace: str = "default") -> list[dict[str, Any]]:
        """Pods by label, those that are going away among them."""
        query = selector.replace("=", "%3D").replace("/", "%2F")
        return list(self.api.expect("GET", f"/api/v1/namespaces/{namespace}/pods?labelSelector={query}")["items"])

    def function_pods(self, name: str) -> list[dict[str, Any]]:
        """The Pods of a function in the namespace `default`."""
        return self.pods(f"faas.dev/function={name}")

    def ready_pods(self, name: str) -> int:
        """How many of them are ready."""
        found = [pod["status"].get("conditions", []) for pod in self.function_pods(name)]
        return sum(any(each["type"] == "Ready" and each["status"] == "True" for each in every) for every in found)

    def service_pods(self, name: str) -> list[dict[str, Any]]:
        """The Pods of one of the platform's parts that are not going away."""
        found = self.pods(f"app.kubernetes.io/name={name}", SYSTEM)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def function(self, name: str) -> dict[str, Any]:
        """A Function in the namespace `default`."""
        return self.api.expect("GET", f"/apis/faas.dev/v1alpha1/namespaces/default/functions/{name}")

    def condition(self, name: str, type_: str) -> dict[str, Any]:
        """A condition of such a Function; empty when it has none of the type."""
        found = self.function(name).get("status", {}).get("conditions", [])
        return next((dict(each) for each in found if each["type"] == type_), {})

    def state(self) -> str:
        """What an operator would look at first."""
        said = [self.kubectl("get", "pods,jobs,pvc", "-A", "-o", "wide").out]
        said.append(self.kubectl("get", "events", "-A", "--sort-by=.lastTimestamp").out[-6000:])
        for part in ("install", "nats", "gateway", "router", "scaler", "workflow"):
            selector = f"app.kubernetes.io/name={part}"
            arguments = ("logs", "-n", SYSTEM, "-l", selector, "--tail=25", "--prefix", "--ignore-errors")
            said.append(f"--- {part}\n{self.kubectl(*arguments).out}")
        return "\n".join(said)


def commands(*headings: str) -> str:
    """The shell commands of sections of docs/how-to-cluster.md."""
    sections = re.split(r"^## ", HOW_TO.read_text(), flags=re.MULTILINE)
    found = {section.partition("\n")[0]: section for section in sections}
    return "".join(block for heading in headings for block in BLOCK.findall(found[heading]))


def prepare() -> None:
    """Downloads what images and functions with requirements are made of, into caches. Raises BuildError, Failure."""
    for image in (platform_image, python_image):
        image()
    pack(of_folder(EXAMPLE_WITH_REQUIREMENTS, None), chosen(DEBIAN_PYTHON, None, None), upgrade=False)


def run(command: list[str], stdin: str | None, timeout: float, env: dict[str, str], check: bool = False) -> Finished:
    base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        command, input=stdin or "", capture_output=True, text=True, timeout=timeout, env=base | env, check=False
    )
    assert not check or done.returncode == 0, (
        f"{' '.join(command)} exited with {done.returncode}\n{done.stdout}{done.stderr}"
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def manifest(name: str, **spec: Any) -> dict[str, Any]:
    """A Function in the namespace `default`."""
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "faas.dev/v1alpha1", "kind": "Function", "metadata": meta, "spec": spec}


def volume(directory: Path, name: str) -> dict[str, Any]:
    """What a default StorageClass would make: this node has none."""
    folder = directory / "volumes" / name
    folder.mkdir(parents=True)
    here = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteOnce"],
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
