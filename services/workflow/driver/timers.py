"""Timers of runs: the near ones in this process, the others in the stream, where they outlive it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from services.contracts.names import FunctionRef
from services.workflow.driver.run import Run
from services.workflow.engine.stimuli import TimerFired
from services.workflow.store.jetstream import Unavailable
from services.workflow.worker.protocol import Wanted

NEAR = 1.0
"""Seconds up to which a timer is kept in the process; a recovered run is armed anew."""


_AT_ONCE = 256
"""Timers on their way into the stream; a service that has taken thousands of runs sets as many."""


class TimerStream(Protocol):
    """Timers in JetStream."""

    async def schedule(self, ref: FunctionRef, timer: str, at: float) -> None: ...

    async def drop(self, ref: FunctionRef, timer: str, at: float) -> None: ...

    async def drop_all(self, ref: FunctionRef) -> None: ...


class Timers:
    """``put`` hands a stimulus to a run; ``until_done`` does something until the store has taken it."""

    def __init__(
        self,
        stream: TimerStream,
        put: Callable[[Run, Wanted], None],
        until_done: Callable[[Callable[[], Awaitable[object]]], Coroutine[Any, Any, None]],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._stream, self._put, self._until_done, self._tasks = stream, put, until_done, tasks
        self._places = asyncio.Semaphore(_AT_ONCE)

    def set(self, run: Run, timer: str, at: float) -> None:
        """TimerFired at ``at`` (epoch seconds)."""
        delay = at - time.time()
        if delay <= NEAR:
            loop = asyncio.get_running_loop()
            run.timers[timer] = loop.call_later(max(0.0, delay), self._fire, run, timer)
        else:
            run.timers[timer] = at
            self._tasks.create_task(self._schedule(run.ref, timer, at))

    async def _schedule(self, ref: FunctionRef, timer: str, at: float) -> None:
        async with self._places:
            await self._until_done(lambda: self._stream.schedule(ref, timer, at))

    def _fire(self, run: Run, timer: str) -> None:
        if run.timers.pop(timer, None) is not None:
            self._put(run, TimerFired(timer=timer))

    def drop(self, run: Run, timer: str, replaced: bool) -> None:
        """It is not wanted any more. One in the stream that fires nevertheless does nothing. ``replaced``: it is about
        to be set again, and what is in the stream makes way by itself: removing it might come too late."""
        found = run.timers.pop(timer, None)
        if found is None:
            return
        if not isinstance(found, float):  # the event loop's own handle, of a class that is uvloop's or asyncio's
            found.cancel()
        elif not replaced:
            self._tasks.create_task(self._drop(self._stream.drop(run.ref, timer, found)))

    def ended(self, run: Run) -> None:
        """The run is over: none of its timers is wanted, unless it is retried, which sets them again by name."""
        if run.status != "faulted" and any(isinstance(timer, float) for timer in run.timers.values()):
            self._tasks.create_task(self._drop(self._stream.drop_all(run.ref)))

    async def _drop(self, dropping: Awaitable[None]) -> None:
        try:
            await dropping
        except Unavailable:
            return  # it fires and finds nobody who wants it
