"""A router for tests: inside the test with a real bus, its watches replaced by the test's own words; or a process."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import nats
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg

from services.common import bus as common_bus
from services.common.settings import load
from services.common.watch import Change
from services.contracts import headers, subjects
from services.contracts.names import FunctionRef
from services.contracts.resources import Function
from services.router.config import RouterSettings
from services.router.router import Router
from services.router.table import Pod
from tests.support.bus import Bus
from tests.support.patience import PATIENCE
from tests.support.service import Service, environment

ADD = FunctionRef("default", "add")
_numbers = itertools.count()


def function(name: str = "add", revision: str = "r1", ready: Any = None, **spec: Any) -> Function:
    """A Function object; ``ready`` is its Ready condition."""
    document = {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {"source": {"inline": {"main.py": ""}}, **spec},
        "status": {"revision": revision, "conditions": [ready] if ready else []},
    }
    return msgspec.convert(document, Function)


def not_ready(reason: str, message: str = "") -> dict[str, str]:
    """A Ready=False condition."""
    return {"type": "Ready", "status": "False", "reason": reason, "message": message}


def pod_object(
    address: tuple[str, int], name: str = "", uid: str = "", *, function: str = "add", revision: str = "r1",
    ready: bool = True, deleted: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """A Pod object as the API server tells it; name and UID are new unless given."""
    number = next(_numbers)
    name = name or f"{function}-{number}"
    metadata: dict[str, Any] = {"name": name, "namespace": "default", "uid": uid or f"{name}-uid-{number}"}
    metadata["labels"] = {"faas.dev/function": function, "faas.dev/revision": revision}
    if deleted:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {
        "metadata": metadata,
        "spec": {"containers": [{"name": "function", "ports": [{"containerPort": address[1]}]}]},
        "status": {
            "phase": "Running",
            "podIP": address[0],
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def pod(*arguments: Any, **options: Any) -> Pod:
    """``pod_object`` as the router reads it."""
    return msgspec.convert(pod_object(*arguments, **options), Pod)


@dataclass
class InProcess:
    """A router with a bus of its own, and a client that calls it as the gateway does."""

    router: Router
    client: Client
    objects: dict[str, Pod] = field(default_factory=dict)

    def put(self, *changed: Function | Pod) -> None:
        """What the watches would tell."""
        for one in changed:
            if isinstance(one, Function):
                self.router.on_function(Change("MODIFIED", one.metadata.name, one, None))
            else:
                self.router.on_pod(Change("MODIFIED", one.metadata.name, one, None))

    def change(self, before: Function, after: Function) -> None:
        """A Function changed."""
        self.router.on_function(Change("MODIFIED", after.metadata.name, after, before))

    def remove(self, one: Function | Pod) -> None:
        """What the watches would tell of a deletion."""
        if isinstance(one, Function):
            self.router.on_function(Change("DELETED", one.metadata.name, one, one))
        else:
            self.router.on_pod(Change("DELETED", one.metadata.name, one, one))

    async def call(
        self, body: bytes = b'{"x":1}', ref: FunctionRef = ADD, timeout: float = PATIENCE, **fields: str
    ) -> "Reply":
        """One call; ``Faas_Id="1"`` is the header ``Faas-Id: 1``."""
        sent = {name.replace("_", "-"): value for name, value in fields.items()}
        answer = await self.client.request(subjects.invoke(ref), body, timeout=timeout, headers=sent or None)
        return Reply(answer)


class Reply:
    """An answer on the bus."""

    def __init__(self, message: Msg) -> None:
        self.headers: dict[str, str] = message.headers or {}
        self.body: bytes = message.data

    @property
    def status(self) -> int:
        """``Faas-Status``."""
        return int(self.headers[headers.STATUS])

    @property
    def code(self) -> str:
        """``Faas-Error``, empty for none."""
        return self.headers.get(headers.ERROR, "")

    @property
    def message(self) -> str:
        """The error's message."""
        return str(msgspec.json.decode(self.body)["message"])


_clients: list[Client] = []


async def client(bus: Bus, user: str = "gateway") -> Client:
    """A connection as one of the platform's users, or as ``caller-default``; ``close_clients`` closes it."""
    name = user.partition("-")[0]
    prefix = "_INBOX" if name in ("caller", "admin") else f"_INBOX.{name}"
    opened = await nats.connect(
        bus.user_url(user), inbox_prefix=prefix, allow_reconnect=True, max_reconnect_attempts=-1
    )
    _clients.append(opened)
    return opened


async def settle(connection: Client) -> None:
    """Returns when nats-server has taken all that was sent before, subscriptions too.

    Twice, since nats-py's flush writes its ping ahead of what it has only queued; the second follows that.
    """
    await connection.flush()
    await connection.flush()


async def close_clients() -> None:
    """Closes what ``client`` opened: the tasks of an open one ignore cancellation and would outlive a failed test."""
    while _clients:
        await _clients.pop().close()


@asynccontextmanager
async def router_in_process(bus: Bus, *, synced: bool = True, **settings: str) -> AsyncIterator[InProcess]:
    """A router without an API server: ``put`` and ``remove`` are its watches."""
    environ = bus.environment("router") | {f"FAAS_{name.upper()}": value for name, value in settings.items()}
    read = load(RouterSettings, environ)
    connection = await common_bus.connect(read, "router-test")
    caller = await client(bus)
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
    async with asyncio.TaskGroup() as tasks:
        router = Router(read, "router-test", connection, tasks)
        loops = [tasks.create_task(loop) for loop in (router.load.run(), router.show_life(), router.keep_house())]
        sending = tasks.create_task(router.outbox.run())
        for subject, handler in ((subjects.INVOKE_ALL, router.on_call), (subjects.DESCRIBE_ALL, router.on_describe)):
            subscription = await connection.subscribe(subject, queue=subjects.ROUTER_QUEUE, cb=handler)
            connection.deliver_at_once(subscription, handler)
        await settle(connection)
        if synced:
            router.forwarder.on_synced()
        try:
            yield InProcess(router, caller)
        finally:
            router.forwarder.abandon()
            for task in loops:
                task.cancel()
            router.outbox.finish()
            await sending
            router.close()
            await close_clients()
            await connection.close()
    assert not errors, errors


def play_with_router(bus: Bus, scene: Callable[[InProcess], Coroutine[Any, Any, None]], **settings: Any) -> None:
    """Plays a scene with a router of its own in this process."""

    async def main() -> None:
        async with asyncio.timeout(60), router_in_process(bus, **settings) as router:
            await scene(router)

    uvloop.run(main())


@contextlib.contextmanager
def router_process(bus: Bus, kubeconfig: Path, log: Path, **settings: str) -> Iterator[Service]:
    """A started router; killed at the end when it still runs."""
    router = Service("router", environment(bus, "router", kubeconfig, **settings), log)
    router.start()
    try:
        yield router
    finally:
        router.kill()
