"""The workflow service's stores on a real nats-server, for one test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import uvloop

from services.common import bus as common_bus
from services.common.natsclient import FastClient
from services.common.settings import Common, load
from services.contracts.names import FunctionRef
from services.workflow.store.heads import Head
from services.workflow.store.jetstream import JetStream
from services.workflow.store.streams import prepare
from tests.support.bus import Bus
from tests.support.buscluster import BusCluster

HEAD = Head("here/1", "running", "order", "1.0.0", "d" * 64, 1_700_000_000.25)


def ref(name: str, namespace: str = "default") -> FunctionRef:
    """A run."""
    return FunctionRef(namespace, name)


def transition(*notes: str) -> bytes:
    """A body as a transition has it."""
    return msgspec.json.encode({"records": [{"record": "Note", "text": note} for note in notes]})


@asynccontextmanager
async def stores(bus: Bus | BusCluster, replicas: int = 1) -> AsyncIterator[JetStream]:
    """A connection as the service's user, with its streams made."""
    client = await connected(bus)
    try:
        js = JetStream(client)
        await js.open()
        await prepare(js, replicas)
        yield js
    finally:
        await client.close()


async def connected(bus: Bus | BusCluster) -> FastClient:
    """A connection as the service's user."""
    return await common_bus.connect(load(Common, bus.environment("workflow")), "workflow")


def play(
    bus: Bus | BusCluster, scene: Callable[[JetStream], Awaitable[None]], seconds: float = 60.0, replicas: int = 1
) -> None:
    """Runs ``scene`` with a JetStream of its own."""

    async def main() -> None:
        async with asyncio.timeout(seconds), stores(bus, replicas) as js:
            await scene(js)

    uvloop.run(main())
