"""The kubelet's HTTPS endpoint: what `kubectl logs` is proxied to, the Pods it runs, health and metrics.

Mutual TLS: a client without a certificate of the configured CA gets no further than the handshake.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec
import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

from cli.local.kubelet.config import Settings
from cli.local.kubelet.containers import ContainerRun
from cli.local.kubelet.logreader import InvalidQuery, parse_query, read_log
from cli.local.kubelet.manager import Manager

TEXT = b"text/plain; charset=utf-8"


class Refused(Exception):
    """An answer other than 200; the message is its body."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the kubelet's are in charge."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: Settings, manager: Manager, listener: socket.socket) -> None:
    """Serve until cancelled."""
    config = uvicorn.Config(
        Application(manager), loop="none", http="httptools", lifespan="off", access_log=False, log_config=None,
        ssl_certfile=settings.tls_cert, ssl_keyfile=settings.tls_key, ssl_ca_certs=str(settings.client_ca),
        ssl_cert_reqs=ssl.CERT_REQUIRED, server_header=False, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


class Application:
    """The ASGI application."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            return
        try:
            if scope["method"] != "GET":
                raise Refused(405, "only GET is served")
            await self._route(scope, receive, send)
        except Refused as refused:
            await _answer(send, refused.status, f"{refused}\n".encode(), TEXT)

    async def _route(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        segments = [unquote(part) for part in scope["path"].strip("/").split("/")]
        match segments:
            case ["healthz"]:
                await _answer(send, 200, b"ok", TEXT)
            case ["pods"]:
                listing = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": self._manager.pods()}
                await _answer(send, 200, msgspec.json.encode(listing), b"application/json")
            case ["metrics"]:
                await _answer(send, 200, self._metrics().encode(), b"text/plain; version=0.0.4")
            case ["containerLogs", namespace, pod, container]:
                parameters = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
                await self._logs(self._run(namespace, pod, container), parameters, receive, send)
            case _:
                raise Refused(
                    404, "there is /healthz, /pods, /metrics and /containerLogs/{namespace}/{pod}/{container}"
                )

    def _run(self, namespace: str, pod: str, container: str) -> ContainerRun:
        worker = self._manager.find(namespace, pod)
        if worker is None:
            raise Refused(404, f'pod "{pod}" in namespace "{namespace}" does not run on this node')
        if container not in worker.runs:
            raise Refused(404, f'container "{container}" not found in pod "{pod}"')
        return worker.runs[container]

    def _metrics(self) -> str:
        workers = list(self._manager.workers.values())
        running = sum(run.record.pid != 0 for worker in workers for run in worker.runs.values())
        restarts = sum(run.record.restarts for worker in workers for run in worker.runs.values())
        return (
            f"# TYPE kubelet_running_pods gauge\nkubelet_running_pods {len(workers)}\n"
            f"# TYPE kubelet_running_containers gauge\nkubelet_running_containers {running}\n"
            f"# TYPE kubelet_container_restarts gauge\nkubelet_container_restarts {restarts}\n"
        )

    async def _logs(
        self, run: ContainerRun, parameters: dict[str, str], receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        try:
            query = parse_query(parameters, time.time())
        except InvalidQuery as error:
            raise Refused(400, str(error)) from None
        path, number = _log_file(run, query.previous), run.record.runs

        def ended() -> bool:
            return query.previous or run.record.runs != number or not run.record.running

        text = read_log(path, query, lambda: run.observe(path), ended)
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", TEXT)], "trailers": False}
        )
        await _until_disconnect(receive, _stream(text, send))


def _log_file(run: ContainerRun, previous: bool) -> Path:
    record = run.record
    if not record.runs:
        reason = record.waiting_reason or "ContainerCreating"
        raise Refused(
            400, f'container "{run.spec.name}" is waiting to start: {reason} {record.waiting_message}'.rstrip()
        )
    # a container that waits for its restart shows its last run as the present one, like the real kubelet
    path = run.previous_log_path if previous else run.log_path
    if path is None or not path.exists():
        which = "previous terminated " if previous else ""
        raise Refused(400, f'{which}container "{run.spec.name}" not found: it has no log')
    return path


async def _stream(text: AsyncIterator[bytes], send: ASGISendCallable) -> None:
    async for chunk in text:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_disconnect(receive: ASGIReceiveCallable, work: Any) -> None:
    """Do the work, but not longer than the client is there (it may follow a log for days)."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _disconnected(receive: ASGIReceiveCallable) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(send: ASGISendCallable, status: int, body: bytes, content_type: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})
