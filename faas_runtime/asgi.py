"""ASGI applications (ASGI 3.0, https://asgi.readthedocs.io): HTTP scope and lifespan.

Answers are collected whole before they are sent: what carries them onwards is one message of the bus, and an error
after the first part can still be told as an error. A stream that never ends is a timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote_to_bytes

import httptools

from faas_runtime.call import Call
from faas_runtime.errors import CallError, StartupError
from faas_runtime.invoke import failure_answer, log_failure
from faas_runtime.limits import MAX_RESULT
from faas_runtime.response import answer, check_header, error_answer, too_large

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

_VERSIONS = {"version": "3.0", "spec_version": "2.4"}
_SHUTDOWN_PATIENCE = 2.0


def compile_asgi(
    application: Application, state: dict[str, Any], reply: Callable[[Call, bytes], None], address: tuple[str, int]
) -> Callable[[Call], Awaitable[bytes]]:
    """A function that runs one call. The answer is given to ``reply`` as soon as it is complete, so that an
    application's background work after it keeps no caller waiting; ``address`` is where the server listens."""

    async def run(call: Call) -> bytes:
        exchange = _Exchange(call, reply)
        try:
            await application(_scope(call, state, address), exchange.receive, exchange.send)
        except CallError as error:
            return error_answer(error.status, error.code, error.message)
        except BaseException as error:  # SystemExit too: the worker goes on
            if not call.expired:
                log_failure(error, call)
            return failure_answer(error)
        if not call.answered:
            return error_answer(500, "handler_failed", "the application ended without a complete response")
        return b""

    return run


class _Exchange:
    """The two ends of one request that an application sees."""

    def __init__(self, call: Call, reply: Callable[[Call, bytes], None]) -> None:
        self._call = call
        self._reply = reply
        self._taken = False
        self._finished = asyncio.Event()
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._parts: list[bytes] = []
        self._size = 0

    async def receive(self) -> Message:
        """The whole body, then nothing until the answer is complete: a client that leaves does not stop a call."""
        if not self._taken:
            self._taken = True
            return {"type": "http.request", "body": self._call.body, "more_body": False}
        await self._finished.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Collect the response. Raises RuntimeError for messages out of order, as the specification asks."""
        kind = message["type"]
        if kind == "http.response.start" and not self._status:
            self._status = int(message["status"])
            self._headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            for name, value in self._headers:
                check_header(name.decode("latin-1"), value.decode("latin-1"))
        elif kind == "http.response.body" and self._status and not self._finished.is_set():
            self._add(bytes(message.get("body", b"")))
            if not message.get("more_body", False):
                self._finished.set()
                self._reply(self._call, self._answer())
        else:
            raise RuntimeError(f"unexpected ASGI message {kind!r}")

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > MAX_RESULT:
            raise too_large(self._size)
        self._parts.append(part)

    def _answer(self) -> bytes:
        length = None
        if self._call.method == b"HEAD":  # the length that a GET would have; the body stays away
            length = next((value for name, value in self._headers if name.lower() == b"content-length"), None)
        body = b"".join(self._parts)
        return answer(self._status, "", self._headers, body, self._call.started, int(length) if length else None)


def _scope(call: Call, state: dict[str, Any], address: tuple[str, int]) -> Message:
    target = call.target
    if not target.startswith((b"/", b"*")):  # absolute form (RFC 9112 §3.2.2)
        url = httptools.parse_url(target)
        target = (url.path or b"/") + (b"?" + url.query if url.query else b"")
    path, _, query = target.partition(b"?")
    return {
        "type": "http",
        "asgi": _VERSIONS,
        "http_version": "1.1",
        "method": call.method.decode("latin-1"),
        "scheme": "http",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": call.headers,
        "client": None,
        "server": address,
        "state": state.copy(),
        "extensions": {},
    }


class Lifespan:
    """Start and end of an application. An application that knows no lifespan is served without."""

    def __init__(self, application: Application) -> None:
        self.state: dict[str, Any] = {}
        self._application = application
        self._started = asyncio.Event()
        self._stopping = asyncio.Event()
        self._asked = False
        self._failure: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Until the application says that it is ready. Raises StartupError when it says that it cannot."""
        self._task = asyncio.create_task(self._run())
        waiting = asyncio.create_task(self._started.wait())
        await asyncio.wait((self._task, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._failure is not None:
            sys.stderr.write(f"{self._failure.rstrip()}\n")
            last = self._failure.strip().splitlines()[-1:] or ["no reason given"]
            raise StartupError(f"the application's start-up failed: {last[0]}")

    async def stop(self) -> None:
        """Let the application clean up, for a bounded time."""
        if self._task is None or self._task.done():
            return
        self._stopping.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SHUTDOWN_PATIENCE):
                await self._task

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": _VERSIONS, "state": self.state}
        try:
            await self._application(scope, self._receive, self._send)
        except asyncio.CancelledError:
            raise
        except (
            BaseException
        ) as error:  # before the start: most applications without a lifespan raise; see ASGI lifespan
            if self._started.is_set():
                print(f"faas: the application's lifespan ended: {type(error).__name__}: {error}", file=sys.stderr)

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        await self._stopping.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            self._failure = str(message.get("message") or "no reason given")
        if message["type"].startswith("lifespan.startup."):
            self._started.set()
