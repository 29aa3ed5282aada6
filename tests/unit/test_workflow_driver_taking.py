"""A run is taken by one at a time, though a scan and a stimulus may find it ownerless at the same moment."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from services.contracts.names import FunctionRef
from services.workflow.driver.routing import Routing
from services.workflow.driver.run import Run
from services.workflow.driver.runs import Moved, Runs
from services.workflow.engine.stimuli import Retry
from services.workflow.store.heads import Head
from services.workflow.worker.protocol import Begin

REF = FunctionRef("default", "run1")
HEAD = Head(owner="a/1", status="running", workflow="w", version="1.0.0", definition="", started=0.0)
NOTHING = cast(Any, None)
"""No store, no workers, no bus: whoever comes second needs none."""


def play(scene: Callable[[Runs, asyncio.TaskGroup], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            await scene(Runs(NOTHING, tasks), tasks)

    asyncio.run(main())


def test_who_comes_second_gets_the_run_of_the_first() -> None:
    async def scene(runs: Runs, tasks: asyncio.TaskGroup) -> None:
        routing = Routing(runs, NOTHING, NOTHING, NOTHING)
        assert runs.claims.claim(REF)
        assert not runs.claims.claim(REF)
        second = tasks.create_task(routing.take(REF, HEAD, 1))
        await asyncio.sleep(0)
        assert not second.done()
        runs.open[REF] = run = Run(REF, HEAD, 2)
        runs.claims.unclaim(REF)
        assert await second is run
        assert not runs.claims.claim(REF), "it is driven here"

    play(scene)


def test_a_run_that_is_being_taken_is_not_begun_or_retried_meanwhile() -> None:
    """A worker would hold the state of another run of that id, and the one who took it would go on from there."""

    async def scene(runs: Runs, tasks: asyncio.TaskGroup) -> None:
        assert runs.claims.claim(REF)
        with pytest.raises(Moved):
            await runs.begin(REF, HEAD, Begin("run1", "seed"))
        with pytest.raises(Moved):
            await runs.reopen(REF, HEAD, 1, Retry())
        assert not runs.open

    play(scene)
