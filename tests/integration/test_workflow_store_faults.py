"""Appends while nats-server dies and comes back: each transition is there once, in order, or its writer knows."""

import asyncio
import itertools
import json
import time
from pathlib import Path

import pytest

from services.workflow.store import streams
from services.workflow.store.jetstream import JetStream, Unavailable
from services.workflow.store.runs import RunStore
from tests.support.bus import Bus, running_bus
from tests.support.patience import eventually, until
from tests.support.stores import HEAD, play, ref, transition


def test_no_append_is_lost_or_doubled_by_kills_of_nats_server(tmp_path: Path) -> None:
    """Whatever was acknowledged is there, and nothing twice: an append whose answer was lost is asked for again."""
    writers, rounds = 8, 5

    with running_bus(tmp_path) as bus:

        async def scene(js: JetStream) -> None:
            runs = RunStore(js)
            stop = asyncio.Event()
            counts = dict.fromkeys(range(writers), 0)

            async def write(number: int) -> None:
                last = 0
                while not stop.is_set():
                    body = transition(f"{number}-{counts[number]}")
                    last = await runs.append(ref(f"w{number}"), body, HEAD, last, patience=30)
                    counts[number] += 1

            async with asyncio.TaskGroup() as tasks:
                for number in range(writers):
                    tasks.create_task(write(number))
                for _ in range(rounds):
                    before = dict(counts)
                    await until(lambda before=before: all(counts[n] >= before[n] + 20 for n in counts))  # type: ignore[misc]
                    await asyncio.to_thread(bus.restart)
                before = dict(counts)
                await until(lambda: all(counts[number] > before[number] for number in counts))
                stop.set()
            for number, count in counts.items():
                found = [page.message for page in await runs.page(ref(f"w{number}"), limit=1_000_000)]
                assert found == [transition(f"{number}-{index}") for index in range(count)]

        play(bus, scene)


def test_an_append_that_was_stored_but_not_answered_is_found_again(tmp_path: Path) -> None:
    """The answer of the first attempt is lost on its way: the second is refused, and recognised as the same."""
    with running_bus(tmp_path) as bus:

        async def scene(js: JetStream) -> None:
            runs = RunStore(js)
            answer, seen = js._on_answer, itertools.count()

            async def lose_the_first(message):  # type: ignore[no-untyped-def]
                if next(seen) > 0:
                    await answer(message)

            subscription = next(iter(js.bus._subs.values()))
            js.bus.deliver_at_once(subscription, lose_the_first)
            begun = time.monotonic()
            last = await runs.append(ref("lost"), transition("a"), HEAD, 0)
            assert time.monotonic() - begun > 0.9
            assert [page.sequence for page in await runs.page(ref("lost"))] == [last]

        play(bus, scene)


def stopped(bus: Bus) -> None:
    """Waits until no thread of a paused nats-server runs any more; nothing but its state tells."""
    threads = list(Path(f"/proc/{bus.process.pid}/task").iterdir())
    eventually(lambda: all(") T " in (each / "stat").read_text() for each in threads), "it is stopped")


def test_a_stopped_nats_server_is_unavailable_and_then_not(tmp_path: Path) -> None:
    with running_bus(tmp_path) as bus:

        async def scene(js: JetStream) -> None:
            runs = RunStore(js)
            first = await runs.append(ref("paused"), transition("a"), HEAD, 0)
            bus.pause()
            await asyncio.to_thread(stopped, bus)
            try:
                with pytest.raises(Unavailable):
                    await runs.append(ref("paused"), transition("b"), HEAD, first, patience=0.5)
            finally:
                bus.resume()
            # what its writer knows nothing about was stored or is stored now, once
            last = await runs.append(ref("paused"), transition("b"), HEAD, first, patience=30)
            assert [page.sequence for page in await runs.page(ref("paused"))] == [first, last]

        play(bus, scene)


def test_a_small_disk_has_room_for_fewer_events(tmp_path: Path) -> None:
    with running_bus(tmp_path) as bus:
        config = tmp_path / "nats.conf"
        text = json.loads(config.read_text())
        text["jetstream"]["max_file_store"] = 300_000_000
        config.write_text(json.dumps(text))
        bus.restart()

        async def scene(js: JetStream) -> None:
            info = await js.api(f"STREAM.INFO.{streams.EVENTS}")
            assert info["config"]["max_bytes"] == 256 * 2**20
            await streams.prepare(js, 1)  # as at the next start

        play(bus, scene)
