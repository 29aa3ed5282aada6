"""A run is taken by one at a time, though a scan and a stimulus may find it ownerless at the same moment."""

import asyncio
from typing import Any, cast

from services.contracts.names import FunctionRef
from services.workflow.driver.routing import Routing
from services.workflow.driver.run import Run
from services.workflow.driver.runs import Runs
from services.workflow.store.heads import Head

REF = FunctionRef("default", "run1")
HEAD = Head(owner="a/1", status="running", workflow="w", version="1.0.0", definition="", started=0.0)


def test_who_comes_second_gets_the_run_of_the_first() -> None:
    async def scene() -> None:
        async with asyncio.TaskGroup() as tasks:
            nothing = cast(Any, None)  # no store, no bus: whoever comes second needs none
            runs = Runs(nothing, tasks)
            routing = Routing(runs, nothing, nothing, nothing)
            assert routing.claim(REF)
            assert not routing.claim(REF)
            second = tasks.create_task(routing.take(REF, HEAD, 1))
            await asyncio.sleep(0)
            assert not second.done()
            runs.open[REF] = run = Run(REF, HEAD, 2)
            routing.unclaim(REF)
            assert await second is run
            assert not routing.claim(REF), "it is driven here"

    asyncio.run(scene())
