"""Schedules on a real nats-server: each time and each event begins one run, whoever is there and whatever restarts."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.contracts.runs import StartRun
from services.contracts.workflow import parse
from services.workflow.controller.judge import Accepted, canonical, digest_of
from services.workflow.schedules.clock import Clock
from services.workflow.schedules.events import EventSchedules
from services.workflow.store import streams
from services.workflow.store.events import EventStore
from services.workflow.store.heads import Head
from services.workflow.store.jetstream import JetStream, Refused
from services.workflow.store.timers import TimerStore
from services.workflow.worker.pool import Limits, Pool
from tests.support.bus import Bus, running_bus
from tests.support.patience import PATIENCE
from tests.support.stores import HEAD, play, ref, stores
from tests.support.workflows import definition


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    with running_bus(tmp_path_factory.mktemp("schedules")) as running:
        yield running


class World:
    """Definitions, and runs that were begun: by id, with their input and when; a run that is asked for
    again is the same one. Both instances of a test see the same."""

    def __init__(self) -> None:
        self.accepted: dict[str, Accepted] = {}
        self.begun: dict[str, list[float]] = {}
        self.inputs: dict[str, Any] = {}
        self.heads: dict[str, Head] = {}
        self.refuse: list[FaasError] = []
        self._changed = asyncio.Event()

    def deploy(self, name: str, schedule: dict[str, Any] | None, *parts: Clock | EventSchedules) -> None:
        fields = {"schedule": schedule} if schedule else {}
        document = definition({"a": {"set": {"x": 1}}}, **fields)
        data = canonical(document)
        self.accepted[name] = Accepted(parse(document), digest_of(data), data)
        for part in parts:
            part.on_definition(ref(name), self.accepted[name])

    async def get(self, namespace: str, name: str, version: str = "") -> Accepted | None:
        return self.accepted.get(name)

    async def start(self, workflow: FunctionRef, asked: StartRun) -> None:
        if self.refuse:
            raise self.refuse.pop()
        self.begun.setdefault(asked.id, []).append(time.time())
        if isinstance(asked.input, msgspec.Raw):
            self.inputs[asked.id] = msgspec.json.decode(asked.input)
        self._changed.set()

    async def head(self, run: FunctionRef) -> tuple[Head, int] | None:
        return (self.heads[run.name], 1) if run.name in self.heads else None

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not true():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def clock(js: JetStream, world: World) -> AsyncIterator[Clock]:
    timers = TimerStore(js)
    made = Clock(timers, world, world.start, world.head)
    for name, accepted in world.accepted.items():
        made.on_definition(ref(name), accepted)
    tasks = [asyncio.create_task(made.run()), asyncio.create_task(timers.consume(made.fired))]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def test_every_second_begins_one_run_also_with_two_instances(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        world = World()
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(clock(js, world))
            second = await stack.enter_async_context(clock(await stack.enter_async_context(stores(bus)), world))
            world.deploy("ticks", {"every": {"seconds": 1}}, first, second)
            await world.until(lambda: len(world.begun) >= 4)
        assert len({run[-3:] for run in world.begun}) == 1, world.begun  # a second apart, to the millisecond
        assert max(map(len, world.begun.values())) == 1
        assert all(run.startswith("ticks-every-") for run in world.begun)
        await TimerStore(js).drop_all(ref("_ticks"))

    play(bus, scene)


def test_a_restart_neither_loses_nor_doubles_a_time(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        world = World()
        world.deploy("restarts", {"every": {"seconds": 1}})
        for round_ in range(3):  # each with a service of its own
            async with clock(js, world):
                await world.until(lambda wanted=round_ + 1: len(world.begun) >= wanted)  # type: ignore[misc]
        begun = len(world.begun)
        assert len({int(run.split("-")[-2]) for run in world.begun}) == begun
        await asyncio.sleep(2.2)  # two times come and go while nobody is there
        async with clock(js, world):
            await world.until(lambda: len(world.begun) >= begun + 2)
        times = sorted(run.removeprefix("restarts-every-") for run in world.begun)
        assert len({moment[-3:] for moment in times}) == 1, times  # all keep to the rhythm of the first
        await TimerStore(js).drop_all(ref("_restarts"))

    play(bus, scene)


def test_a_crash_between_the_run_and_the_next_timer_begins_no_second_run(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        world = World()
        async with clock(js, world) as one:
            schedule, failures = one._timers.schedule, 1

            async def fail_once(*arguments: Any, **named: Any) -> None:
                nonlocal failures
                if failures and not named.get("new"):
                    failures -= 1
                    raise FaasError(Code.BUS_UNAVAILABLE, "as if it had died here")
                await schedule(*arguments, **named)

            one._timers.schedule = fail_once  # type: ignore[method-assign]
            world.deploy("crash", {"every": {"seconds": 1}}, one)
            await world.until(lambda: len(world.begun) >= 2)
        first = min(world.begun)
        assert (failures, len(world.begun[first])) == (0, 2)  # asked for twice, under one id: one run
        await TimerStore(js).drop_all(ref("_crash"))

    play(bus, scene)


def test_a_changed_schedule_replaces_its_timer_and_a_removed_one_ends(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        world, timers = World(), TimerStore(js)

        async def waiting(name: str, count: int, note: str = "") -> None:
            async with asyncio.timeout(PATIENCE):
                while [due.note for due in await timers.waiting(ref(name))] != [note] * count:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

        async with clock(js, world) as one:
            world.deploy("changes", {"every": {"hours": 1}}, one)
            await waiting("_changes", 1, "every 3600|")
            set_once = await timers.waiting(ref("_changes"))
            one.on_definition(ref("changes"), world.accepted["changes"])  # told again, as after a restart
            world.deploy("after-it", {"cron": "0 0 1 1 *"}, one)
            await waiting("_after-it", 1, "cron 0 0 1 1 *|")
            assert await timers.waiting(ref("_changes")) == set_once
            world.deploy("changes", {"cron": "0 0 1 1 *"}, one)
            await waiting("_changes", 1, "cron 0 0 1 1 *|")
            world.deploy("changes", None, one)
            await waiting("_changes", 0)
            del world.accepted["after-it"]
            one.on_definition(ref("after-it"), None)
            await waiting("_after-it", 0)
        assert world.begun == {}

    play(bus, scene)


def test_after_waits_for_the_end_of_the_run_before(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        world = World()
        async with clock(js, world) as one:
            world.deploy("loops", {"after": {"seconds": 1}}, one)
            await world.until(lambda: len(world.begun) == 1)
            (first,) = world.begun
            world.heads[first] = HEAD
            await asyncio.sleep(2.5)
            assert list(world.begun) == [first]  # it still runs
            world.heads[first] = msgspec.structs.replace(HEAD, status="completed", ended=time.time())
            await world.until(lambda: len(world.begun) == 2)
        second = next(run for run in world.begun if run != first)
        ended = world.heads[first].ended
        assert ended is not None
        assert 1.0 <= world.begun[second][0] - ended < 20.0
        await TimerStore(js).drop_all(ref("_loops"))

    play(bus, scene)


def test_times_go_on_through_kill_9_of_nats_server(tmp_path: Path) -> None:
    with running_bus(tmp_path) as bus:

        async def scene(js: JetStream) -> None:
            world = World()
            async with clock(js, world) as one:
                world.deploy("kills", {"every": {"seconds": 1}}, one)
                for wanted in (1, 2, 3):
                    await world.until(lambda wanted=wanted: len(world.begun) >= wanted)  # type: ignore[misc]
                    await asyncio.to_thread(bus.restart)
                await world.until(lambda: len(world.begun) >= 5)
            assert len({run[-3:] for run in world.begun}) == 1

        play(bus, scene)


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
