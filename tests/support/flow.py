"""Workflow services as real processes, with a real nats-server and API server; tests answer calls of Functions."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import yaml
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeout

from services.contracts import headers, subjects
from services.contracts.messages import Progress
from services.contracts.names import FunctionRef
from tests.support.api import Api
from tests.support.apiserver import ApiServer, running_apiserver
from tests.support.bus import Bus, running_bus
from tests.support.patience import eventually, until
from tests.support.router import client, close_clients
from tests.support.service import Service, environment

WORKFLOWS = "/apis/faas.dev/v1alpha1/namespaces/default/workflows"
FUNCTIONS = "/apis/faas.dev/v1alpha1/namespaces/default/functions"


@dataclass
class Platform:
    """What workflow services need, in one directory."""

    directory: Path
    server: ApiServer
    api: Api
    bus: Bus

    def service(self, name: str = "wf-0", **settings: str) -> Service:
        """A service that has not been started."""
        settings = {"instance": name, "workers": "1"} | settings
        env = environment(self.bus, "workflow", self.server.kubeconfig, **settings)
        return Service("workflow", env, self.directory / f"{name}.log")

    @contextlib.contextmanager
    def running(self, name: str = "wf-0", **settings: str) -> Iterator[Service]:
        """A started, ready service; ended at the end."""
        service = self.service(name, **settings)
        service.start()
        try:
            eventually(service.ready, f"the workflow service {name} is ready")
            yield service
        except BaseException:
            print(f"--- {name}\n" + "\n".join(service.log.read_text().splitlines()[-60:]))
            raise
        finally:
            service.kill()

    def deploy(self, name: str, text: str) -> None:
        """A Workflow whose definition has this ``do`` and whatever else stands in ``text`` (YAML)."""
        document = {"dsl": "1.0.3", "namespace": "default", "name": name, "version": "0.1.0"}
        definition = {"document": document} | yaml.safe_load(text)
        body = {"apiVersion": "faas.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": name}}
        self.api.create(WORKFLOWS, body | {"spec": {"definition": definition}})

    def function(self, name: str, **spec: Any) -> None:
        """A Function, which nothing runs: the test answers its calls."""
        body = {"apiVersion": "faas.dev/v1alpha1", "kind": "Function", "metadata": {"name": name}}
        self.api.create(FUNCTIONS, body | {"spec": {"source": {"inline": {"main.py": "x = 1"}}, **spec}})


@contextlib.contextmanager
def running_platform(directory: Path) -> Iterator[Platform]:
    """An API server with the CRDs, and nats-server."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running_apiserver(directory / "api"))
        (directory / "bus").mkdir()
        bus = stack.enter_context(running_bus(directory / "bus"))
        api = Api(server)
        api.install("functions", "workflows")
        yield Platform(directory, server, api, bus)


class Failure(Exception):
    """What a Function of the test answers with: a status and a stable code, none for its own."""

    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


Handler = Callable[[Any], Any]
_READS = ("list", "get", "trace", "history", "definition")
_READ_TRIES = 5


@dataclass
class Caller:
    """Asks the services as the gateway does, and answers calls of Functions as the router does."""

    gateway: Client
    router: Client
    functions: dict[str, Handler] = field(default_factory=dict)
    effects: Counter[str] = field(default_factory=Counter)
    """How often each call id was carried out."""
    held: "asyncio.Queue[tuple[Msg, Any]]" = field(default_factory=asyncio.Queue)
    """Calls that a handler has left unanswered by raising Held."""

    async def ask(self, verb: str, name: str, body: Any = None, timeout: float = 20.0) -> "Answer":
        """A control request. What only reads is asked again, as the gateway does: a service that was just killed or
        stopped swallows requests until nats-server knows."""
        data = b"" if body is None else msgspec.json.encode(body)
        subject = subjects.control(verb, FunctionRef("default", name))
        for _ in range(_READ_TRIES - 1 if verb in _READS else 0):
            with contextlib.suppress(NatsTimeout):
                return Answer(await self.gateway.request(subject, data, timeout=timeout / _READ_TRIES))
        return Answer(await self.gateway.request(subject, data, timeout=timeout))

    async def run(self, workflow: str, given: Any = None, wait: float = 20.0, **more: Any) -> dict[str, Any]:
        """Starts a run and waits for its end; its view."""
        body = {"input": given, "wait": wait} | more
        answer = await self.ask("start", workflow, body, timeout=wait + 10)
        assert answer.status in (200, 201), answer
        return dict(answer.json)

    async def ended(self, run: str, seconds: float = 30.0) -> dict[str, Any]:
        """The view of a run once it has ended."""
        found: dict[str, Any] = {}

        async def over() -> bool:
            nonlocal found
            with contextlib.suppress(Exception):
                found = (await self.ask("wait", run, {"seconds": 5}, timeout=8)).json
            return found.get("run", {}).get("status") in ("completed", "faulted", "cancelled")

        deadline = asyncio.get_running_loop().time() + seconds
        while not await over():
            assert asyncio.get_running_loop().time() < deadline, f"run {run} did not end: {found}"
            await asyncio.sleep(0.05)  # after a refusal; the request itself waits
        return found

    async def on_call(self, message: Msg) -> None:
        """A call of a Function."""
        name = message.subject.rpartition(".")[2]
        fields = message.headers or {}
        body = msgspec.json.decode(message.data) if message.data else None
        try:
            handler = self.functions[name]
            self.effects[fields[headers.ID]] += 1
            answer = handler(body)
            if isinstance(answer, Awaitable):
                answer = await answer
            reply = {headers.STATUS: "200", headers.CONTENT_TYPE: "application/json"}
            data = msgspec.json.encode(answer)
        except Held:
            self.held.put_nowait((message, body))
            return
        except Failure as failure:
            reply = {headers.STATUS: str(failure.status), headers.CONTENT_TYPE: "application/json"}
            reply |= {headers.ERROR: failure.code} if failure.code else {}
            data = msgspec.json.encode({"code": failure.code, "message": failure.message})
        await self.router.publish(message.reply, data, headers=reply)

    async def answer(self, message: Msg, value: Any) -> None:
        """Answers a held call."""
        fields = {headers.STATUS: "200", headers.CONTENT_TYPE: "application/json"}
        await self.router.publish(message.reply, msgspec.json.encode(value), headers=fields)

    @contextlib.asynccontextmanager
    async def progress(self, message: Msg) -> AsyncIterator[None]:
        """Says for a held call, as its router would, that it is not lost."""
        fields = message.headers or {}
        sign = msgspec.json.encode(Progress("test", [fields[headers.ID]]))

        async def say() -> None:
            while True:
                await self.router.publish(fields[headers.PROGRESS], sign)
                await asyncio.sleep(0.5)

        saying = asyncio.create_task(say())
        try:
            yield
        finally:
            saying.cancel()


class Held(Exception):
    """Raised by a handler: the test answers the call later, or never."""


class Answer:
    """An answer to a control request."""

    def __init__(self, message: Msg) -> None:
        self.headers: dict[str, str] = message.headers or {}
        self.body: bytes = message.data

    @property
    def status(self) -> int:
        return int(self.headers.get(headers.STATUS, "0"))

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    def __repr__(self) -> str:
        return f"{self.headers} {self.body[:2000]!r}"


@contextlib.asynccontextmanager
async def caller(bus: Bus, answers: bool = True) -> AsyncIterator[Caller]:
    """Connections of a gateway and, with ``answers``, of a router that has the test answer calls."""
    made = Caller(await client(bus, "gateway"), await client(bus, "router"))

    async def take(message: Msg) -> None:
        tasks.create_task(made.on_call(message))

    try:
        async with asyncio.TaskGroup() as tasks:
            if answers:
                await made.router.subscribe(subjects.INVOKE_ALL, queue=subjects.ROUTER_QUEUE, cb=take)
                await made.router.flush()
            yield made
    finally:
        await close_clients()


__all__ = ["Answer", "Caller", "Failure", "Held", "Platform", "Service", "caller", "running_platform", "until"]
