"""Timers of runs in one process, on the event loop that the service runs on."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import uvloop

from services.contracts.names import FunctionRef
from services.workflow.driver.run import Run
from services.workflow.driver.timers import NEAR, Timers
from services.workflow.store.heads import Head
from services.workflow.worker.protocol import Wanted

SOON = 0.05
LATER = NEAR / 2
HEAD = Head("a/1", "running", "flow", "1.0.0", "d", 0.0)


class Stream:
    """Timers in JetStream: what was asked of them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def schedule(self, ref: FunctionRef, timer: str, at: float) -> None:
        self.asked.append(("schedule", timer))

    async def drop(self, ref: FunctionRef, timer: str, at: float) -> None:
        self.asked.append(("drop", timer))
        assert at - time.time() > 0  # the store computes with it

    async def drop_all(self, ref: FunctionRef) -> None:
        self.asked.append(("drop all", ""))


async def once(step: Callable[[], Awaitable[object]]) -> None:
    await step()


def play(scene: Callable[[Timers, Run], None], seconds: float) -> tuple[list[Wanted], list[tuple[str, str]]]:
    """What ``scene`` makes fire within ``seconds``, and what it asks of the stream."""
    fired: list[Wanted] = []
    stream = Stream()

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            timers = Timers(stream, lambda run, wanted: fired.append(wanted), once, tasks)
            scene(timers, Run(FunctionRef("default", "r"), HEAD, 1))
            await asyncio.sleep(seconds)

    uvloop.run(main())
    return fired, stream.asked


def test_a_near_timer_fires() -> None:
    fired, asked = play(lambda timers, run: timers.set(run, "1.wait", time.time() + SOON), SOON * 4)
    assert len(fired) == 1
    assert asked == []


def test_a_near_timer_that_is_dropped_does_not_fire_and_was_never_in_the_stream() -> None:
    def scene(timers: Timers, run: Run) -> None:
        timers.set(run, "1.wait", time.time() + SOON)
        timers.drop(run, "1.wait", replaced=False)

    assert play(scene, SOON * 4) == ([], [])


def test_a_near_timer_that_is_set_anew_does_not_fire_at_its_old_time() -> None:
    def scene(timers: Timers, run: Run) -> None:
        timers.set(run, "1.wait", time.time() + SOON)
        timers.drop(run, "1.wait", replaced=True)
        timers.set(run, "1.wait", time.time() + LATER)

    assert play(scene, SOON * 4) == ([], [])
    assert len(play(scene, LATER * 1.5)[0]) == 1


def test_a_far_timer_that_is_dropped_is_taken_out_of_the_stream() -> None:
    def scene(timers: Timers, run: Run) -> None:
        timers.set(run, "1.wait", time.time() + 3600)
        timers.drop(run, "1.wait", replaced=False)

    assert play(scene, 0)[1] == [("schedule", "1.wait"), ("drop", "1.wait")]


def test_a_run_that_is_let_go_of_keeps_no_timer() -> None:
    def scene(timers: Timers, run: Run) -> None:
        timers.set(run, "1.wait", time.time() + SOON)
        held = run.timers["1.wait"]
        run.release()
        assert not isinstance(held, float)
        assert held.cancelled()

    play(scene, 0)
