"""Everything that a scaler needs, as real processes: API server, controllers, kubelet, nats-server; and scalers."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import nats
from nats.aio.client import Client

from services.contracts import events, subjects
from services.contracts.messages import Load, LoadReport
from services.contracts.names import FunctionRef
from tests.support.api import Api
from tests.support.apiserver import ApiServer, running_apiserver
from tests.support.bus import Bus, running_bus
from tests.support.kubelet import running_kubelet
from tests.support.patience import eventually
from tests.support.service import Service, environment

FUNCTIONS = "/apis/faas.dev/v1alpha1/namespaces/default/functions"
REPLICA_SETS = "/apis/apps/v1/namespaces/default/replicasets"
PODS = "/api/v1/namespaces/default/pods"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/faas-scaler"
ADD = "def handle(event):\n    return event['x'] + event['y']\n"


class Stack(msgspec.Struct):
    """The platform below a scaler, in one directory."""

    directory: Path
    server: ApiServer
    api: Api
    bus: Bus

    def scaler(self, name: str = "local-scaler", **settings: str) -> Service:
        """A scaler that has not been started."""
        settings = {"instance": name, "drain_seconds": "1"} | settings
        env = environment(self.bus, "scaler", self.server.kubeconfig, **settings)
        return Service("scaler", env, self.directory / f"{name}.log")

    @contextlib.contextmanager
    def running_scaler(self, name: str = "local-scaler", **settings: str) -> Iterator[Service]:
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
        api.install("functions")
        server.start_controllers()
        stack.callback(server.stop_controllers)
        if nodes:
            stack.enter_context(running_kubelet(server, directory / "kubelet" / "run"))
            eventually(lambda: api.items("/api/v1/nodes"), "the node is registered")
        yield Stack(directory, server, api, bus)


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
