"""The gateway as one process: its parts put together, joined to the bus once that is there, and drained."""

import asyncio
import logging
from pathlib import Path

from nats.errors import Error as NatsError

from services.common import bus, http, service
from services.common.kube import KubeClient
from services.common.settings import read_secret
from services.contracts import subjects
from services.gateway import archives_api, errors, events_api, functions_api, logs_api, metrics, platform_api
from services.gateway.app import Gateway
from services.gateway.archive_store import ArchiveStore
from services.gateway.config import Settings
from services.gateway.connection import Connections
from services.gateway.invoke import Invoker
from services.gateway.live import Streams
from services.gateway.progress import Watch
from services.gateway.replies import Replies
from services.gateway.trust import Hosts, InvalidTokens, Tokens, Trust, read_tokens

log = logging.getLogger("gateway")

_BUS_SECONDS = 0.5
"""How often it is looked at whether the NATS client has given up for good."""
_TOKENS_SECONDS = 2.0
"""How often a tokens file is looked at for changes."""


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Serves until ``stop`` is set, then drains and returns. Exits with one line when it cannot begin."""
    try:
        listener = http.listen(settings.http_host, settings.http_port)
        tokens, archive_key = _tokens(settings), read_secret(settings.archive_key_file).encode()
    except (OSError, InvalidTokens) as error:
        raise SystemExit(f"gateway: {error}") from None
    port = listener.getsockname()[1]
    instance = service.instance_name(settings)
    replies = Replies(settings.max_calls)
    figures = metrics.CallMetrics(lambda: len(replies.calls))
    trust = Trust(Hosts(settings.allowed_hosts, port), tokens, archive_key)
    connections = Connections()
    async with KubeClient(settings.kubeconfig) as kube:
        app = Gateway(trust, Invoker(replies, figures, instance), figures, **_about())
        app.exception_handlers.update(errors.HANDLERS)
        streams = Streams()
        app.include_router(functions_api.everywhere(kube))
        app.include_router(functions_api.router(kube))
        app.include_router(logs_api.router(kube, streams))
        app.include_router(events_api.router(replies, streams))
        app.include_router(archives_api.router(ArchiveStore(replies, settings.archive_replicas)))
        app.include_router(
            platform_api.router(app, lambda: _missing(replies, connections), metrics.exposition(figures))
        )
        watch = Watch(replies)
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(_keep_bus(settings, instance, replies, watch)),
                tasks.create_task(watch.run()),
                tasks.create_task(connections.run()),
                tasks.create_task(_reload_tokens(settings, trust)),
            ]
            log.info("listening", extra={"address": f"http://{settings.http_host}:{port}", "instance": instance})
            closed = asyncio.Event()
            tasks.create_task(_drain(settings, stop, closed, connections, replies, streams))
            await http.serve(app, listener, closed, settings.drain_seconds + 1, connections.make)
            for task in background:
                task.cancel()
    if replies.bus is not None:
        await replies.bus.close()


def _about() -> dict[str, str]:
    return {
        "title": "faas",
        "version": "v1",
        "description": "Functions on Kubernetes over NATS: call them, deploy them, watch them.",
    }


def _missing(replies: Replies, connections: Connections) -> str | None:
    if connections.closing:
        return "stopping"
    return None if replies.connected else "no connection to NATS"


async def _keep_bus(settings: Settings, instance: str, replies: Replies, watch: Watch) -> None:
    """Connects once NATS is there. nats-py keeps the connection, but for errors that it holds for final."""
    while True:
        try:
            connection = await bus.connect(settings, f"gateway-{instance}")
            await connection.subscribe(subjects.progress(instance), cb=watch.on_progress)
            await replies.attach(connection)
            while not connection.is_closed:  # noqa: ASYNC110  # nothing of it tells
                await asyncio.sleep(_BUS_SECONDS)
            log.error("the NATS client has given up; making a new one")
        except (NatsError, OSError) as error:
            log.error("no connection to NATS: %s", error or type(error).__name__)
            await asyncio.sleep(_BUS_SECONDS)


async def _drain(
    settings: Settings,
    stop: asyncio.Event,
    closed: asyncio.Event,
    connections: Connections,
    replies: Replies,
    streams: Streams,
) -> None:
    """From SIGTERM to the end: not ready, then no longer listening, then no call left, or none that may take longer."""
    await stop.wait()
    log.info("stopping", extra={"calls": len(replies.calls)})
    connections.closing = True
    await asyncio.sleep(settings.lame_duck_seconds)
    closed.set()
    streams.close()
    deadline = asyncio.get_running_loop().time() + settings.drain_seconds
    while connections.open:
        await asyncio.sleep(0.05)
        if asyncio.get_running_loop().time() > deadline:
            log.warning("calls were still open at the end", extra={"calls": len(replies.calls)})
            replies.abandon()
            return


def _tokens(settings: Settings) -> Tokens | None:
    return read_tokens(settings.tokens_file) if settings.tokens_file else None


async def _reload_tokens(settings: Settings, trust: Trust) -> None:
    """Takes a changed tokens file; one that cannot be used leaves the last good one in force."""
    if not settings.tokens_file:
        return
    path = Path(settings.tokens_file)
    seen = _stamp(path)
    while True:
        await asyncio.sleep(_TOKENS_SECONDS)
        stamp = _stamp(path)
        if stamp == seen:
            continue
        seen = stamp
        try:
            trust.tokens = read_tokens(settings.tokens_file)
            log.info("tokens were read again")
        except InvalidTokens as error:
            log.error("the old tokens stay in force: %s", error)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
