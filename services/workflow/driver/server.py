"""The life of a workflow service: start in any order, drive runs, hand them over."""

import asyncio
import logging

from nats import errors

from services.common import bus, http
from services.common.kube import KubeClient
from services.common.natsclient import FastClient
from services.common.service import instance_name
from services.workflow.config import Settings

log = logging.getLogger("workflow")

BUS_CHECK = 0.5
"""Seconds between looks whether the NATS client has given up for good, which only a new process repairs."""
LEAVE_TIMEOUT = 3.0
"""Seconds for the last flush."""


class BusClosed(Exception):
    """The NATS client closed itself (it does so on errors that it holds for final)."""


class Server:
    """One workflow service with its parts and background tasks."""

    def __init__(
        self, settings: Settings, name: str, connection: FastClient, kube: KubeClient, tasks: asyncio.TaskGroup
    ) -> None:
        self._settings = settings
        self._bus = connection
        self._tasks = tasks
        self._draining = False
        self._started = False

    def missing(self) -> str | None:
        """What is missing for runs to be driven; None when nothing is."""
        if self._draining:
            return "stopping"
        if not self._bus.is_connected:
            return "no connection to NATS"
        return None if self._started else "JetStream's streams are not there yet"

    async def start(self) -> None:
        """Begins to take requests and runs."""
        self._loops = [self._tasks.create_task(loop) for loop in (self._watch_bus(),)]
        self._started = True
        log.info("taking runs")

    async def _watch_bus(self) -> None:
        while True:
            await asyncio.sleep(BUS_CHECK)
            if self._bus.is_closed:
                raise BusClosed("the NATS client has closed its connection for good; the service has to start again")

    async def drain(self) -> None:
        """Takes nothing new, and hands over what is there."""
        self._draining = True
        for loop in self._loops:
            loop.cancel()


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Runs a workflow service until ``stop``. Part of services.common.service.run."""
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
            await _close(connection)
        else:
            connecting.cancel()
        ended.set()


async def _close(connection: FastClient) -> None:
    """Closes the connection after all that was published has gone out, when it is there at all."""
    try:
        async with asyncio.timeout(LEAVE_TIMEOUT):
            if connection.is_connected:
                await connection.flush()
                await connection.close()
    except (errors.Error, TimeoutError) as error:
        log.warning("the last messages may not have been sent: %s", error or type(error).__name__)
