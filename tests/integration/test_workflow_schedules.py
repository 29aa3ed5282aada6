"""Schedules by time on a real nats-server: each time begins one run, whoever is there and whatever restarts."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.contracts.errors import Code, FaasError
from services.workflow.store.jetstream import JetStream
from services.workflow.store.timers import TimerStore
from tests.support.bus import Bus, running_bus
from tests.support.patience import PATIENCE
from tests.support.schedules import World, clock
from tests.support.stores import HEAD, play, ref, stores


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    with running_bus(tmp_path_factory.mktemp("schedules")) as running:
        yield running


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
        due = max(timer.at for timer in await TimerStore(js).waiting(ref("_restarts")))
        await asyncio.sleep(max(0.0, due + 1.1 - time.time()))  # two times come and go while nobody is there
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


def test_a_schedule_that_is_changed_while_it_fires_goes_on(bus: Bus) -> None:
    """The timer that the old one sets last takes the place of the new one's."""

    async def scene(js: JetStream) -> None:
        world, timers = World(), TimerStore(js)
        async with clock(js, world) as one:

            async def change() -> None:
                world.deploy("turns", {"every": {"milliseconds": 1100}}, one)
                while "every 1.1|" not in [due.note for due in await timers.waiting(ref("_turns"))]:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

            world.meanwhile = change
            world.deploy("turns", {"every": {"seconds": 1}}, one)
            await world.until(lambda: len(world.begun) >= 3)
        await timers.drop_all(ref("_turns"))

    play(bus, scene)


def test_after_waits_for_the_end_of_the_run_before(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        world = World()
        async with clock(js, world) as one:
            world.deploy("loops", {"after": {"seconds": 1}}, one)
            await world.until(lambda: len(world.begun) == 1)
            (first,) = world.begun
            world.heads[first] = HEAD
            await world.until(lambda: world.looks >= 3)
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
