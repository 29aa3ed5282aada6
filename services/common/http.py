"""A small HTTP endpoint for probes and metrics, for services whose work is not HTTP; and uvicorn as a task."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, cast

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from uvicorn._types import ASGIApplication, ASGIReceiveCallable, ASGISendCallable, Scope

log = logging.getLogger("http")


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises OSError naming the address when it is in use or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from None
    listener.listen(1024)
    return listener


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the service's are in charge."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]  # a generator of uvicorn's own, undocumented type
        yield


async def serve(
    app: ASGIApplication | Callable[[Any, Any, Any], Awaitable[None]],
    listener: socket.socket,
    stop: asyncio.Event,
    drain: float = 5.0,
    protocol: Callable[..., asyncio.Protocol] | None = None,
) -> None:
    """Serves ``app`` until ``stop`` is set, then gives open requests ``drain`` seconds.

    ``protocol`` makes the protocol of a connection, one derived from uvicorn's; None takes its own.
    """
    of_connection = cast(type[asyncio.Protocol], protocol) if protocol else "httptools"
    server = _Server(
        uvicorn.Config(
            cast(ASGIApplication, app), loop="none", http=of_connection, ws="none", lifespan="off", proxy_headers=False,
            access_log=False, log_config=None, timeout_graceful_shutdown=max(1, int(drain)), timeout_keep_alive=75,
            server_header=False, date_header=False,
        )
    )  # fmt: skip
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve(sockets=[listener]))
        await stop.wait()
        server.should_exit = True


def health_app(ready: Callable[[], str | None]) -> ASGIApplication:
    """An ASGI application with ``/healthz``, ``/readyz`` and ``/metrics``. ``ready`` says what is missing, or None."""

    async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            return
        content_type = b"text/plain; charset=utf-8"
        status, body = 200, b"ok\n"
        if scope["path"] == "/metrics":
            content_type, body = CONTENT_TYPE_LATEST.encode(), generate_latest()
        elif scope["path"] == "/readyz":
            missing = ready()
            if missing:
                status, body = 503, f"not ready: {missing}\n".encode()
        elif scope["path"] != "/healthz":
            status, body = 404, b"there is /healthz, /readyz and /metrics\n"
        headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return app
