"""Where handlers run: `def` on a pool of threads, `async def` and ASGI as tasks on the loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from queue import SimpleQueue

from faas_runtime.call import Call

Finish = Callable[[Call, bytes], None]


class ThreadRunner:
    """Runs `def` handlers on up to ``size`` threads, with a hand-off that costs one wake-up a batch, not one a call.

    The calls read in one turn of the loop are put on the queue together, so the first thread that wakes takes them
    without giving up the GIL in between; finished ones are collected the same way, with one wake-up of the loop. A
    handler that blocks holds only its own thread: there are as many threads as calls that may run at once.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, run: Callable[[Call], bytes], finish: Finish, size: int
    ) -> None:
        self._loop = loop
        self._run = run
        self._finish = finish
        self._size = size
        self._threads = 0
        self._outstanding = 0
        self._arrived: list[Call] = []
        self._queue: SimpleQueue[Call] = SimpleQueue()
        self._done: deque[tuple[Call, bytes]] = deque()
        self._told = False  # the loop has been woken and has not looked yet

    def start(self, call: Call) -> None:
        """Hand a call over at the end of this turn of the loop."""
        self._outstanding += 1
        if not self._arrived:
            self._loop.call_soon(self._hand_over)
        self._arrived.append(call)

    def _hand_over(self) -> None:
        put = self._queue.put
        for call in self._arrived:
            put(call)
        self._arrived.clear()
        while self._threads < min(self._outstanding, self._size):
            self._threads += 1
            threading.Thread(target=self._work, name=f"faas-{self._threads}", daemon=True).start()

    def _work(self) -> None:
        take, run, done, wake = self._queue.get, self._run, self._done, self._loop.call_soon_threadsafe
        while True:
            call = take()
            done.append((call, run(call)))
            # The loop clears the flag before it looks, so a result appended before this check is never missed.
            if not self._told:
                self._told = True
                wake(self._collect)

    def _collect(self) -> None:
        self._told = False
        done, finish = self._done, self._finish
        while done:
            call, answer = done.popleft()
            self._outstanding -= 1
            finish(call, answer)


class TaskRunner:
    """Runs a coroutine function per call as a task of the loop; the call can be cancelled."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, run: Callable[[Call], Awaitable[bytes]], finish: Finish
    ) -> None:
        self._loop = loop
        self._run = run
        self._finish = finish

    def start(self, call: Call) -> None:
        """Start the call's task; the dispatcher owns it through ``call.cancel`` and hears of its end by `finish`."""
        task = self._loop.create_task(self._serve(call))
        call.cancel = task.cancel

    async def _serve(self, call: Call) -> None:
        answer = b""
        try:
            answer = await self._run(call)
        finally:  # also when it is cancelled before its first step
            self._finish(call, answer)
