"""The stores on three nats-servers: what is acknowledged is there with one of them dead, and read as it was written."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from services.common.natsclient import FastClient
from services.contracts.names import FunctionRef
from services.workflow.store import streams
from services.workflow.store.definitions import DefinitionStore
from services.workflow.store.events import EventStore
from services.workflow.store.heads import Head
from services.workflow.store.jetstream import TIMEOUT, JetStream, Outrun, Unavailable
from services.workflow.store.runs import RunStore
from services.workflow.store.timers import Due, TimerStore
from tests.support.bus import Bus
from tests.support.buscluster import BusCluster, running_buscluster
from tests.support.patience import until
from tests.support.stores import HEAD, play, ref, transition

ROUNDS = int(os.environ.get("FAAS_TEST_ROUNDS", "1"))
"""Deaths of a leader; each takes JetStream some ten seconds to get over."""


def test_three_servers_and_the_death_of_a_leader(tmp_path: Path) -> None:
    with running_buscluster(tmp_path) as cluster:

        async def scene(js: JetStream) -> None:
            await reads_what_it_wrote(js)
            await survives_leaders(js, cluster)

        play(cluster, scene, 100, replicas=3)


async def reads_what_it_wrote(js: JetStream) -> None:
    """Each read follows its write at once, and may be answered by a replica that is behind."""
    runs, definitions, events = RunStore(js), DefinitionStore(js), EventStore(js)
    behind = 0
    for number in range(100):
        run, last = ref(f"r{number}"), 0
        for step in range(3):
            last = await runs.append(run, transition(f"{number}-{step}"), HEAD, last)
        direct = await js.last(streams.runs_of(run), streams.run(run))
        behind += direct is None or direct.sequence < last
        stored = await runs.read(run, last)
        assert stored is not None
        assert (stored.last, len(stored.history.messages)) == (last, 3)
        assert await runs.head(run) == (HEAD, last)
        await definitions.put(f"{number:064}", b"document")
        assert await definitions.get(f"{number:064}") == b"document"
        sequence = await events.put("default", b'{"n":%d}' % number, f"e{number}")
        assert (await events.read("default", sequence - 1, sequence))[0].attributes == {"n": number}
    print(f"{behind} of 100 direct reads were answered by a replica that was behind")
    wanted = {run: last for run, _, last in await scanned(runs)}
    assert len(wanted) == 100
    found = await runs.read_many(wanted)
    assert {run: stored.last for run, stored in found.items()} == wanted


async def scanned(runs: RunStore) -> list[tuple[FunctionRef, Head, int]]:
    """All runs. Asked for again, as the service does, when the servers do not know of the scan's consumer yet."""
    for _ in range(20):
        try:
            return await runs.heads()
        except Unavailable:
            await asyncio.sleep(0.5)
    return await runs.heads()


async def survives_leaders(js: JetStream, cluster: BusCluster) -> None:
    """kill -9 of the server that leads the stream of runs, under appends and with timers set."""
    runs, timers = RunStore(js), TimerStore(js)
    counts, stop = dict.fromkeys(range(4), 0), asyncio.Event()
    fired: list[str] = []

    async def deliver(run: FunctionRef, due: Due) -> bool:
        fired.append(due.timer)
        return True

    async def write(number: int) -> None:
        last = 0
        while not stop.is_set():
            last = await runs.append(ref(f"w{number}"), transition(str(counts[number])), HEAD, last, patience=60)
            counts[number] += 1

    async with asyncio.TaskGroup() as tasks:
        consuming = tasks.create_task(timers.consume(deliver))
        writers = [tasks.create_task(write(number)) for number in counts]
        for round_ in range(ROUNDS):
            for number in range(3):
                await timers.schedule(ref(f"t{round_}"), f"{round_}.{number}", time.time() + 0.6 + number)
            info = await js.api(f"STREAM.INFO.{streams.runs_of(ref('w0'))}")
            leader = cluster.nodes[info["cluster"]["leader"]]
            await asyncio.to_thread(leader.kill)
            before = dict(counts)
            await until(lambda before=before: all(counts[n] >= before[n] + 5 for n in counts))  # type: ignore[misc]
            leader.start()
            await until(lambda round_=round_: len(set(fired)) == 3 * (round_ + 1))  # type: ignore[misc]
        stop.set()
        await asyncio.wait(writers)
        consuming.cancel()
    for number, count in counts.items():
        found = [page.message for page in await runs.page(ref(f"w{number}"), limit=1_000_000)]
        assert found[:count] == [transition(str(index)) for index in range(count)]
        assert len(found) == count


class AgreeingLate(JetStream):
    """As a leader of several servers right after an election: it refuses to store an append a second time while the
    first has yet to be agreed on, and stores it a moment later."""

    def __init__(self, bus: FastClient) -> None:
        super().__init__(bus)
        self.late: asyncio.Task[int] | None = None

    async def publish(
        self, subject: str, body: bytes, headers: dict[str, str] | None = None, timeout: float = TIMEOUT
    ) -> int:
        async def later() -> int:
            await asyncio.sleep(0.3)
            return await super(AgreeingLate, self).publish(subject, body, headers, timeout)

        if self.late is None:
            self.late = asyncio.create_task(later())
        if not self.late.done():
            raise Outrun("wrong last sequence")
        return await super().publish(subject, body, headers, timeout)


@pytest.mark.parametrize("before", [0, 2])
def test_an_append_that_is_under_way_is_not_taken_for_another_s(bus: Bus, before: int) -> None:
    async def scene(js: JetStream) -> None:
        run = ref(f"late-{before}")
        last = 0
        for number in range(before):
            last = await RunStore(js).append(run, transition(str(number)), HEAD, last)
        leader = AgreeingLate(js.bus)
        await leader.open()
        sequence = await RunStore(leader).append(run, transition("mine"), HEAD, last)
        assert leader.late is not None
        assert sequence == await leader.late
        pages = await RunStore(js).page(run)
        assert [page.message for page in pages[before:]] == [transition("mine")]

    play(bus, scene)
