"""What a router process needs around it, in one directory: an API server, nats-server, and who writes to them."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop
from nats.aio.client import Client
from nats.errors import Error

from services.contracts import subjects
from tests.support.api import Api, Refusal
from tests.support.apiserver import ApiServer
from tests.support.bus import Bus
from tests.support.patience import PATIENCE, until
from tests.support.pod import TestPod
from tests.support.router import ADD, Reply, close_clients, pod_object, router_process
from tests.support.service import Service

FUNCTIONS = "/apis/faas.dev/v1alpha1/namespaces/default/functions"
PODS = "/api/v1/namespaces/default/pods"


class Stage:
    """API server and nats-server, and what a scaler and a kubelet would write to the former."""

    def __init__(self, directory: Path, server: ApiServer, bus: Bus) -> None:
        self.directory = directory
        self.server = server
        self.api = Api(server)
        self.bus = bus

    def start_api(self) -> None:
        """Starts the API server with the Function resource."""
        self.server.start()
        with contextlib.suppress(Refusal):  # it is there since the last start
            self.api.install("functions")

    async def deploy(self, **spec: Any) -> None:
        """Creates the Function default/add."""
        body = {"apiVersion": "faas.dev/v1alpha1", "kind": "Function", "metadata": {"name": "add"}}
        body["spec"] = {"source": {"inline": {"main.py": "x"}}, **spec}

        def created() -> bool:
            with contextlib.suppress(Refusal):
                self.api.create(FUNCTIONS, body)
                return True
            return False

        await until(created, why="the API server does not serve Functions")

    def add_pod(self, one: TestPod, name: str, ready: bool = True) -> None:
        """Creates a Pod with the address of ``one``."""
        document = pod_object(one.address, name, ready=ready)
        container = {"name": "function", "image": "localhost/faas-process:1"}
        document["spec"]["containers"][0].update(container)
        del document["metadata"]["uid"]
        self.api.create(PODS, {"apiVersion": "v1", "kind": "Pod", **document})
        self.api.patch(f"{PODS}/{name}/status", {"status": document["status"]})

    def set_ready(self, name: str, ready: bool) -> None:
        """Changes a Pod's Ready condition."""
        condition = {"type": "Ready", "status": "True" if ready else "False"}
        self.api.patch(f"{PODS}/{name}/status", {"status": {"conditions": [condition]}})

    def router(self, name: str = "r1", **settings: str) -> "contextlib.AbstractContextManager[Service]":
        """A router process."""
        log = self.directory / f"{name}.log"
        return router_process(self.bus, self.server.kubeconfig, log, instance=name, **settings)


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs a scene."""

    async def main() -> None:
        try:
            async with asyncio.timeout(100):
                await scene()
        finally:
            await close_clients()

    uvloop.run(main())


async def call(caller: Client, timeout: float = PATIENCE, **fields: str) -> Reply:
    """One call of default/add."""
    sent = {name.replace("_", "-"): value for name, value in fields.items()}
    return Reply(await caller.request(subjects.invoke(ADD), b"{}", timeout=timeout, headers=sent or None))


async def answers(caller: Client, status: int, seconds: float = PATIENCE) -> None:
    """Waits until calls are answered so."""
    async with asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(Error):
                if (await call(caller, 1.0)).status == status:
                    return
            await asyncio.sleep(0.01)  # a call is asked, nothing tells
