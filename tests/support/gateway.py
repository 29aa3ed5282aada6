"""A gateway process for tests, and a stand-in for the routers: whatever a test wants answered on the bus."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from services.contracts.errors import FaasError
from services.contracts.messages import Description, Progress
from services.contracts.resources import Condition
from tests.support.bus import Bus
from tests.support.http import Answer, http
from tests.support.patience import PATIENCE, eventually
from tests.support.service import ROOT, environment

NOWHERE = """
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: none, user: {}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
current-context: none
"""
"""A kubeconfig of an API server that is not there."""


@dataclass
class Gateway:
    """A running gateway."""

    process: subprocess.Popen[bytes]
    log: Path
    url: str = ""

    @property
    def port(self) -> int:
        """Its port."""
        return urllib.parse.urlsplit(self.url).port or 0

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Answer:
        """One request on a connection of its own."""
        return http(method, self.url + path, body, headers, timeout)

    def send(self, method: str, path: str, document: Any = None, content_type: str = "application/json") -> Answer:
        """One request with a document: bytes as they are, anything else as JSON."""
        body = document if isinstance(document, bytes | None) else msgspec.json.encode(document)
        return self.request(method, path, body, {"Content-Type": content_type})

    def ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            return self.request("GET", "/readyz", timeout=10).status == 200
        except OSError:
            return False

    def stop(self, timeout: float = 40.0) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(timeout)


def start_gateway(directory: Path, bus: Bus, kubeconfig: Path | None = None, **settings: str) -> Gateway:
    """Starts a gateway on a free port and returns once it listens, connected to the bus or not."""
    if kubeconfig is None:
        kubeconfig = directory / "nowhere.kubeconfig"
        kubeconfig.write_text(NOWHERE)
    env = environment(bus, "gateway", kubeconfig, **{"lame_duck_seconds": "0"} | settings)
    log = directory / f"gateway-{time.monotonic_ns()}.log"
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "services.gateway"], cwd=ROOT, env=env, stderr=file)
    gateway = Gateway(process, log)
    eventually(lambda: bool(_address(gateway)))
    gateway.url = _address(gateway)
    return gateway


@contextlib.contextmanager
def running_gateway(directory: Path, bus: Bus, kubeconfig: Path | None = None, **settings: str) -> Iterator[Gateway]:
    """A gateway that is ready, for as long as the context lasts."""
    gateway = start_gateway(directory, bus, kubeconfig, **settings)
    try:
        eventually(gateway.ready)
        yield gateway
    except BaseException:
        print(gateway.log.read_text()[-4000:])
        raise
    finally:
        if gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.wait()


def raw(gateway: Gateway, request: bytes, half_close: bool = False) -> bytes:
    """All that comes back for some bytes, until the gateway closes the connection."""
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as client:
        client.sendall(request)
        if half_close:
            client.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := client.recv(65536):
            received += chunk
        return received


def error_of(answer: Answer) -> tuple[int, str]:
    """Status and code of an error, which its header tells as well."""
    code = str(msgspec.json.decode(answer.body)["code"])
    assert answer.headers["faas-error"] == code
    assert answer.headers["content-type"] == "application/json"
    return answer.status, code


def _address(gateway: Gateway) -> str:
    for line in gateway.log.read_text().splitlines():
        if '"listening"' in line:
            return str(msgspec.json.decode(line)["address"])
    assert gateway.process.poll() is None, gateway.log.read_text()
    return ""


Reply = tuple[dict[str, str], bytes]
Answering = Callable[[Msg], Reply | None]


def ok(body: bytes = b'{"ok":true}', **headers: str) -> Reply:
    """A function's success as a router sends it."""
    fields = {"Faas-Status": "200", "Content-Type": "application/json", "Faas-Pod": "pod-1", "Faas-Duration": "0.5"}
    return fields | {name.replace("_", "-"): value for name, value in headers.items()}, body


def echo(message: Msg) -> Reply:
    """Answers with what arrived: headers and body."""
    headers = {name: value for name, value in (message.headers or {}).items() if name != "Faas-Progress"}
    return ok(msgspec.json.encode({"headers": headers, "body": message.data.decode("latin-1")}))


def failed(error: FaasError) -> Reply:
    """An error as a router sends it."""
    fields = {"Faas-Status": str(error.status), "Faas-Error": str(error.code), "Content-Type": "application/json"}
    if error.retry_after is not None:
        fields["Retry-After"] = str(error.retry_after)
    return fields, error.body()


@dataclass
class Routers:
    """A stand-in for the routers on a real bus. ``answers`` has a function's reply by ``namespace/name``; others echo.

    An answer of None keeps the caller waiting; ``held`` has such messages, for ``alive`` and ``release``.
    """

    url: str
    answers: dict[str, Answering] = field(default_factory=dict)
    descriptions: dict[str, Answering] = field(default_factory=dict)
    calls: list[Msg] = field(default_factory=list)
    held: list[Msg] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _client: Client | None = None

    def clear(self) -> None:
        """Forgets what one test told it and what it heard."""
        for kept in (self.answers, self.descriptions, self.calls, self.held):
            kept.clear()

    async def _serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        self._client = await nats.connect(self.url, inbox_prefix="_INBOX.router", max_reconnect_attempts=-1,
                                          reconnect_time_wait=0.05, error_cb=_ignore)  # fmt: skip
        await self._client.subscribe("faas.invoke.*.*", queue="router", cb=self._on_call)
        await self._client.subscribe("faas.sys.describe.*.*", queue="router", cb=self._on_describe)
        await self._client.flush()
        started.set()
        await stop.wait()
        await self._client.close()

    async def _on_call(self, message: Msg) -> None:
        self.calls.append(message)
        await self._reply(message, self.answers.get(_ref(message), echo)(message))

    async def _on_describe(self, message: Msg) -> None:
        await self._reply(message, self.descriptions.get(_ref(message), described)(message))

    async def _reply(self, message: Msg, reply: Reply | None) -> None:
        if reply is None:
            self.held.append(message)
        elif self._client is not None:
            await self._client.publish(message.reply, reply[1], headers=reply[0])

    def publish(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> None:
        """Publishes as a router."""
        assert self._client is not None
        client = self._client

        async def send() -> None:
            await client.publish(subject, payload, headers=headers)
            await client.flush()

        asyncio.run_coroutine_threadsafe(send(), self._loop).result(PATIENCE)

    def alive(self) -> None:
        """Tells the gateways that the held calls are still alive."""
        for message in self.held:
            fields = message.headers or {}
            self.publish(fields["Faas-Progress"], msgspec.json.encode(Progress("stand-in", [fields["Faas-Id"]])))

    def release(self, reply: Reply) -> None:
        """Answers all held calls."""
        held, self.held = self.held, []
        for message in held:
            self.publish(message.reply, reply[1], reply[0])


async def _ignore(_: Exception) -> None:
    """The bus may be killed under a stand-in."""


def described(message: Msg) -> Reply:
    """A description of the function that was asked for."""
    namespace, name = _ref(message).split("/")
    ready = Condition(type="Ready", status="True", reason="AtZero")
    return ok(msgspec.json.encode(Description(name, namespace, 2, 1, "abc", [ready])))


def _ref(message: Msg) -> str:
    return "/".join(message.subject.rsplit(".", 2)[1:])


@contextlib.contextmanager
def running_routers(bus: Bus) -> Iterator[Routers]:
    """The stand-in, subscribed."""
    routers, started, stop = Routers(bus.user_url("router")), threading.Event(), asyncio.Event()
    thread = threading.Thread(
        target=lambda: routers._loop.run_until_complete(routers._serve(started, stop)), daemon=True
    )
    thread.start()
    assert started.wait(PATIENCE)
    try:
        yield routers
    finally:
        routers._loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)
        routers._loop.close()
