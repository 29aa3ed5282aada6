"""The scaler process: ``python -m services.scaler``."""

import asyncio
import logging
import time

from prometheus_client import REGISTRY

from services.common import bus, http
from services.common.kube import KubeClient
from services.common.service import instance_name, run
from services.common.settings import read_secret
from services.common.watch import WatchCache
from services.contracts import events
from services.contracts.names import parse_ref
from services.contracts.resources import API_VERSION, LABEL_FUNCTION, Function
from services.scaler.config import Settings
from services.scaler.controller import Controller
from services.scaler.leader import Leader
from services.scaler.lease import Election, Timing
from services.scaler.metrics import FunctionCollector
from services.scaler.objects import Pod, ReplicaSet
from services.scaler.template import Platform
from services.scaler.view import View
from services.scaler.writer import Writer

log = logging.getLogger("scaler")


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Wires the parts and runs them until ``stop`` is set."""
    listener = http.listen(settings.http_host, settings.http_port)
    log.info("listening on %s:%d", *listener.getsockname()[:2])
    key = read_secret(settings.archive_key_file).encode()
    platform = Platform(settings.python_image, settings.gateway_url, key, settings.tmp_volume)
    timing = Timing(settings.lease_seconds, settings.renew_seconds, settings.retry_seconds)
    election = Election(instance_name(settings), timing)
    view = View()
    async with KubeClient(settings.kubeconfig) as client:
        controller = Controller(platform, settings.drain_seconds, view, lambda: election.leads(time.monotonic()))
        leader = Leader(client, election, settings.lease_namespace, settings.lease_name, controller.look_at_all)
        caches = _caches(client, view, controller)
        REGISTRY.register(FunctionCollector(controller.numbers))

        async def scaled(key: str, event_id: str, change: events.Scaled) -> None:
            await controller.intake.publish(
                *events.function_event(parse_ref(key), events.SCALED, event_id, change, time.time())
            )

        def missing() -> str | None:
            if not all(cache.synced.is_set() for cache in (*caches, leader.watch)):
                return "the API server has not told what there is"
            return "there is no connection to NATS" if controller.intake.connection() is None else None

        async with asyncio.TaskGroup() as tasks:
            writer = Writer(client, view, tasks, leader.leads, controller.look_again, scaled)
            controller.act = writer.carry_out
            running = [tasks.create_task(cache.run()) for cache in (*caches, leader.watch)]
            running += [
                tasks.create_task(leader.run()),
                tasks.create_task(controller.intake.count(settings)),
                tasks.create_task(_listen(settings, controller)),
                tasks.create_task(_tick(settings, controller, caches)),
            ]
            tasks.create_task(http.serve(http.health_app(missing), listener, stop, drain=0.5))
            await stop.wait()
            await leader.release()
            for task in running:
                task.cancel()
            writer.cancel()


Caches = tuple[WatchCache[Function], WatchCache[ReplicaSet], WatchCache[Pod]]


def _caches(client: KubeClient, view: View, controller: Controller) -> Caches:
    on = controller.on_change
    return (
        WatchCache(client, f"/apis/{API_VERSION}/functions", Function, on_change=on(view.function_changed)),
        WatchCache(
            client, "/apis/apps/v1/replicasets", ReplicaSet,
            label_selector=LABEL_FUNCTION, on_change=on(view.replica_set_changed),
        ),
        WatchCache(client, "/api/v1/pods", Pod, label_selector=LABEL_FUNCTION, on_change=on(view.pod_changed)),
    )  # fmt: skip


async def _listen(settings: Settings, controller: Controller) -> None:
    client = await bus.connect(settings, "scaler")
    try:
        await controller.intake.listen(client)
    finally:
        await client.close()


async def _tick(settings: Settings, controller: Controller, caches: Caches) -> None:
    for cache in caches:
        await cache.synced.wait()
    controller.synced()
    while True:
        controller.tick()
        await asyncio.sleep(settings.tick_seconds)


if __name__ == "__main__":
    run("scaler", Settings, main)
