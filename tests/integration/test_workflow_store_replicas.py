"""The stores on three nats-servers: what is acknowledged is there with one of them dead, and read as it was written."""

import asyncio
import os
import time
from pathlib import Path

from services.contracts.names import FunctionRef
from services.workflow.store import streams
from services.workflow.store.definitions import DefinitionStore
from services.workflow.store.events import EventStore
from services.workflow.store.jetstream import JetStream
from services.workflow.store.runs import RunStore
from services.workflow.store.timers import Due, TimerStore
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
    wanted = {run: last for run, _, last in await runs.heads()}
    assert len(wanted) == 100
    found = await runs.read_many(wanted)
    assert {run: stored.last for run, stored in found.items()} == wanted


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
