"""Histories of runs in JetStream: who wins a race, what comes back, what goes."""

import asyncio
import hashlib
import time
from collections.abc import Callable

import msgspec
import pytest

from services.contracts.names import FunctionRef
from services.workflow.store import runs as runs_module
from services.workflow.store import streams
from services.workflow.store.definitions import DefinitionStore
from services.workflow.store.heads import Head
from services.workflow.store.jetstream import JetStream, Outrun, Refused
from services.workflow.store.runs import EMPTY, RunStore
from tests.support.bus import Bus
from tests.support.stores import HEAD, play, ref, stores, transition


async def written(runs: RunStore, run: FunctionRef, count: int, head: Head = HEAD) -> int:
    """Appends ``count`` transitions to a new run; the last one's sequence."""
    last = 0
    for number in range(count):
        last = await runs.append(run, transition(f"{run.name}-{number}"), head, last)
    return last


def test_a_run_is_read_as_it_was_appended(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        runs, run = RunStore(js), ref("read")
        assert await runs.read(run) is None
        assert await runs.head(run) is None
        first = await runs.append(run, transition("a"), HEAD, 0)
        ended = msgspec.structs.replace(HEAD, status="completed", ended=1_700_000_009.5, parent="up:7")
        last = await runs.append(run, transition("b"), ended, first)
        stored = await runs.read(run)
        assert stored is not None
        assert (stored.history.snapshot, stored.history.messages) == (b"", [transition("a"), transition("b")])
        assert (stored.last, stored.head) == (last, ended)
        assert await runs.head(run) == (ended, last)

    play(bus, scene)


def test_of_two_who_append_at_once_one_wins(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        async with stores(bus) as other_js:
            one, other, run, last = RunStore(js), RunStore(other_js), ref("race"), 0
            for _ in range(200):
                tries = [
                    store.append(run, transition(name), msgspec.structs.replace(HEAD, owner=name), last)
                    for name, store in (("one", one), ("other", other))
                ]
                results = await asyncio.gather(*tries, return_exceptions=True)
                won = [result for result in results if isinstance(result, int)]
                assert [type(result) for result in results if not isinstance(result, int)] == [Outrun]
                assert len(won) == 1
                found = await one.head(run)
                assert found is not None
                assert found[1] == won[0]
                assert found[0].owner == ("one" if isinstance(results[0], int) else "other")
                last = won[0]
            assert len(await one.page(run)) == 200

    play(bus, scene)


def test_an_empty_transition_fences_the_old_owner(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        runs, run = RunStore(js), ref("fence")
        last = await written(runs, run, 3)
        taken = await runs.append(run, EMPTY, msgspec.structs.replace(HEAD, owner="there/9"), last)
        with pytest.raises(Outrun):
            await runs.append(run, transition("late"), HEAD, last)
        found = await runs.head(run)
        assert found is not None
        assert (found[0].owner, found[1]) == ("there/9", taken)

    play(bus, scene)


def test_a_transition_too_large_for_the_bus_is_refused_and_the_connection_stays(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        runs, run = RunStore(js), ref("large")
        with pytest.raises(Refused, match="at most"):
            await runs.append(run, b"x" * (8 * 1024 * 1024), HEAD, 0)
        assert await runs.append(run, b"x" * (7 * 1024 * 1024), HEAD, 0) > 0
        assert js.bus.stats["reconnects"] == 0

    play(bus, scene)


def large(*digests: str) -> bytes:
    return msgspec.json.encode({"records": [{"record": "Large", "sha256": each, "size": 1} for each in digests]})


def test_large_records_come_with_the_history_and_go_with_the_run(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        runs, run = RunStore(js), ref("blobs")
        data = [b"a" * 100_000, b"b" * 3_000_000]
        blobs = {hashlib.sha256(each).hexdigest(): each for each in data}
        for _ in range(2):  # stored twice is stored once
            await runs.put_blobs(run, blobs)
        assert await js.count(streams.BLOBS, streams.blob(run, "*", "*")) == 4
        await runs.append(run, large(*blobs), HEAD, 0)
        stored = await runs.read(run)
        assert stored is not None
        assert stored.history.blobs == blobs
        await runs.purge(run)
        assert await runs.read(run) is None
        assert await runs.blobs(run, list(blobs)) == {}
        assert await js.count(streams.BLOBS, streams.blob(run, "*", "*")) == 0

    play(bus, scene)


@pytest.mark.parametrize("size", [100, 200_000])
def test_a_snapshot_stands_for_what_is_before_it(bus: Bus, size: int) -> None:
    async def scene(js: JetStream) -> None:
        runs, run = RunStore(js), ref(f"snapshot-{size}")
        last = await written(runs, run, 5)
        await runs.snapshot(run, last, b"s" * size)
        stored = await runs.read(run)
        assert stored is not None
        assert (stored.history.snapshot, stored.history.messages, stored.last) == (b"s" * size, [], last)
        then = await runs.append(run, transition("tail"), HEAD, last)
        await runs.snapshot(run, last - 1, b"late and older")  # does not replace a newer one
        stored = await runs.read(run)
        assert stored is not None
        assert (stored.history.snapshot, stored.history.messages) == (b"s" * size, [transition("tail")])
        await runs.snapshot(run, then, b"newer")
        stored = await runs.read(run)
        assert stored is not None
        assert (stored.history.snapshot, stored.history.messages, stored.last) == (b"newer", [], then)
        assert await js.count(streams.BLOBS, streams.blob(run, "*", "*")) == 0
        assert len(await runs.page(run)) == 6  # the history is still all there to look at

    play(bus, scene)


def test_old_transitions_go_once_a_history_is_long(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "HISTORY_LIMIT", 20)

    async def scene(js: JetStream) -> None:
        runs, run = RunStore(js), ref("long")
        last = await written(runs, run, 60)
        await runs.snapshot(run, last, b"state")
        page = await runs.page(run)
        assert len(page) == 20
        assert page[-1].sequence == last
        stored = await runs.read(run)
        assert stored is not None
        assert (stored.history.snapshot, stored.history.messages, stored.last) == (b"state", [], last)
        assert await runs.append(run, transition("next"), HEAD, last) > last

    play(bus, scene)


def test_pages_of_a_history(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        runs, run = RunStore(js), ref("pages")
        await written(runs, run, 25)
        found, start = [], 1
        while page := await runs.page(run, start, 10):
            assert len(page) <= 10
            found += page
            start = page[-1].sequence + 1
        assert [each.message for each in found] == [transition(f"pages-{number}") for number in range(25)]

    play(bus, scene)


def test_a_definition_is_stored_once(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        definitions, digest = DefinitionStore(js), hashlib.sha256(b"document").hexdigest()
        assert await definitions.get(digest) is None
        await definitions.put(digest, b"document")
        await definitions.put(digest, b"document")
        assert await definitions.get(digest) == b"document"
        assert await js.count(streams.STATE, streams.definition(digest)) == 1

    play(bus, scene)


def test_runs_that_ended_long_ago_go(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        runs, now = RunStore(js), 2_000_000_000.0
        ended = {"old": now - 1000, "new": now - 10, "open": None}
        for name, at in ended.items():
            head = msgspec.structs.replace(HEAD, ended=at, status="completed" if at else "running")
            await written(runs, ref(name, "retention"), 2, head)
            await runs.snapshot(ref(name, "retention"), 1, b"x")
        assert await runs.expire(100.0, now) >= 1
        assert {run.name for run, _, _ in await runs.heads("retention")} == {"new", "open"}
        assert await js.last(streams.STATE, streams.snapshot(ref("old", "retention"))) is None
        assert await runs.append(ref("old", "retention"), transition("again"), HEAD, 0) > 0  # the id is free

    play(bus, scene)


def test_what_is_none_of_ours_keeps_no_run_from_being_found(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        runs = RunStore(js)
        await written(runs, ref("ours", "mixed"), 1)
        await js.publish(streams.run(ref("theirs", "mixed")), b"{}")
        assert [run.name for run, _, _ in await runs.heads("mixed")] == ["ours"]

    play(bus, scene)


def test_heads_of_ten_thousand_runs(bus: Bus, record_property: Callable[[str, object], None]) -> None:
    async def scene(js: JetStream) -> None:
        runs = RunStore(js)
        gate = asyncio.Semaphore(200)

        async def write(number: int) -> None:
            async with gate:
                await written(runs, ref(f"r{number}", "many"), 1)

        await asyncio.gather(*(write(number) for number in range(10_000)))
        await runs.append(ref("elsewhere", "few"), EMPTY, HEAD, 0)
        begun = time.perf_counter()
        heads = await runs.heads("many")
        took = (time.perf_counter() - begun) * 1000
        record_property("heads_of_10000_ms", round(took))
        print(f"heads of 10,000 runs: {took:.0f} ms")
        assert {run for run, _, _ in heads} == {ref(f"r{number}", "many") for number in range(10_000)}
        assert all(head == HEAD for _, head, _ in heads)
        assert [run for run, _, _ in await runs.heads("few")] == [ref("elsewhere", "few")]
        assert await runs.heads("none") == []
        assert took < 15_000

    play(bus, scene)


def test_a_thousand_runs_are_read_in_bulk(bus: Bus, record_property: Callable[[str, object], None]) -> None:
    async def scene(js: JetStream) -> None:
        runs = RunStore(js)
        wanted = [ref(f"b{number}", "bulk") for number in range(1000)]
        gate = asyncio.Semaphore(200)

        async def write(run: FunctionRef) -> None:
            async with gate:
                last = await written(runs, run, 6)
                if int(run.name[1:]) % 10 == 0:
                    await runs.snapshot(run, last, f"state of {run}".encode())

        await asyncio.gather(*map(write, wanted))
        begun = time.perf_counter()
        found = await runs.read_many(dict.fromkeys([*wanted, ref("nobody", "bulk")], 0))
        took = (time.perf_counter() - begun) * 1000
        record_property("read_1000_runs_ms", round(took))
        print(f"1,000 histories of 6 transitions: {took:.0f} ms")
        assert set(found) == set(wanted)
        for run, stored in found.items():
            if int(run.name[1:]) % 10 == 0:
                assert stored.history.snapshot == f"state of {run}".encode()
                assert stored.history.messages == []
            else:
                assert stored.history.messages == [transition(f"{run.name}-{number}") for number in range(6)]
        assert took < 10_000

    play(bus, scene)
