"""Workflow services that are restarted in order, one after the other, under runs: nobody notices."""

import asyncio
from pathlib import Path

from tests.support.campaign import Stage, load, stage, verify
from tests.support.router import until

ROUNDS = 2


def test_a_rolling_restart_repeats_nothing_and_loses_no_outcome(tmp_path: Path) -> None:
    async def scene(on: Stage) -> None:
        async with load(on, lanes=6) as runs:
            await until(lambda: len(runs.ended) >= 3, 40, "no run ended before the first restart")
            for _ in range(ROUNDS):
                for service in on.services:
                    assert await asyncio.to_thread(service.stop) == 0
                    service.start()
                    await until(service.ready, 40, "the service is not ready again")
            runs.on = False
            await until(lambda: len(runs.ended) == runs.started, 60, "runs are stuck")
            await verify(on, runs)
        assert runs.caught == 0, "an outcome was lost"

    with stage(tmp_path) as on:
        asyncio.run(scene(on))
        once, again = ([len(moments) for moments in on.effects(name).values()] for name in ("once", "again"))
    assert set(once) == {1}, "a call was made again"
    # an idempotent one may be: where the machine is so slow that a router or a stop seems to take for ever
    assert sum(count > 1 for count in again) <= len(again) / 10, "calls were made again as a rule"
