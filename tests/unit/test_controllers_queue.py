"""The work queue, on the real event loop."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from cli.local.controllers.queue import WorkQueue
from services.common.kube import ApiError


def run_queue(handle: Callable[[str], Awaitable[None]], drive: Callable[[WorkQueue[str]], Awaitable[None]]) -> None:
    async def main() -> None:
        queue = WorkQueue("test", handle, 4)
        running = asyncio.ensure_future(queue.run())
        async with asyncio.timeout(5):
            await drive(queue)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    asyncio.run(main())


def test_a_key_is_handled_by_one_worker_at_a_time_and_again_when_added_meanwhile() -> None:
    active, most, count = 0, 0, 0
    go, second = asyncio.Event(), asyncio.Event()

    async def handle(key: str) -> None:
        nonlocal active, most, count
        active, count = active + 1, count + 1
        most = max(most, active)
        await go.wait()
        active -= 1
        if count == 2:
            second.set()

    async def drive(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for _ in range(3):
            queue.add("a")
        go.set()
        await second.wait()

    run_queue(handle, drive)
    assert (most, count) == (1, 2)


def test_a_failed_key_is_tried_again() -> None:
    tries = 0
    done = asyncio.Event()

    async def handle(key: str) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ApiError(409, "Conflict", "again")
        done.set()

    async def drive(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await done.wait()

    run_queue(handle, drive)
    assert tries == 3
