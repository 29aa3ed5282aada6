"""The gateway as one process: its parts put together, joined to the bus once that is there, and drained."""

import asyncio
import gc
import logging
from dataclasses import dataclass, field
from pathlib import Path

from nats.errors import Error as NatsError

from services.common import bus, http, service
from services.common.kube import KubeClient
from services.common.progress import Watch
from services.common.replies import Replies
from services.common.settings import read_secret
from services.contracts import subjects
from services.gateway import (
    archives_api,
    errors,
    events_api,
    logs_api,
    platform_api,
    resources_api,
    run_events_api,
    runs_api,
)
from services.gateway.app import Gateway
from services.gateway.archive_store import ArchiveStore
from services.gateway.config import Settings
from services.gateway.connection import Connections
from services.gateway.control import Control
from services.gateway.invoke import Invoker
from services.gateway.kinds import FUNCTION, WORKFLOW
from services.gateway.live import Streams
from services.gateway.metrics import CallMetrics, exposition
from services.gateway.trust import Hosts, InvalidTokens, Trust, read_tokens

log = logging.getLogger("gateway")

_BUS_SECONDS = 0.5
"""How often it is looked at whether the NATS client has given up for good."""
_TOKENS_SECONDS = 2.0
"""How often a tokens file is looked at for changes."""


@dataclass
class _Parts:
    """What the process is made of."""

    settings: Settings
    instance: str
    trust: Trust
    replies: Replies
    figures: CallMetrics
    connections: Connections = field(default_factory=Connections)
    streams: Streams = field(default_factory=Streams)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the port is to be closed."""

    def missing(self) -> str | None:
        """What is missing for calls to be taken; None when nothing is."""
        if self.connections.closing:
            return "stopping"
        return None if self.replies.connected else "no connection to NATS"


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Serves until ``stop`` is set, then drains and returns. Exits with one line when it cannot begin."""
    try:
        listener = http.listen(settings.http_host, settings.http_port)
        tokens = read_tokens(settings.tokens_file) if settings.tokens_file else None
        archive_key = read_secret(settings.archive_key_file).encode()
    except (OSError, InvalidTokens) as error:
        raise SystemExit(f"gateway: {error}") from None
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # it warns of every client that speaks no HTTP
    port, replies = listener.getsockname()[1], Replies(settings.max_calls, "gateway")
    trust = Trust(Hosts(settings.allowed_hosts, port), tokens, archive_key)
    figures = CallMetrics(lambda: len(replies.calls))
    parts = _Parts(settings, service.instance_name(settings), trust, replies, figures)
    async with KubeClient(settings.kubeconfig) as kube:
        app = _application(parts, kube)
        # what exists now lives as long as the process: the garbage collector need not look at it again and again
        gc.collect()
        gc.freeze()
        watch = Watch(replies)
        async with asyncio.TaskGroup() as tasks:
            work = (
                _keep_bus(parts, watch),
                watch.run(),
                parts.connections.run(),
                _reload_tokens(parts),
                _drain(parts, stop),
            )
            background = [tasks.create_task(one) for one in work]
            address = f"http://{settings.http_host}:{port}"
            log.info("listening", extra={"address": address, "instance": parts.instance})
            await http.serve(app, listener, parts.closed, settings.drain_seconds + 1, parts.connections.make)
            for task in background:
                task.cancel()
    if replies.bus is not None:
        await replies.bus.close()


def _application(parts: _Parts, kube: KubeClient) -> Gateway:
    app = Gateway(
        parts.trust,
        Invoker(parts.replies, parts.figures, parts.instance),
        parts.figures,
        title="faas",
        version="v1",
        description="Functions and workflows on Kubernetes over NATS: deploy, call, run and watch them.",
    )
    app.exception_handlers.update(errors.HANDLERS)
    for kind in (FUNCTION, WORKFLOW):
        app.include_router(resources_api.everywhere(kube, kind))
        app.include_router(resources_api.router(kube, kind, parts.settings.create_namespaces))
    app.include_router(logs_api.router(kube, parts.streams))
    app.include_router(events_api.router(parts.replies, parts.streams))
    control = Control(parts.replies)
    app.include_router(runs_api.router(control))
    app.include_router(run_events_api.router(control, parts.replies, parts.streams))
    app.include_router(archives_api.router(ArchiveStore(parts.replies, parts.settings.archive_replicas)))
    app.include_router(platform_api.router(app, parts.missing, exposition(parts.figures)))
    return app


async def _keep_bus(parts: _Parts, watch: Watch) -> None:
    """Connects once NATS is there. nats-py keeps the connection, but for errors that it holds for final."""
    while True:
        try:
            connection = await bus.connect(parts.settings, f"gateway-{parts.instance}")
            await connection.subscribe(subjects.progress(parts.instance), cb=watch.on_progress)
            await parts.replies.attach(connection)
            while not connection.is_closed:  # noqa: ASYNC110  # nothing of it tells
                await asyncio.sleep(_BUS_SECONDS)
            log.error("the NATS client has given up; making a new one")
        except (NatsError, OSError) as error:
            log.error("no connection to NATS: %s", error or type(error).__name__)
            await asyncio.sleep(_BUS_SECONDS)


async def _drain(parts: _Parts, stop: asyncio.Event) -> None:
    """From SIGTERM to the end: not ready, then no longer listening, then no call left, or none that may take longer."""
    await stop.wait()
    settings = parts.settings
    log.info("stopping", extra={"calls": len(parts.replies.calls)})
    parts.connections.closing = True
    await asyncio.sleep(settings.lame_duck_seconds)
    parts.closed.set()
    parts.streams.close()
    await asyncio.sleep(settings.drain_seconds)  # cancelled as soon as no connection is left
    log.warning("calls were still open at the end", extra={"calls": len(parts.replies.calls)})
    parts.replies.abandon()


async def _reload_tokens(parts: _Parts) -> None:
    """Takes a changed tokens file; one that cannot be used leaves the last good one in force."""
    file = parts.settings.tokens_file
    if not file:
        return
    path = Path(file)
    seen = _stamp(path)
    while True:
        await asyncio.sleep(_TOKENS_SECONDS)
        stamp = _stamp(path)
        if stamp == seen:
            continue
        seen = stamp
        try:
            parts.trust.tokens = read_tokens(file)
            log.info("tokens were read again")
        except InvalidTokens as error:
            log.error("the old tokens stay in force: %s", error)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
