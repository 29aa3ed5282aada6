"""The process that loads the function and serves its calls."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import gc
import os
import resource
import socket
from pathlib import Path
from time import monotonic

import uvloop

from faas_runtime.asgi import Lifespan, compile_asgi
from faas_runtime.call import Call
from faas_runtime.connection import HttpConnection
from faas_runtime.context import Function
from faas_runtime.dispatcher import Dispatcher, Runner
from faas_runtime.errors import StartupError
from faas_runtime.heartbeat import Heartbeat
from faas_runtime.invoke import Handler, compile_async, compile_sync
from faas_runtime.limits import BACKLOG, LINGER, MAX_CONNECTIONS, TICK
from faas_runtime.listener import drain_queue
from faas_runtime.loader import load_handler
from faas_runtime.response import BUSY, DRAINING
from faas_runtime.runners import TaskRunner
from faas_runtime.settings import Settings, hide_platform_variables
from faas_runtime.source import activate, place_source
from faas_runtime.threads import ThreadRunner

LONGEST_MESSAGE = 4096


def run_worker(
    settings: Settings, listener: socket.socket, channel: socket.socket, heartbeat: Heartbeat, workspace: Path
) -> None:
    """Load the function and serve it until told to end.

    Messages to the parent: ``ready``, ``replace`` (a handler is stuck), ``fatal REASON``. From the parent: ``drain``;
    the end of the channel means that the parent is gone.
    """
    try:
        source = place_source(settings, workspace)
        hide_platform_variables(os.environ)
        activate(source)
        handler = load_handler(settings.handler)
        gc.collect()
        gc.freeze()  # what the import made is there to stay: no collection needs to look at it again
        _serve(settings, handler, listener, channel, heartbeat)
    except StartupError as error:
        channel.send(f"fatal {error.reason}".encode()[:LONGEST_MESSAGE])
        return
    atexit._run_exitfuncs()  # what the function has registered; the interpreter's own end would wait for its threads


def _serve(
    settings: Settings, handler: Handler, listener: socket.socket, channel: socket.socket, heartbeat: Heartbeat
) -> None:
    loop = uvloop.new_event_loop()  # made after the fork: a loop's descriptors must not be shared
    asyncio.set_event_loop(loop)
    Worker(loop, settings, handler, listener, channel, heartbeat).run()


class Worker:
    """Connections, heartbeat and the end of one serving process."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: Settings,
        handler: Handler,
        listener: socket.socket,
        channel: socket.socket,
        heartbeat: Heartbeat,
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._channel = channel
        self._connections: set[HttpConnection] = set()
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        # Half of the descriptors, so that the function has the rest. (No limit is -1.)
        self._most_connections = min(MAX_CONNECTIONS, descriptors // 2) if descriptors > 0 else MAX_CONNECTIONS
        self._all_closed = asyncio.Event()
        self._all_closed.set()
        self._ending = asyncio.Event()
        self._retiring = self._leaving = False
        is_asgi = handler.kind == "asgi"
        self._lifespan = Lifespan(handler.target) if is_asgi else None
        self._dispatcher = Dispatcher(
            loop, settings.concurrency, settings.timeout, is_asgi, heartbeat, on_stuck=self._retire
        )
        self._dispatcher.runner = self._runner(settings, handler)

    def _runner(self, settings: Settings, handler: Handler) -> Runner:
        function = Function(settings.namespace, settings.function, settings.revision)
        finish = self._dispatcher.finish
        if handler.kind == "sync":
            return ThreadRunner(self._loop, compile_sync(handler, function), finish)
        if self._lifespan is None:
            return TaskRunner(self._loop, compile_async(handler, function), finish)
        host, port = self._listener.getsockname()[:2]
        run = compile_asgi(handler.target, self._lifespan.state, self._dispatcher.reply, (host, port))
        return TaskRunner(self._loop, run, finish)

    def run(self) -> None:
        """Accept and answer until drained or retired. Raises StartupError when the application cannot start."""
        serving = self._loop.create_task(self._serve())
        self._dispatcher.runner.run_until(serving)
        serving.result()

    async def _serve(self) -> None:
        if self._lifespan is not None:
            await self._lifespan.start()
        self._loop.add_reader(self._channel.fileno(), self._on_parent)
        server = await self._loop.create_server(
            lambda: HttpConnection(self, self._loop), sock=self._listener, backlog=BACKLOG
        )
        self._dispatcher.beat()  # the parent watches it from "ready" on
        ticking = self._loop.create_task(self._tick())
        self._channel.send(b"ready")
        await self._ending.wait()
        if self._retiring:
            server.close()  # the next worker accepts from here on
        await self._dispatcher.idle.wait()  # bounded: every call is answered by its deadline
        if self._lifespan is not None:
            await self._lifespan.stop()
        await self._take_leave(server)
        ticking.cancel()

    async def _take_leave(self, server: asyncio.AbstractServer) -> None:
        """Close without a reset: it would leave a client in doubt whether its call was started."""
        self._leaving = True
        for connection in list(self._connections):
            connection.say_goodbye()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await self._all_closed.wait()
                if not self._retiring:
                    await drain_queue(self._listener)
                    await self._all_closed.wait()
        server.close()

    # --- what connections ask for ---

    def opened(self, connection: HttpConnection) -> bytes | None:
        """A client has connected; what to tell it when it cannot stay."""
        self._connections.add(connection)
        self._all_closed.clear()
        if self._leaving:
            return DRAINING
        return BUSY if len(self._connections) > self._most_connections else None

    def closed(self, connection: HttpConnection) -> None:
        """A client has gone."""
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()

    def receive(self, call: Call) -> None:
        """A complete request."""
        self._dispatcher.receive(call)

    # --- life ---

    async def _tick(self) -> None:
        while True:
            self._dispatcher.beat()
            now = monotonic()
            for connection in list(self._connections):
                connection.sweep(now, LINGER)
            await asyncio.sleep(TICK)

    def _on_parent(self) -> None:
        if not self._channel.recv(64):
            os._exit(1)  # the parent was killed: its Pod is gone, and the address must be free for the next one
        self._end()

    def _retire(self) -> None:
        """A handler cannot be stopped: a fresh process takes over, this one ends with its neighbours' calls."""
        if not self._retiring:
            self._retiring = True
            self._channel.send(b"replace")
            self._end()

    def _end(self) -> None:
        self._dispatcher.draining = True
        self._ending.set()
