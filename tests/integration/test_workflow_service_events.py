"""Workflow services as processes: runs that listen, emit and begin by schedules and events."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
import nats
import pytest

from tests.support.flow import Caller, Platform, caller, running_platform
from tests.support.patience import PATIENCE

WORKFLOWS = {
    "hears": "do:\n  - hear: {listen: {to: {one: {with: {type: greeting}}}}}\n",
    "hears-three": "do:\n  - hear: {listen: {to: {any: [{with: {type: count}}], until: '( . | length ) > 2'}}}\n",
    "each": """
do:
  - hear:
      listen: {to: {any: [{with: {type: item}}], until: '( . | length ) > 3'}}
      foreach: {item: e, do: [{work: {call: add, with: {x: '${ $e }'}}}]}
""",
    "tells": """
input: {from: "${ . }"}
do:
  - tell: {emit: {event: {with: {type: "${ .type }", source: /tells, data: {said: "${ .text }"}}}}}
""",
    "by-event": """
schedule: {"on": {one: {with: {type: order.placed}}}}
do:
  - take: {set: {order: "${ $workflow.input[0] }"}}
""",
    "by-time": "schedule: {every: {seconds: 1}}\ndo:\n  - tick: {set: {ticked: true}}\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("events")) as running:
        for name, text in WORKFLOWS.items():
            running.deploy(name, text)
        yield running


def play(platform: Platform, scene: Callable[[Caller], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(2 * PATIENCE), caller(platform.bus) as made:
            made.functions["add"] = lambda event: event["x"] + 1
            await scene(made)

    asyncio.run(main())


async def listening(made: Caller, run: str) -> None:
    """Waits until a run is at a task that listens."""
    async with asyncio.timeout(PATIENCE):
        while True:
            waiting = (await made.ask("get", run)).json.get("waiting", [])
            if [each["kind"] for each in waiting] == ["events"]:
                return
            await asyncio.sleep(0.02)  # a run is asked, it does not tell


async def send(platform: Platform, *events: dict[str, Any]) -> None:
    client = await nats.connect(platform.bus.caller_url)
    try:
        for event in events:
            body = {"specversion": "1.0", "source": "/test"} | event
            reply = await client.request("faas.send.default", msgspec.json.encode(body), timeout=10)
            assert (reply.headers or {})["Faas-Status"] == "202", reply.data
    finally:
        await client.close()


def test_a_run_hears_a_callers_event_and_one_that_another_run_emits(platform: Platform) -> None:
    async def scene(made: Caller) -> None:
        for number in (1, 2):
            await made.ask("start", "hears", {"id": f"hears-{number}"})
            await listening(made, f"hears-{number}")
        await send(platform, {"id": "g1", "type": "greeting", "data": "hello"})
        for number in (1, 2):
            assert (await made.ended(f"hears-{number}"))["output"] == ["hello"]
        await made.ask("start", "hears", {"id": "hears-3"})
        await listening(made, "hears-3")  # an event of before it listened is not for it
        told = await made.run("tells", {"type": "greeting", "text": "hi"})
        assert told["run"]["status"] == "completed"
        assert (await made.ended("hears-3"))["output"] == [{"said": "hi"}]

    with platform.running():
        play(platform, scene)


def test_events_are_consumed_once_each_by_whoever_drives_the_run(platform: Platform) -> None:
    """kill -9 between events, and between an event and the end of its round: nothing is lost or counted twice."""

    async def scene(made: Caller) -> None:
        await made.ask("start", "hears-three", {"id": "three"})
        await made.ask("start", "each", {"id": "each"})
        await listening(made, "three")
        await listening(made, "each")
        await send(platform, {"id": "c0", "type": "count", "data": 0}, {"id": "i0", "type": "item", "data": 0})
        for number in (1, 2, 3):
            service.kill()
            sending = asyncio.create_task(later(number))
            service.start()
            await sending
        assert (await made.ended("three"))["output"] == [0, 1, 2]
        assert (await made.ended("each"))["output"] == [1, 2, 3, 4]

    async def later(number: int) -> None:
        """Sends once somebody takes it."""
        while True:
            try:
                await send(
                    platform,
                    {"id": f"c{number}", "type": "count", "data": number},
                    {"id": f"i{number}", "type": "item", "data": number},
                )
                return
            except (nats.errors.NoRespondersError, nats.errors.TimeoutError):
                await asyncio.sleep(0.1)  # nobody is there yet

    platform.function("add", idempotent=True)
    with platform.running() as service:
        play(platform, scene)


def test_an_event_begins_a_run(platform: Platform) -> None:
    async def scene(made: Caller) -> None:
        await send(platform, {"id": "o1", "type": "order.placed", "data": {"id": 7}})
        async with asyncio.timeout(PATIENCE):
            while not (found := (await made.ask("list", "runs", {"workflow": "by-event"})).json["items"]):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        (run,) = found
        assert (await made.ended(run["id"]))["output"] == {"order": {"id": 7}}

    with platform.running():
        play(platform, scene)


def test_time_begins_runs_with_two_services_and_a_kill(platform: Platform) -> None:
    async def scene(made: Caller) -> None:
        async def runs(count: int) -> list[str]:
            async with asyncio.timeout(PATIENCE):
                while True:
                    items = (await made.ask("list", "runs", {"workflow": "by-time"})).json["items"]
                    if len(items) >= count:
                        return [item["id"] for item in items]
                    await asyncio.sleep(0.1)

        before = len(await runs(1))
        first.kill()
        found = await runs(before + 3)
        for run in found:
            assert (await made.ended(run))["output"] == {"ticked": True}
        assert len({run[-3:] for run in found}) == 1  # to the millisecond in the rhythm of the first

    with platform.running("wf-0") as first, platform.running("wf-1"):
        play(platform, scene)
