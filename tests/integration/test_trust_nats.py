"""The accounts and users of the trust model on a real nats-server: who may say and hear what."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from cli.local import keys
from cli.local.layout import Layout, Ports
from tests.support.bus import Bus, running_bus
from tests.support.patience import PATIENCE

TENANTS = {"red": ["red", "shared"], "blue": ["blue"]}


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    with running_bus(tmp_path_factory.mktemp("trust"), TENANTS) as running:
        yield running


async def connect(bus: Bus, user: str, refused: list[str]) -> Client:
    async def on_error(error: Exception) -> None:
        refused.append(str(error).lower())

    prefix = "_INBOX" if user.startswith("caller-") else f"_INBOX.{user}"
    return await nats.connect(bus.user_url(user), inbox_prefix=prefix, error_cb=on_error)


def run(bus: Bus, users: list[str], scene: Callable[..., Awaitable[None]], refusals: int) -> list[str]:
    """Plays ``scene`` with a connection for each user; returns what the server refused, ``refusals`` times."""

    async def play() -> list[str]:
        refused: list[str] = []
        clients = [await connect(bus, user, refused) for user in users]
        try:
            await scene(*clients)
            for client in clients:
                await client.flush()
            async with asyncio.timeout(PATIENCE):
                while len(refused) < refusals:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)  # nats-py hands errors to its callback after the flush
        finally:
            for client in clients:
                await client.close()
        assert len(refused) == refusals, refused
        assert all("permissions violation" in said for said in refused), refused
        return refused

    return asyncio.run(play())


async def answer_calls(router: Client) -> None:
    async def answer(message: nats.aio.msg.Msg) -> None:
        await router.publish(message.reply, message.subject.encode(), headers=message.headers)

    await router.subscribe("faas.invoke.*.*", queue="router", cb=answer)
    await router.flush()


def test_a_caller_reaches_the_functions_of_its_namespaces_and_is_marked_as_an_outsider(bus: Bus) -> None:
    async def scene(router: Client, caller: Client) -> None:
        await answer_calls(router)
        for namespace in TENANTS["red"]:
            reply = await caller.request(f"faas.invoke.{namespace}.add", b"{}", timeout=PATIENCE)
            assert reply.data == f"faas.invoke.{namespace}.add".encode()
            assert "red" in (reply.headers or {})["Nats-Request-Info"]

    run(bus, ["router", "caller-red"], scene, refusals=0)


def test_a_caller_starts_workflows_and_sends_events_in_its_namespaces_alone(bus: Bus) -> None:
    async def scene(workflow: Client, caller: Client) -> None:
        async def answer(message: nats.aio.msg.Msg) -> None:
            await workflow.publish(message.reply, message.subject.encode(), headers=message.headers)

        await workflow.subscribe("faas.run.*.*", queue="workflow", cb=answer)
        await workflow.subscribe("faas.send.*", queue="workflow", cb=answer)
        await workflow.flush()
        for subject in ("faas.run.red.order", "faas.send.red", "faas.send.shared"):
            reply = await caller.request(subject, b"{}", timeout=2)
            assert reply.data == subject.encode()
            assert "red" in (reply.headers or {})["Nats-Request-Info"]
        for subject in ("faas.run.blue.order", "faas.send.blue"):
            with pytest.raises(nats.errors.NoRespondersError):
                await caller.request(subject, b"{}", timeout=2)

    run(bus, ["workflow", "caller-red"], scene, refusals=0)


def test_a_caller_is_refused_outside_its_namespaces(bus: Bus) -> None:
    async def scene(router: Client, caller: Client) -> None:
        await answer_calls(router)
        with pytest.raises(nats.errors.NoRespondersError):
            await caller.request("faas.invoke.blue.add", b"{}", timeout=PATIENCE)

    run(bus, ["router", "caller-red"], scene, refusals=0)


@pytest.mark.parametrize(
    "subject",
    [
        "faas.sys.load",
        "faas.event.red.function.add.completed",
        "$JS.API.INFO",
        "faas.sys.describe.red.add",
        "faas.sys.workflow.event.red",
        "faas.sys.workflow.api.start.red.order",
    ],
)
def test_a_caller_may_publish_nothing_else(bus: Bus, subject: str) -> None:
    async def scene(caller: Client) -> None:
        await caller.publish(subject, b"{}")

    run(bus, ["caller-red"], scene, refusals=1)


def test_events_reach_the_callers_of_their_namespace_alone(bus: Bus) -> None:
    async def scene(gateway: Client, red: Client, blue: Client) -> None:
        heard = await red.subscribe("faas.event.>"), await blue.subscribe("faas.event.>")
        await red.flush()
        await blue.flush()
        await gateway.publish("faas.event.red.function.add.received", b"{}")
        await gateway.publish("faas.event.blue.function.add.received", b"{}")
        assert (await heard[0].next_msg(PATIENCE)).subject == "faas.event.red.function.add.received"
        assert (await heard[1].next_msg(PATIENCE)).subject == "faas.event.blue.function.add.received"
        await red.flush()  # what else there is for them comes before the answer
        await blue.flush()
        assert heard[0].pending_msgs == heard[1].pending_msgs == 0

    # each asks for all events and gets those that its account imports
    run(bus, ["gateway", "caller-red", "caller-blue"], scene, refusals=0)


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("gateway", "_INBOX.router.>"),
        ("router", "_INBOX.gateway.>"),
        ("scaler", "_INBOX.>"),
        ("scaler", "faas.invoke.*.*"),
        ("router", "_R_.>"),
        ("gateway", "faas.sys.workflow.>"),
        ("workflow", "_INBOX.gateway.>"),
    ],
)
def test_no_service_hears_what_is_meant_for_another(bus: Bus, user: str, subject: str) -> None:
    async def scene(client: Client) -> None:
        await client.subscribe(subject)

    run(bus, [user], scene, refusals=1)


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("scaler", "faas.invoke.red.add"),
        ("router", "faas.invoke.red.add"),
        ("router", "$JS.API.INFO"),
        ("gateway", "faas.sys.workflow.run.0.red.order-1"),
        ("gateway", "$JS.API.STREAM.INFO.WORKFLOW"),
        ("gateway", "$JS.API.DIRECT.GET.WORKFLOW_RUNS_0.faas.sys.workflow.run.0.red.order-1"),
        ("workflow", "$JS.API.STREAM.INFO.OBJ_archives"),
    ],
)
def test_no_service_says_what_is_anothers_to_say(bus: Bus, user: str, subject: str) -> None:
    async def scene(client: Client) -> None:
        await client.publish(subject, b"")

    run(bus, [user], scene, refusals=1)


def test_the_files_of_a_platform_are_the_owners_alone(tmp_path: Path) -> None:

    layout = Layout(tmp_path / "platform")
    layout.create()
    keys.ensure(layout, Ports(1, 2, 3, 4, 5))
    assert layout.root.stat().st_mode & 0o077 == 0
    secret = [path for path in layout.root.rglob("*") if path.is_file() and path.suffix != ".crt"]
    assert len(secret) > 8
    assert [path for path in secret if path.stat().st_mode & 0o077] == []
