"""Workflow services that are restarted in order, one after the other, under runs: nobody notices."""

import asyncio
from pathlib import Path

import pytest

from tests.support.campaign import Stage, load, stage, verify
from tests.support.patience import until

ROUNDS = 2


@pytest.mark.timeout(300)  # it takes 30 s, and 140 where twenty others want the processor
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
        counts = {name: {len(moments) for moments in on.effects(name).values()} for name in ("once", "again")}
        logs = "".join(service.log.read_text() for service in on.services)
    assert '"level":"error"' not in logs
    assert "Warning" not in logs, "a coroutine was dropped"
    assert counts == {"once": {1}, "again": {1}}, "a call was made again"
