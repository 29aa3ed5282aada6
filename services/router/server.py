"""The life of a router process: start in any order, serve, drain."""

import asyncio
import gc
import logging

from nats import errors
from nats.aio.subscription import Subscription
from prometheus_client import REGISTRY

from services.common import bus, http
from services.common.kube import KubeClient
from services.common.natsclient import FastClient
from services.common.service import instance_name, wait_until
from services.common.watch import WatchCache
from services.contracts import subjects
from services.contracts.resources import API_VERSION, LABEL_FUNCTION, Function
from services.router.config import RouterSettings
from services.router.metrics import RouterCollector
from services.router.router import Router
from services.router.table import Pod

log = logging.getLogger("router")

FUNCTIONS = f"/apis/{API_VERSION}/functions"
PODS = "/api/v1/pods"
BUS_CHECK = 0.5
"""Seconds between looks whether the NATS client has given up for good, which only a new process repairs."""
LEAVE_TIMEOUT = 3.0
"""Seconds for leaving the queue group and for the last flush."""


class BusClosed(Exception):
    """The NATS client closed itself (it does so on errors that it holds for final)."""


class Server:
    """One router with its watches, subscriptions and background tasks."""

    def __init__(
        self, settings: RouterSettings, name: str, connection: FastClient, kube: KubeClient, tasks: asyncio.TaskGroup
    ):
        self._settings = settings
        self._bus = connection
        self._router = router = Router(settings, name, connection, tasks)
        self._functions = WatchCache(kube, FUNCTIONS, Function, on_change=router.on_function)
        self._pods = WatchCache(kube, PODS, Pod, label_selector=LABEL_FUNCTION, on_change=router.on_pod)
        self._subscriptions: list[Subscription] = []
        self._draining = False
        self._tasks = tasks
        count = router.forwarder.queue.count
        REGISTRY.register(RouterCollector(router.table.routes.values, count, router.totals))

    def missing(self) -> str | None:
        """What the router lacks to answer calls; None when nothing."""
        if self._draining:
            return "shutting down"
        if not self._bus.is_connected:
            return "no connection to NATS"
        if not self._router.forwarder.synced:
            return "the API server has not listed Functions and Pods yet"
        return None

    async def start(self) -> None:
        """Begins to watch and to take calls; calls that come before the first lists wait for them."""
        router = self._router
        loops = (
            self._functions.run(), self._pods.run(), self._sync(), router.load.run(), router.show_life(),
            router.keep_house(), self._watch_bus(),
        )  # fmt: skip
        self._loops = [self._tasks.create_task(loop) for loop in loops]
        self._sending = self._tasks.create_task(router.outbox.run())
        for subject, handler in ((subjects.INVOKE_ALL, router.on_call), (subjects.DESCRIBE_ALL, router.on_describe)):
            subscription = await self._bus.subscribe(subject, queue=subjects.ROUTER_QUEUE, cb=handler)
            self._bus.deliver_at_once(subscription, handler)
            self._subscriptions.append(subscription)
        # what exists now lives as long as the process: the garbage collector need not look at it again and again
        gc.collect()
        gc.freeze()
        log.info("taking calls")

    async def _sync(self) -> None:
        await self._functions.synced.wait()
        await self._pods.synced.wait()
        self._router.forwarder.on_synced()
        log.info("synced: %d functions, %d Pods", len(self._functions.objects), len(self._pods.objects))

    async def _watch_bus(self) -> None:
        while True:
            await asyncio.sleep(BUS_CHECK)
            if self._bus.is_closed:
                raise BusClosed("the NATS client has closed its connection for good; the router has to start again")

    async def drain(self) -> None:
        """Leaves the queue group, lets calls end, answers what does not end in time, and says that nothing is left."""
        router, forwarder = self._router, self._router.forwarder
        log.info("draining: %d calls", len(forwarder.calls))
        self._draining = True
        await self._leave()
        empty = asyncio.Event()
        forwarder.when_empty = empty.set
        if forwarder.calls and not await wait_until(empty, self._settings.drain):
            log.warning("%d calls did not end in time", len(forwarder.calls))
            forwarder.abandon()
        for task in self._loops:
            task.cancel()
        router.load.report_last()
        router.outbox.finish()
        await self._sending
        router.close()

    async def _leave(self) -> None:
        """Unsubscribes; what nats-server has sent before that is still taken."""
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT):
                for subscription in self._subscriptions:
                    await bus.leave(self._bus, subscription)
        except (errors.Error, TimeoutError) as error:
            log.warning("could not leave the queue group in order: %s", error or type(error).__name__)


async def main(settings: RouterSettings, stop: asyncio.Event) -> None:
    """Runs a router until ``stop``. Part of services.common.service.run."""
    name = instance_name(settings)
    listener = http.listen(settings.http_host, settings.http_port)
    log.info("listening on %s:%d", *listener.getsockname()[:2])
    server: Server | None = None
    ended = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        health = http.health_app(lambda: server.missing() if server is not None else "no connection to NATS")
        tasks.create_task(http.serve(health, listener, ended, drain=1.0))
        connecting = tasks.create_task(bus.connect(settings, name))
        stopping = tasks.create_task(stop.wait())
        await asyncio.wait((connecting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if connecting.done():
            connection = connecting.result()
            async with KubeClient(settings.kubeconfig) as kube, asyncio.TaskGroup() as work:
                server = Server(settings, name, connection, kube, work)
                await server.start()
                await stop.wait()
                await server.drain()
            await close(connection)
        else:
            connecting.cancel()
        ended.set()


async def close(connection: FastClient) -> None:
    """Closes the connection to the bus after all that was published has gone out, when it is there at all.

    A lost connection is left to the end of the process: nats-py's ``close`` writes what is pending to the dead socket.
    """
    try:
        async with asyncio.timeout(LEAVE_TIMEOUT):
            if connection.is_connected:
                await connection.flush()
                await connection.close()
                return
    except (errors.Error, TimeoutError) as error:
        log.warning("the last messages may not have been sent: %s", error or type(error).__name__)
