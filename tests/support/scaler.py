"""Everything that a scaler needs, as real processes: API server, controllers, kubelet, nats-server; and scalers."""

import contextlib
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import nats
import yaml
from nats.aio.client import Client

from services.contracts import events, subjects
from services.contracts.messages import Load, LoadReport
from services.contracts.names import FunctionRef
from tests.support.api import Api, Refusal
from tests.support.apiserver import ApiServer, running_apiserver
from tests.support.bus import Bus, running_bus
from tests.support.kubelet import eventually, running_kubelet
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[2]
FUNCTIONS = "/apis/faas.dev/v1alpha1/namespaces/default/functions"
REPLICA_SETS = "/apis/apps/v1/namespaces/default/replicasets"
PODS = "/api/v1/namespaces/default/pods"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/faas-scaler"
ADD = "def handle(event):\n    return event['x'] + event['y']\n"


class Scaler(msgspec.Struct):
    """One scaler process; ``start`` again after ``kill`` keeps its name and settings."""

    env: dict[str, str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Starts the process; ``wait_ready`` waits for it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.scaler"], cwd=ROOT, env=self.env, stdout=log, stderr=log
            )

    def stop(self, *, kill: bool = False) -> int:
        """SIGTERM or kill -9; the exit code."""
        assert self.process is not None
        self.process.kill() if kill else self.process.terminate()
        return self.process.wait(PATIENCE)

    def url(self) -> str:
        """Base of its health endpoint, as its log tells; empty while it does not listen."""
        lines = [line for line in self.log.read_text().splitlines() if '"listening on ' in line]
        return "http://" + msgspec.json.decode(lines[-1])["message"].rpartition(" ")[2] if lines else ""

    def ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            with urllib.request.urlopen(self.url() + "/readyz", timeout=10) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError):
            return False


class Stack(msgspec.Struct):
    """The platform below a scaler, in one directory."""

    directory: Path
    server: ApiServer
    api: Api
    bus: Bus

    def scaler(self, name: str = "local-scaler", **settings: str) -> Scaler:
        """A scaler that has not been started."""
        env = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ} | self.bus.environment("scaler")
        env |= {"FAAS_KUBECONFIG": str(self.server.kubeconfig), "FAAS_INSTANCE": name, "FAAS_DRAIN_SECONDS": "1"}
        env |= {f"FAAS_{key.upper()}": value for key, value in settings.items()}
        return Scaler(env, self.directory / f"{name}.log")

    @contextlib.contextmanager
    def running_scaler(self, name: str = "local-scaler", **settings: str) -> Iterator[Scaler]:
        """A started scaler; stopped at the end."""
        scaler = self.scaler(name, **settings)
        scaler.start()
        try:
            eventually(scaler.ready, "the scaler is ready")
            yield scaler
        finally:
            if scaler.process is not None and scaler.process.poll() is None:
                scaler.stop()

    def deploy(self, name: str, **spec: Any) -> dict[str, Any]:
        """Creates a Function or changes its spec; ``add`` in Python unless ``spec`` says otherwise."""
        if not {"source", "image"} & spec.keys():
            spec["source"] = {"inline": {"main.py": ADD}}
        if self.api.find(f"{FUNCTIONS}/{name}") is not None:
            return self.api.patch(f"{FUNCTIONS}/{name}", {"spec": spec})
        body = {"apiVersion": "faas.dev/v1alpha1", "kind": "Function", "metadata": {"name": name}, "spec": spec}
        return self.api.create(FUNCTIONS, body)

    def status(self, name: str) -> dict[str, Any]:
        """The Function's status."""
        return dict(self.api.get(f"{FUNCTIONS}/{name}").get("status") or {})

    def condition(self, name: str, type_: str = "Ready") -> dict[str, Any]:
        """A condition of the Function; empty while there is none."""
        return next((c for c in self.status(name).get("conditions", []) if c["type"] == type_), {})

    def is_ready(self, name: str) -> bool:
        """Whether the Function is callable, by its present spec."""
        meta = self.api.get(f"{FUNCTIONS}/{name}")["metadata"]
        found = self.condition(name)
        return found.get("status") == "True" and found["observedGeneration"] == meta["generation"]

    def replica_sets(self, name: str) -> dict[str, dict[str, Any]]:
        """The Function's ReplicaSets by revision."""
        found = self.api.items(REPLICA_SETS, labelSelector=f"faas.dev/function={name}")
        return {item["metadata"]["labels"]["faas.dev/revision"]: item for item in found}

    def replicas(self, name: str) -> int:
        """Pods asked for over all revisions."""
        return sum(item["spec"]["replicas"] for item in self.replica_sets(name).values())

    def pods(self, name: str) -> list[dict[str, Any]]:
        """The Function's Pods."""
        return self.api.items(PODS, labelSelector=f"faas.dev/function={name}")


@contextlib.contextmanager
def running_stack(directory: Path, *, nodes: bool = True) -> Iterator[Stack]:
    """API server with the CRD, controllers, nats-server and, with ``nodes``, a kubelet."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running_apiserver(directory / "api"))
        (directory / "bus").mkdir()
        bus = stack.enter_context(running_bus(directory / "bus"))
        api = Api(server)
        crd = yaml.safe_load((ROOT / "deploy" / "crds" / "functions.yaml").read_text())
        api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        eventually(lambda: _served(api), "the CRD is served")
        server.start_controllers()
        stack.callback(server.stop_controllers)
        if nodes:
            stack.enter_context(running_kubelet(server, directory / "kubelet" / "run"))
            eventually(lambda: api.items("/api/v1/nodes"), "the node is registered")
        yield Stack(directory, server, api, bus)


def _served(api: Api) -> bool:
    try:
        return api.items(FUNCTIONS) == []
    except Refusal:
        return False


class FakeRouter:
    """Speaks as a router does: events of calls and reports of load, over the real bus."""

    def __init__(self, client: Client, name: str = "router-1") -> None:
        self._client = client
        self._name = name
        self._sequence = 0

    async def received(self, name: str, count: int = 1) -> None:
        """Tells of calls of ``default/name``."""
        for number in range(count):
            event = events.function_event(
                FunctionRef("default", name), events.RECEIVED, str(number), events.Received(str(number), "nats"), 0.0
            )
            await self._client.publish(*event)
        await self._client.flush()

    async def report(self, **loads: tuple[int, int, float]) -> None:
        """Reports (in flight, queued, average) by Function of the namespace ``default``."""
        self._sequence += 1
        found = [Load(f"default/{name}", *load) for name, load in loads.items()]
        await self._client.publish(subjects.LOAD, msgspec.json.encode(LoadReport(self._name, self._sequence, found)))
        await self._client.flush()


@contextlib.asynccontextmanager
async def fake_router(bus: Bus, name: str = "router-1"):  # type: ignore[no-untyped-def]  # as contextlib has it
    """A FakeRouter with a connection of its own."""
    client = await nats.connect(bus.user_url("router"))
    try:
        yield FakeRouter(client, name)
    finally:
        await client.close()
