"""Runs stepped by real worker processes: what they remember, what is asked again, how large they may be."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from services.workflow.engine import stimuli as s
from services.workflow.worker import protocol as p
from services.workflow.worker.pool import Limits, Pool
from services.workflow.worker.transition import LARGE
from tests.support.patience import until
from tests.support.workers import Driven, evaluates
from tests.support.workflows import definition

Story = Callable[[Pool], Awaitable[None]]


def tell(story: Story, size: int = 1, **limits: Any) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), Pool(size, Limits(**limits)) as pool:
            await story(pool)

    asyncio.run(main())


CALLS = definition(*[{f"t{number}": {"call": "add", "with": {"n": "${ .n + 1 }"}}} for number in range(3)])


async def kill(pid: int) -> None:
    """Kills a process and waits for its end."""
    loop, ended, descriptor = asyncio.get_running_loop(), asyncio.Event(), os.pidfd_open(pid)
    loop.add_reader(descriptor, ended.set)
    os.kill(pid, signal.SIGKILL)
    await ended.wait()
    loop.remove_reader(descriptor)
    os.close(descriptor)


def alive(pid: int) -> bool:
    """Whether a process has the pid."""
    return Path(f"/proc/{pid}").exists()


def test_a_run_goes_through_its_calls() -> None:
    async def story(pool: Pool) -> None:
        run = Driven(pool, CALLS)
        await run.begin({"n": 1})
        assert await run.finish() == {"n": 4}
        assert (run.status, run.missing) == ("completed", 1), "only the document was asked for"
        assert len(run.store.messages[run.run]) == 4, "an outcome and the next beginning are one transition"
        again = Driven(pool, CALLS, "default/r2")
        await again.begin({"n": 5})
        assert (await again.finish(), again.missing) == ({"n": 8}, 0)

    tell(story, size=2)


def test_what_a_worker_no_longer_has_it_asks_for() -> None:
    async def story(pool: Pool) -> None:
        runs = [Driven(pool, CALLS, f"default/r{number}") for number in range(6)]
        for run in runs:
            await run.begin({"n": 0})
        for run in runs:
            assert await run.finish() == {"n": 3}
        assert sum(run.missing for run in runs) >= 5

    tell(story, runs=2)


def test_a_forgotten_run_is_read_again_and_a_lost_transition_is_not_in_it() -> None:
    async def story(pool: Pool) -> None:
        run = Driven(pool, CALLS)
        await run.begin({"n": 1})
        call = run.calls()[0]
        lost = await run.step(p.Answered(task=call.task, output=b'{"n":100}'))
        assert lost.message
        pool.forget(run.run)
        await run.give(p.Answered(task=call.task, output=call.body))
        assert await run.finish() == {"n": 4}

    tell(story)


def test_a_cancelled_step_is_forgotten() -> None:
    async def story(pool: Pool) -> None:
        run = Driven(pool, CALLS)
        await run.begin({"n": 1})
        call = run.calls()[0]
        step = asyncio.create_task(run.step(p.Answered(task=call.task, output=b'{"n":100}')))
        await asyncio.sleep(0)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        await run.give(p.Answered(task=call.task, output=call.body))
        assert await run.finish() == {"n": 4}

    tell(story)


def test_a_killed_worker_is_replaced_and_its_runs_go_on() -> None:
    async def story(pool: Pool) -> None:
        runs = [Driven(pool, CALLS, f"default/r{number}") for number in range(20)]
        await asyncio.gather(*(run.begin({"n": 0}) for run in runs))

        async def assassin() -> None:
            for _ in range(3):
                killed = pool.pids
                for pid in killed:
                    await kill(pid)
                await until(lambda old=killed: len(set(pool.pids) - set(old)) == 2)  # type: ignore[misc]

        killing = asyncio.create_task(assassin())
        assert await asyncio.gather(*(run.finish() for run in runs)) == [{"n": 3}] * 20
        await killing
        late = Driven(pool, CALLS, "default/late")
        await late.begin({"n": 0})
        assert await late.finish() == {"n": 3}

    tell(story, size=2)


def test_workers_that_are_killed_while_they_start_cost_no_run_anything() -> None:
    async def story(pool: Pool) -> None:
        run = Driven(pool, CALLS)
        begun = asyncio.create_task(run.begin({"n": 0}))
        killed: set[int] = set()
        for _ in range(7):
            await until(lambda: set(pool.pids) - killed, why="there is no other worker")
            killed.update(pool.pids)
            await kill(pool.pids[0])
        await begun
        assert await run.finish() == {"n": 3}

    tell(story)


def test_a_worker_killed_in_the_middle_of_a_step_blames_no_expression() -> None:
    slow = definition({"count": {"set": "${ {sum: (reduce range(1000000) as $i (0; . + $i))} }"}})

    async def story(pool: Pool) -> None:
        run = Driven(pool, slow)
        await run.step(p.Begin(id="r1", seed="s"))
        pool.forget(run.run)
        running = asyncio.create_task(run.begin())
        await until(lambda: evaluates(pool))
        await kill(pool.pids[0])
        await running
        assert (run.status, json.loads(run.output)) == ("completed", {"sum": 499999500000})

    tell(story, time=20.0)


def test_the_live_state_is_that_of_the_history_with_and_without_its_snapshot() -> None:
    loop = definition(
        {"turn": {"for": {"in": "[range(300)]", "at": "i"}, "do": [{"note": {"call": "f", "with": {"i": "${ $i }"}}}]}}
    )

    async def story(pool: Pool) -> None:
        run = Driven(pool, loop)
        await run.begin({"padding": "x" * 20})
        for _ in range(290):
            call = run.calls()[0]
            await run.give(p.Answered(task=call.task, output=json.dumps({"was": json.loads(call.body)}).encode()))
        assert run.run in run.store.snapshots
        look = p.Look(run.run, run.digest)
        live = await pool.look(look)
        assert isinstance(live, p.Looked)
        assert [waiting.kind for waiting in live.waiting] == ["call"]
        for whole in (True, False):
            read = p.Look(run.run, run.digest, history=run.store.read(run.run, whole), document=run.document)
            assert await pool.look(read) == live
            pool.forget(run.run)
        await run.finish()
        assert run.missing == 2, "the document, and the history after the states were forgotten"
        assert run.status == "completed"

    tell(story)


def test_large_records_go_out_and_come_in() -> None:
    async def story(pool: Pool) -> None:
        run = Driven(pool, definition({"a": {"call": "f"}}, {"b": {"set": "${ {size: (.text | length)} }"}}))
        await run.begin({"text": "é" * LARGE})
        assert max(map(len, run.store.messages[run.run])) < 2000
        assert len(run.store.blobs) == 1, "the input; the first context and the body of the call are the same"
        pool.forget(run.run)
        assert await run.finish(lambda call: json.dumps({"text": json.loads(call.body)["text"] * 2}).encode()) == {
            "size": 2 * LARGE
        }
        assert len(run.store.blobs) == 2

    tell(story)


def test_secrets_are_in_calls_alone() -> None:
    document = definition(
        {"a": {"call": "f", "with": {"key": "${ $secrets.api.key }"}, "input": {"from": "{ k: $secrets.api.key }"}}},
        {"b": {"call": "http", "with": {"method": "get", "endpoint": "https://x.example/a"}}},
        use={"secrets": ["api"]},
    )
    document["do"][1]["b"]["with"]["headers"] = {"Authorization": "${ $secrets.api.key }"}

    async def story(pool: Pool) -> None:
        run = Driven(pool, document, secrets={"api": {"key": "hush-hush"}})
        first = await run.begin({"n": 1, "padding": "x" * 2 * LARGE})
        assert first.snapshot, "so much that there is one"
        assert json.loads(run.calls()[0].body) == {"key": "hush-hush"}
        second = await run.give(p.Answered(task=1, output=b"1"))
        outside = [command for command in second.commands if isinstance(command, p.CallOutside)]
        assert b"hush-hush" in outside[0].arguments
        third = await run.give(s.CallEnded(task=2, error={"type": "https://x.example/e", "status": 500}))
        for stepped in (first, second, third):
            kept = [stepped.message, stepped.snapshot, *stepped.blobs.values(), stepped.output, stepped.error]
            events = [command.event for command in stepped.commands if isinstance(command, p.PublishEvent)]
            assert events
            assert not any(b"hush-hush" in data for data in [*kept, *events])
        looked = await pool.look(p.Look(run.run, run.digest))
        assert "hush-hush" not in repr(looked)

    tell(story)


def test_numbers_beyond_64_bits_arrive() -> None:
    async def story(pool: Pool) -> None:
        run = Driven(pool, definition({"a": {"listen": {"to": {"one": {"with": {"type": "t"}}}}}}))
        await run.begin(10**25)
        await run.give(s.EventArrived(task=1, event={"type": "t", "data": 10**30}))
        assert json.loads(run.output) == [1e30]

    tell(story)


def test_several_stimuli_make_one_transition() -> None:
    fork = definition({"f": {"fork": {"branches": [{f"b{number}": {"call": "f"}} for number in range(3)]}}})

    async def story(pool: Pool) -> None:
        run = Driven(pool, fork)
        await run.begin(7)
        calls = run.calls()
        await run.give(*(p.Answered(task=call.task, output=str(call.task).encode()) for call in calls))
        assert json.loads(run.output) == [call.task for call in calls]
        assert len(run.store.messages[run.run]) == 2

    tell(story)


def test_a_defect_or_a_history_that_cannot_be_read_fails_alone() -> None:
    async def story(pool: Pool) -> None:
        run = Driven(pool, CALLS)
        await run.begin({"n": 1})
        bad = p.Step(run.run, run.digest, [s.Continue()], 1.0, p.History(b"", [b'{"records":[{}]}'], {}), run.document)
        failed = await pool.step(bad)
        assert isinstance(failed, p.Failed)
        assert "default/r1" in failed.message
        start = b'{"record":"RunStarted","at":1,"id":"r1","seed":"s","input":null}'
        nonsense = [b'{"records":[' + start + b',{"record":"TaskEnded","at":1,"frame":5}]}']
        failed = await pool.step(p.Step(run.run, run.digest, [s.Continue()], 1.0, p.History(b"", nonsense, {})))
        assert isinstance(failed, p.Failed)
        assert "KeyError at " in failed.message
        assert await run.finish() == {"n": 4}

    tell(story)


def test_a_time_that_goes_back_does_not() -> None:
    async def story(pool: Pool) -> None:
        run = Driven(pool, CALLS)
        await run.begin({"n": 1})
        run.now -= 500.0
        await run.finish()
        times = [record.at for record in run.store.records(run.run)]
        assert times == sorted(times)

    tell(story)


def test_what_is_asked_when_the_pool_closes_fails() -> None:
    async def main() -> None:
        run: Driven
        async with asyncio.timeout(30):
            async with Pool(1, Limits(time=20.0)) as pool:
                run = Driven(pool, definition({"a": {"set": "${ reduce range(100000000) as $i (0; . + $i) }"}}))
                waiting = asyncio.create_task(
                    pool.step(p.Step(run.run, run.digest, [p.Begin("r1", "s")], 1.0, document=run.document, new=True))
                )
                await until(lambda: evaluates(pool))
                pids = pool.pids
            assert isinstance(await waiting, p.Failed)
            assert not any(map(alive, pids))

    asyncio.run(main())
