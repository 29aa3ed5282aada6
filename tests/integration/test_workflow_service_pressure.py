"""More events and messages than ``foreach`` can work off: they wait where they come from, and none is lost."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import nats
import pytest

from services.contracts import subjects
from services.workflow.engine.state import MAX_QUEUED
from tests.support.elsewhere import Elsewhere, nats_elsewhere
from tests.support.flow import Caller, Held, Platform, caller, running_platform
from tests.support.outside import answer, web
from tests.support.patience import PATIENCE

COUNT = 700
EACH = "foreach: {do: [{work: {call: slow, with: {n: '${ .%s }'}}}], output: {as: .n}}"
LISTEN = f"{{to: {{any: [{{with: {{type: item}}}}], until: length == {COUNT}}}}}"
EVENTS = f"do:\n  - hear: {{listen: {LISTEN}, {EACH % 'n'}}}\n"
SUBSCRIPTION = f"{{consume: {{amount: {COUNT}}}, {EACH % 'payload.n'}}}"
MESSAGES = """
do:
  - hear:
      call: asyncapi
      with: {{document: {{endpoint: '{url}/asyncapi.json'}}, channel: items, subscription: {subscription}}}
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("pressure")) as made, made.running(allowed_addresses="127.0.0.0/8"):
        yield made


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    with nats_elsewhere(tmp_path_factory.mktemp("nats")) as made:
        yield made


def during(platform: Platform, story: Callable[[Caller], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(2 * PATIENCE), caller(platform.bus) as made:
            await story(made)

    asyncio.run(run())


async def consumed(made: Caller, run: str) -> int:
    """How many events or messages are in a run's history."""
    count = start = 0
    while True:
        page = (await made.ask("history", run, {"start": start})).json
        records = [record for entry in page["entries"] for record in entry["records"]]
        count += sum(record["record"] == "EventConsumed" for record in records)
        start = page.get("next", 0)
        if not start:
            return count


async def worked_off(made: Caller, run: str) -> None:
    """Two calls are held, one after the other: what is consumed meanwhile is bounded. In the end all are made, in order
    and each once."""
    numbers: list[int] = []

    def slow(given: Any) -> Any:
        numbers.append(given["n"])
        if given["n"] in (0, MAX_QUEUED):
            raise Held
        return given

    made.functions["slow"] = slow
    for round_ in (0, MAX_QUEUED):
        message, given = await made.held.get()
        while await consumed(made, run) < round_ + MAX_QUEUED:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)  # whatever would come although nobody has room for it
        assert await consumed(made, run) <= round_ + 3 * MAX_QUEUED
        await made.answer(message, given)
    view = await made.ended(run)
    assert view["output"] == numbers == list(range(COUNT))


def test_events_wait_in_the_stream_while_foreach_is_slow(platform: Platform) -> None:
    platform.deploy("slow-events", EVENTS)

    async def story(made: Caller) -> None:
        await made.ask("start", "slow-events", {"id": "slow-events", "input": {}})
        working = asyncio.create_task(worked_off(made, "slow-events"))
        for number in range(COUNT):
            event = {"specversion": "1.0", "id": str(number), "source": "/test", "type": "item", "data": {"n": number}}
            await made.gateway.request(subjects.send("default"), msgspec.json.encode(event), timeout=PATIENCE)
        await working

    during(platform, story)


def test_messages_wait_at_their_server_while_foreach_is_slow(platform: Platform, elsewhere: Elsewhere) -> None:
    server = {"main": {"url": f"nats://127.0.0.1:{elsewhere.port}", "protocol": "nats"}}
    document = {"asyncapi": "2.6.0", "servers": server, "channels": {"items": {"subscribe": {}}}}

    async def story(made: Caller) -> None:
        async with web(lambda _: answer(document)) as url:
            platform.deploy("slow-messages", MESSAGES.format(url=url, subscription=SUBSCRIPTION))
            await made.ask("start", "slow-messages", {"id": "slow-messages", "input": {}})
            working = asyncio.create_task(worked_off(made, "slow-messages"))
            await elsewhere.subscribed("items")
            client = await nats.connect(f"nats://127.0.0.1:{elsewhere.port}")
            for number in range(COUNT):
                await client.publish("items", json.dumps({"n": number}).encode())
            await client.drain()
            await working

    during(platform, story)


def test_a_server_whose_buffer_is_full_ends_the_subscription_with_an_error(platform: Platform, tmp_path: Path) -> None:
    async def story(made: Caller) -> None:
        release = asyncio.Event()

        async def slow(given: Any) -> Any:
            await release.wait()
            return given

        made.functions["slow"] = slow
        with nats_elsewhere(tmp_path, "max_pending: 1MB") as server:
            where = {"main": {"url": f"nats://127.0.0.1:{server.port}", "protocol": "nats"}}
            document = {"asyncapi": "2.6.0", "servers": where, "channels": {"items": {"subscribe": {}}}}
            async with web(lambda _: answer(document)) as url:
                subscription = f"{{consume: {{amount: 10000}}, {EACH % 'payload.n'}}}"
                platform.deploy("flooded", MESSAGES.format(url=url, subscription=subscription))
                await made.ask("start", "flooded", {"id": "flooded", "input": {}})
                await server.subscribed("items")
                client = await nats.connect(f"nats://127.0.0.1:{server.port}")
                for number in range(1500):
                    await client.publish("items", json.dumps({"n": number, "more": "x" * 32_000}).encode())
                await server.subscribed("items", 0)
                await client.close()
                release.set()
                view = await made.ended("flooded", PATIENCE)
                assert (view["run"]["status"], view["error"]["status"]) == ("faulted", 502)
                assert "the connection broke" in view["error"]["detail"]

    during(platform, story)
