"""Schedules by events on a real nats-server: each event begins one run, whoever is there and whatever restarts."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from services.contracts.errors import Code, FaasError
from services.workflow.schedules.events import EventSchedules
from services.workflow.store import streams
from services.workflow.store.events import EventStore
from services.workflow.store.jetstream import JetStream, Refused
from services.workflow.worker.pool import Limits, Pool
from tests.support.bus import running_bus
from tests.support.patience import PATIENCE
from tests.support.schedules import World
from tests.support.stores import play, ref, stores

ORDER = {"type": "order.placed", "data": "${ .total > 10 }"}


def event(number: int, type_: str, data: Any) -> bytes:
    return msgspec.json.encode(
        {"specversion": "1.0", "id": f"{number}", "source": "/test", "type": type_, "data": data}
    )


@asynccontextmanager
async def event_schedules(js: JetStream, world: World, pool: Pool) -> AsyncIterator[EventSchedules]:
    settled = asyncio.Event()

    async def wait() -> None:
        await settled.wait()

    made = EventSchedules(EventStore(js), pool, world.start, wait)
    for name, accepted in world.accepted.items():
        made.on_definition(ref(name), accepted)
    settled.set()
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.wait({task})


def test_an_event_begins_one_run_of_each_workflow_that_waits_for_it(tmp_path: Path) -> None:
    with running_bus(tmp_path) as bus:

        async def scene(js: JetStream) -> None:
            world, events = World(), EventStore(js)
            async with AsyncExitStack() as stack:
                pool = await stack.enter_async_context(Pool(1, Limits()))
                world.deploy("big", {"on": {"one": {"with": ORDER}}})
                world.deploy("any", {"on": {"any": [{"with": {"type": "order\\..*"}}, {"with": {"type": "x"}}]}})
                world.deploy("whole", {"on": {"one": {"with": {"type": "x"}}}, "read": "envelope"})
                world.deploy("never", {"on": {"one": {"with": {"type": "x", "data": "${ error }"}}}})
                world.refuse.append(FaasError(Code.OVERLOADED, "not now"))  # the first start fails, and is made again
                other_js = await stack.enter_async_context(stores(bus))
                await stack.enter_async_context(event_schedules(js, world, pool))
                await stack.enter_async_context(event_schedules(other_js, world, pool))
                placed = [
                    await events.put("default", event(number, type_, data), str(number))
                    for number, (type_, data) in enumerate(
                        [("order.placed", {"total": 5}), ("order.placed", {"total": 50}), ("x", 7), ("y", 8)]
                    )
                ]
                await events.put("elsewhere", event(9, "x", 9), "9")
                expected = {
                    f"big-on-{placed[1]}": [{"total": 50}],
                    f"any-on-{placed[0]}": [{"total": 5}],
                    f"any-on-{placed[1]}": [{"total": 50}],
                    f"any-on-{placed[2]}": [7],
                }
                whole = f"whole-on-{placed[2]}"
                await world.until(lambda: set(world.begun) >= {*expected, whole})
                assert (world.inputs[whole][0]["type"], world.inputs[whole][0]["data"]) == ("x", 7)
                async with asyncio.timeout(PATIENCE):  # until all are taken
                    while await taken(js) < await events.end():  # noqa: ASYNC110
                        await asyncio.sleep(0.02)
                assert {run: world.inputs[run] for run in world.begun if run != whole} == expected
                assert set(map(len, world.begun.values())) <= {1, 2}

        play(bus, scene)


async def taken(js: JetStream) -> int:
    """How many events were taken."""
    try:
        info = await js.api(f"CONSUMER.INFO.{streams.EVENTS}.schedules")
    except Refused:
        return 0  # its consumer is yet to be made
    return int(info["ack_floor"]["stream_seq"])


def test_events_of_a_time_without_service_begin_their_runs_later(tmp_path: Path) -> None:
    with running_bus(tmp_path) as bus:

        async def scene(js: JetStream) -> None:
            world, events = World(), EventStore(js)
            world.deploy("later", {"on": {"one": {"with": {"type": "x"}}}})
            async with Pool(1, Limits()) as pool:
                async with event_schedules(js, world, pool):
                    first = await events.put("default", event(0, "x", 0), "0")
                    await world.until(lambda: len(world.begun) == 1)
                numbers = [await events.put("default", event(number, "x", number), str(number)) for number in (1, 2, 3)]
                await asyncio.to_thread(bus.restart)
                async with event_schedules(js, world, pool):
                    await world.until(lambda: len(world.begun) == 4)
            assert set(world.begun) == {f"later-on-{number}" for number in [first, *numbers]}

        play(bus, scene)


BOTH = {"all": [{"with": {"type": "a"}}, {"with": {"type": "b"}}]}
THREE = {"any": [{"with": {"type": "a"}}], "until": "( . | length ) > 2"}


def test_several_events_begin_a_run_together_through_restarts(tmp_path: Path) -> None:
    with running_bus(tmp_path) as bus:

        async def scene(js: JetStream) -> None:
            world, events, numbers = World(), EventStore(js), itertools.count()

            async def put(type_: str) -> int:
                number = next(numbers)
                return await events.put("default", event(number, type_, f"{type_}{number}"), str(number))

            async with Pool(1, Limits()) as pool, stores(bus) as other_js:
                async with event_schedules(js, world, pool) as one, event_schedules(other_js, world, pool) as two:
                    async with asyncio.timeout(PATIENCE):
                        for _ in range(3):
                            await put("a")  # of before anybody waited for it
                        while await taken(js) < 3:  # noqa: ASYNC110
                            await asyncio.sleep(0.02)
                        world.deploy("both", {"on": BOTH}, one, two)
                        world.deploy("three", {"on": THREE}, one, two)
                        while None in [await events.cursor(ref(name)) for name in world.accepted]:  # noqa: ASYNC110
                            await asyncio.sleep(0.02)
                    await put("a")
                    await put("a")
                    second = await put("b")
                    await world.until(lambda: f"both-on-{second}" in world.begun)
                await asyncio.to_thread(bus.restart)
                third = await put("a")
                await put("a")
                fourth = await put("b")
                async with event_schedules(js, world, pool):
                    await world.until(lambda: {f"three-on-{third}", f"both-on-{fourth}"} <= set(world.begun))
                    last = [await put("b"), await put("a"), await put("a")]
                    await world.until(lambda: len(world.begun) == 5)
            assert world.inputs == {
                f"both-on-{second}": ["a3", "b5"],
                f"three-on-{third}": ["a3", "a4", "a6"],
                f"both-on-{fourth}": ["a6", "b8"],
                f"both-on-{last[1]}": ["b9", "a10"],
                f"three-on-{last[2]}": ["a7", "a10", "a11"],
            }

        play(bus, scene)
