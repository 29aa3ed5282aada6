"""Timers on a real nats-server: each fires once, in order, at its time, whatever is restarted meanwhile."""

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from services.contracts.names import FunctionRef
from services.workflow.store import streams
from services.workflow.store import timers as timers_module
from services.workflow.store.jetstream import JetStream
from services.workflow.store.timers import FAR, Deliver, Due, TimerStore
from tests.support.bus import Bus, running_bus
from tests.support.patience import PATIENCE
from tests.support.stores import play, ref, stores


class Heard:
    """What was delivered, and when; ``wanted`` timers are waited for."""

    def __init__(self, wanted: int) -> None:
        self.found: list[tuple[FunctionRef, str, float]] = []
        self._wanted = wanted
        self._all = asyncio.Event()

    async def deliver(self, run: FunctionRef, due: Due) -> bool:
        self.found.append((run, due.timer, time.time()))
        if len(self.found) >= self._wanted:
            self._all.set()
        return True

    async def all(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._all.wait()


class Consuming:
    """Takes timers while it is entered."""

    def __init__(self, timers: TimerStore, deliver: Deliver) -> None:
        self._task = asyncio.ensure_future(timers.consume(deliver))

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})


def test_timers_fire_once_in_order_and_at_their_time(bus: Bus, record_property: Callable[[str, object], None]) -> None:
    count = 1000

    async def scene(js: JetStream) -> None:
        async with stores(bus) as other_js:
            timers, heard = TimerStore(js), Heard(count)
            drawn = random.Random(7)
            begun = time.time() + 1.5
            wanted = {f"{number}.wait": begun + drawn.random() * 1.5 for number in range(count)}
            async with Consuming(timers, heard.deliver), Consuming(TimerStore(other_js), heard.deliver):
                for timer, at in wanted.items():
                    await timers.schedule(ref("many"), timer, at)
                await heard.all()
                async with asyncio.timeout(PATIENCE):  # until all are acknowledged
                    while await js.count(streams.TIMERS, streams.fired(ref("*", "*"), "*")):  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
            assert len({timer for _, timer, _ in heard.found}) == len(heard.found) == count
            lags = sorted(at - wanted[timer] for _, timer, at in heard.found)
            p99 = lags[int(count * 0.99)] * 1000
            record_property("timer_lag_p99_ms", round(p99, 1))
            print(f"timer lag: p50 {lags[count // 2] * 1000:.1f} ms, p99 {p99:.1f} ms, max {lags[-1] * 1000:.1f} ms")
            assert lags[0] > -0.002
            # nats-server alone would be 135 ms late at the median; how late the last ones are is the machine's doing
            assert lags[count // 2] * 1000 <= 100
            assert p99 <= 1000
            due = [wanted[timer] for _, timer, _ in heard.found]
            # two instances, and timers 1.5 ms apart: order is as exact as either's loop
            assert all(later - earlier > -0.5 for earlier, later in itertools.pairwise(due))
            assert await js.count(streams.TIMERS, streams.timer(ref("*", "*"), "*")) == 0

    play(bus, scene)


def test_a_timer_set_again_fires_at_its_new_time_alone_and_one_of_the_past_at_once(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        timers, heard, now = TimerStore(js), Heard(3), time.time()
        async with Consuming(timers, heard.deliver):
            await timers.schedule(ref("again"), "1.wait", now + 0.6)
            await timers.schedule(ref("again"), "1.wait", now + 1.2)
            await timers.schedule(ref("again"), "2.retry.3", now - 60)
            await timers.schedule(ref("again"), "4.timeout", now + 1.3)
            await heard.all()
        assert [timer for _, timer, _ in heard.found] == ["2.retry.3", "1.wait", "4.timeout"]
        assert heard.found[0][2] < now + 1.0
        assert heard.found[1][2] >= now + 1.2
        assert {run for run, _, _ in heard.found} == {ref("again")}

    play(bus, scene)


def test_far_timers_are_removed_when_dropped_and_all_of_a_run_at_its_end(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        timers, now = TimerStore(js), time.time()
        waiting = streams.timer(ref("dropped"), "*")
        for number, at in enumerate((now + 2 * FAR, now + 2 * FAR, now + FAR / 2)):
            await timers.schedule(ref("dropped"), f"{number}.wait", at)
        await timers.drop(ref("dropped"), "0.wait", now + 2 * FAR)
        await timers.drop(ref("dropped"), "2.wait", now + FAR / 2)
        left = [message.subject for message in await js.read(streams.TIMERS, waiting)]
        assert left == [streams.timer(ref("dropped"), "1_wait"), streams.timer(ref("dropped"), "2_wait")]
        await timers.schedule(ref("other"), "1.wait", now + 2 * FAR)
        await timers.drop_all(ref("dropped"))
        assert await js.count(streams.TIMERS, waiting) == 0
        assert await js.count(streams.TIMERS, streams.timer(ref("other"), "*")) == 1

    play(bus, scene)


def test_a_timer_that_was_not_taken_is_offered_again(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        timers, heard, offers = TimerStore(js), Heard(1), 0

        async def reluctant(run: FunctionRef, due: Due) -> bool:
            nonlocal offers
            offers += 1
            if offers == 1:
                return False
            if offers == 2:
                raise RuntimeError("a deliverer's defect")
            return await heard.deliver(run, due)

        async with Consuming(timers, reluctant):
            await timers.schedule(ref("reluctant"), "1.wait", time.time())
            await heard.all()
        assert offers == 3

    play(bus, scene)


def test_timers_survive_kill_9_of_nats_server(tmp_path: Path) -> None:
    with running_bus(tmp_path) as bus:

        async def scene(js: JetStream) -> None:
            timers, heard, now = TimerStore(js), Heard(3), time.time()
            async with Consuming(timers, heard.deliver):
                wanted = {"during": now + 0.8, "after": now + 2.0, "later": now + 2.2}
                for timer, at in wanted.items():
                    await timers.schedule(ref("restart"), timer, at)
                await asyncio.to_thread(bus.kill)
                await asyncio.sleep(max(0.0, wanted["during"] + 0.1 - time.time()))  # due while nobody is there
                await asyncio.to_thread(bus.restart)
                back = time.time()
                await heard.all()
            assert [timer for _, timer, _ in heard.found] == list(wanted)
            lags = [at - max(wanted[timer], back) for _, timer, at in heard.found]
            print("lags after a restart:", [round(lag * 1000) for lag in lags])
            assert max(lags) < 5.0
            assert min(lags[1:]) > -0.002

        play(bus, scene)


def test_timers_that_became_due_while_no_service_ran_fire_when_one_comes(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        timers, heard = TimerStore(js), Heard(2)
        await timers.schedule(ref("absent"), "1.wait", time.time() - 1)
        await timers.schedule(ref("absent"), "2.wait", time.time() - 1)
        async with Consuming(timers, heard.deliver):
            await heard.all()
        assert sorted(timer for _, timer, _ in heard.found) == ["1.wait", "2.wait"]

    play(bus, scene)


def test_who_leaves_hands_over_the_timers_that_it_holds(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(js: JetStream) -> None:
        timers, first, second = TimerStore(js), Heard(1), Heard(1)
        monkeypatch.setattr(
            timers_module, "_TAKE_SECONDS", 2 * PATIENCE
        )  # it is not for having died that it is offered
        monkeypatch.setattr(timers_module, "LEAD", 60.0)
        async with Consuming(timers, first.deliver):
            await timers.schedule(ref("held"), "1.wait", time.time() + 50)
            async with asyncio.timeout(PATIENCE):
                while not await held(js):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        monkeypatch.setattr(timers_module, "LEAD", 0.5)
        async with Consuming(timers, second.deliver):
            await second.all()
        assert first.found == []

    play(bus, scene)


async def held(js: JetStream) -> int:
    """Timers that somebody has and has not acknowledged."""
    return int((await js.api(f"CONSUMER.INFO.{streams.TIMERS}.fired"))["num_ack_pending"])
