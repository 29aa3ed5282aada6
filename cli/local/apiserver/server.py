"""Puts the parts together, and runs them under uvicorn until SIGTERM or SIGINT."""

import asyncio
import contextlib
import logging
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from types import FrameType
from typing import Any

import uvicorn

from cli.local.apiserver import crds
from cli.local.apiserver.app import Application
from cli.local.apiserver.auth import Authenticator, read_token
from cli.local.apiserver.builtin import make_registry
from cli.local.apiserver.config import Config
from cli.local.apiserver.deletion import Deleter
from cli.local.apiserver.handlers import Handlers
from cli.local.apiserver.history import History
from cli.local.apiserver.kinds import make_strategies
from cli.local.apiserver.logs import LogProxy
from cli.local.apiserver.options import WriteOptions
from cli.local.apiserver.registry import ResourceType
from cli.local.apiserver.scheduling import bind_waiting
from cli.local.apiserver.store import Store, Stored
from cli.local.apiserver.writes import Writer

log = logging.getLogger(__name__)

SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
SHUTDOWN_SECONDS = 0.25  # watches end at once; this bounds a client that does not read its last bytes
HOUSEKEEPING_SECONDS = 5.0
EVENT_SECONDS = 3600.0  # how long a real API server keeps Events
_KEEP_ALIVE_SECONDS = 300  # longer than clients keep idle connections (Go: 90 s), so that a request never meets a close


class Platform:
    """The API server without its listener."""

    def __init__(self, config: Config) -> None:
        """Open the database and serve what it holds. Raises StoreError, OSError or ValueError with what is wrong."""
        authenticator = Authenticator(read_token(config.token_file))
        self.store = Store(config.db, History(config.history))
        self.registry = make_registry()
        self.writer = Writer(self.store, make_strategies(self.registry, self.store))
        self.deleter = Deleter(self.store, self.registry, self.writer)
        self.writer.changed = self._changed
        for stored in self.store.select(crds.KEY):
            self._serve(stored)
        self._bootstrap()
        self.handlers = Handlers(self.store, self.writer, self.deleter)
        self.logs = LogProxy(self.store, config)
        self.application = Application(self.registry, self.handlers, self.logs, authenticator)

    def stop(self) -> None:
        """End what would otherwise go on for as long as its client likes: watches and followed logs."""
        self.handlers.close()
        self.logs.close()

    def _bootstrap(self) -> None:
        namespaces = self.registry.by_key("namespaces")[0]
        for name in SYSTEM_NAMESPACES:
            if self.store.get("namespaces", ("", name)) is None:
                self.writer.create(namespaces, "", {"metadata": {"name": name}}, WriteOptions())
        self.deleter.resume()
        self._bind_waiting()

    def _changed(self, rtype: ResourceType, old: Stored | None, new: Stored | None) -> None:
        if rtype.key == crds.KEY:
            if new is None:
                assert old is not None
                self.registry.set_custom(old.name, [])
            else:
                self._serve(new)
        elif rtype.key == "nodes" and _spec(old) != _spec(new):
            self._bind_waiting()

    def _bind_waiting(self) -> None:
        bind_waiting(self.store, self.writer, self.registry.by_key("pods")[0])

    def _serve(self, definition: Stored) -> None:
        conditions = definition.obj.get("status", {}).get("conditions", [])
        if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
            self.registry.set_custom(definition.name, crds.resource_types(definition.obj))
            for rule in crds.unchecked_rules(definition.obj):
                log.warning("%s: %s", definition.name, rule)


def _spec(stored: Stored | None) -> Any:
    return None if stored is None else stored.obj.get("spec", {})


class _Server(uvicorn.Server):
    """uvicorn, told to end the watches first, since it waits for responses that are under way."""

    def __init__(self, config: uvicorn.Config, platform: Platform) -> None:
        super().__init__(config)
        self._platform = platform

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._platform.stop()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        # On the loop, not in a signal handler: ending watches wakes tasks. Nothing is raised again at the end: a stop
        # that was asked for is a success.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


async def serve(platform: Platform, config: Config) -> None:
    """Listen and serve until a signal."""
    server = _Server(
        uvicorn.Config(
            platform.application,
            host=config.host,
            port=config.port,
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ssl_certfile=str(config.tls_cert),
            ssl_keyfile=str(config.tls_key),
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,  # type: ignore[arg-type]  # it only goes to asyncio.wait_for
        ),
        platform,
    )
    async with _housekeeping(platform):
        await server.serve()


@contextlib.asynccontextmanager
async def _housekeeping(platform: Platform) -> AsyncIterator[None]:
    """Every few seconds: drop Events that are too old; checkpoint the database, in a thread, if it was written to."""

    async def run() -> None:
        store = platform.store
        done = store.version
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            try:
                platform.deleter.expire_events(time.time() - EVENT_SECONDS)
                if (version := store.version) != done:
                    await asyncio.to_thread(store.checkpoint)
                    done = version
            except sqlite3.Error as error:  # such as a full disk, which is no reason to stop answering; tried again
                log.error("database: %s", error)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(run())
        try:
            yield
        finally:
            task.cancel()
