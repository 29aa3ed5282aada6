"""The life of a workflow service: start in any order, drive runs, hand them over."""

import asyncio
import gc
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable

from nats import errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from prometheus_client import REGISTRY

from services.common import bus, http
from services.common.kube import KubeClient
from services.common.natsclient import FastClient
from services.common.service import instance_name, wait_until
from services.contracts import subjects
from services.contracts.names import FunctionRef
from services.contracts.runs import StartRun
from services.workflow.calls import Limits as CallLimits
from services.workflow.calls import Outside, parse_networks
from services.workflow.config import Settings
from services.workflow.driver.metrics import FiguresCollector
from services.workflow.driver.ownership import Owner
from services.workflow.driver.parts import Parts
from services.workflow.engine.stimuli import TimerFired
from services.workflow.schedules.clock import is_schedule
from services.workflow.store import streams
from services.workflow.store.jetstream import Unavailable
from services.workflow.store.timers import Due
from services.workflow.worker.pool import Limits, Pool

log = logging.getLogger("workflow")

BUS_CHECK = 0.5
"""Seconds between looks whether the NATS client has given up for good, which only a new process repairs."""
LEAVE_TIMEOUT = 3.0
"""Seconds for leaving the queue groups and for the last flush."""
EXPIRE_SECONDS = 600.0
"""How often runs are looked for whose retention is over."""
_MIB = 1 << 20


class BusClosed(Exception):
    """The NATS client closed itself (it does so on errors that it holds for final)."""


class _Stopped(Exception):
    """Ends whatever still waits for something."""


class Server:
    """One workflow service with its parts, subscriptions and background tasks."""

    def __init__(self, settings: Settings, parts: Parts, connection: FastClient, tasks: asyncio.TaskGroup) -> None:
        self._settings, self._parts, self._bus, self._tasks = settings, parts, connection, tasks
        self._shared: list[Subscription] = []
        self._own: list[Subscription] = []
        self._draining = self._started = False
        runs, calls = parts.runs, parts.replies.calls
        REGISTRY.register(FiguresCollector(runs.figures, lambda: len(runs.open), lambda: len(calls)))

    def missing(self) -> str | None:
        """What is missing for runs to be driven; None when nothing is."""
        if self._draining:
            return "stopping"
        if not self._bus.is_connected:
            return "no connection to NATS"
        if not self._started:
            return "JetStream's streams are not there yet"
        return self._parts.controller.missing()

    async def start(self) -> None:
        """Makes the streams, then takes requests, timers and runs without an owner."""
        parts, run = self._parts, self._tasks.create_task
        self._loops = [run(parts.link.run()), run(self._watch_bus())]
        await parts.js.open()
        await parts.replies.attach(self._bus)
        await streams.prepare(parts.js, self._settings.replicas)
        self._loops += [
            run(loop)
            for loop in (
                parts.progress.run(), parts.controller.run(self._start_run), parts.heartbeat.run(),
                parts.recovery.run(), parts.timer_store.consume(self._timer), parts.events.run(),
                parts.clock.run(), parts.event_schedules.run(), self._expire(),
            )
        ]  # fmt: skip
        await self._listen(subjects.progress(self._parts.members.me.instance), parts.progress.on_progress)
        await self._listen(subjects.ALIVE, parts.heartbeat.on_alive)
        await self._listen(f"{subjects.instance(parts.members.me.instance)}.>", parts.control.on_passed)
        for subject, handler in (
            (subjects.CONTROL_ALL, parts.control.on_request),
            (subjects.RUN_ALL, parts.control.on_run),
            (subjects.SEND_ALL, parts.door.on_event),
        ):
            self._shared.append(await self._bus.subscribe(subject, queue=subjects.WORKFLOW_QUEUE, cb=handler))
        self._started = True
        # what exists now lives as long as the process: the garbage collector need not look at it again and again
        gc.collect()
        gc.freeze()
        log.info("taking runs as %s", parts.members.me)

    async def _listen(self, subject: str, handler: Callable[[Msg], Awaitable[None]]) -> None:
        """To what is for this instance alone."""
        subscription = await self._bus.subscribe(subject, cb=handler)
        self._bus.deliver_at_once(subscription, handler)
        self._own.append(subscription)

    async def _timer(self, ref: FunctionRef, due: Due) -> bool:
        if is_schedule(ref):
            return not self._draining and await self._parts.clock.fired(ref, due)
        await self._parts.routing.deliver(ref, TimerFired(timer=due.timer))
        return True

    async def _start_run(self, workflow: FunctionRef, asked: StartRun) -> None:
        await self._parts.starter.start(workflow, asked)

    async def _watch_bus(self) -> None:
        while True:
            await asyncio.sleep(BUS_CHECK)
            if self._bus.is_closed:
                raise BusClosed("the NATS client has closed its connection for good; the service has to start again")

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(EXPIRE_SECONDS)
            try:
                await self._parts.store.expire(self._settings.run_retention, time.time())
            except Unavailable as error:
                log.warning("old runs could not be removed: %s", error)

    async def drain(self) -> None:
        """Takes nothing new, lets calls end, and hands the runs over."""
        parts = self._parts
        log.info("stopping: %d runs", len(parts.runs.open))
        self._draining = True
        parts.members.leave()
        await self._leave(self._shared)
        parts.runs.leave()
        log.info("what %d runs have begun may end; the rest is the next owner's", len(parts.runs.open))
        end = time.monotonic() + self._settings.drain_seconds
        while self._bus.is_connected and time.monotonic() < end and not await wait_until(parts.runs.empty, BUS_CHECK):
            continue
        if not parts.runs.empty.is_set():
            log.warning("%d runs could not be handed over in order", len(parts.runs.open))
        for loop in self._loops:
            loop.cancel()
        await parts.heartbeat.farewell()
        await self._leave(self._own)  # what the others have passed on before they heard that

    async def _leave(self, subscriptions: list[Subscription]) -> None:
        """Unsubscribes; what nats-server has sent before that is still taken."""
        for subscription in subscriptions:
            try:
                async with asyncio.timeout(LEAVE_TIMEOUT):
                    if self._bus.is_connected:
                        await bus.leave(self._bus, subscription)
            except (errors.Error, TimeoutError) as error:
                log.warning("could not unsubscribe in order: %s", error or type(error).__name__)


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Runs a workflow service until ``stop``. Part of services.common.service.run."""
    me = Owner(instance_name(settings), secrets.token_hex(6))
    calls = CallLimits(allowed=parse_networks(settings.allowed_addresses))
    listener = http.listen(settings.http_host, settings.http_port)
    log.info("listening on %s:%d", *listener.getsockname()[:2])
    servers: list[Server] = []
    ended = asyncio.Event()

    def missing() -> str | None:
        return servers[0].missing() if servers else "no connection to NATS"

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(http.serve(http.health_app(missing), listener, ended, drain=1.0))
        connecting = tasks.create_task(bus.connect(settings, me.instance))
        stopping = tasks.create_task(stop.wait())
        await asyncio.wait((connecting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if connecting.done():
            connection = connecting.result()
            await _serve(settings, me, calls, connection, stop, servers)
            await _close(connection)
        else:
            connecting.cancel()
        ended.set()


async def _serve(
    settings: Settings, me: Owner, calls: CallLimits, connection: FastClient, stop: asyncio.Event, servers: list[Server]
) -> None:
    limits = Limits(time=settings.worker_seconds, memory=settings.worker_memory * _MIB)
    try:
        async with (
            KubeClient(settings.kubeconfig) as kube,
            Outside(calls) as outside,
            Pool(settings.workers or len(os.sched_getaffinity(0)), limits) as pool,
            asyncio.TaskGroup() as work,
        ):
            server = Server(settings, Parts(settings, me, connection, kube, pool, outside, work), connection, work)
            servers.append(server)
            starting = work.create_task(server.start())
            await stop.wait()
            starting.cancel()
            await server.drain()
            raise _Stopped
    except* _Stopped:
        log.info("stopped")


async def _close(connection: FastClient) -> None:
    """Closes the connection after all that was published has gone out, when it is there at all."""
    try:
        async with asyncio.timeout(LEAVE_TIMEOUT):
            if connection.is_connected:
                await connection.flush()
                await connection.close()
    except (errors.Error, TimeoutError) as error:
        log.warning("the last messages may not have been sent: %s", error or type(error).__name__)
