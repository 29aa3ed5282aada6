"""Runs that begin by several events (``all``, or ``any`` with ``until``). What was consumed so far is not kept: the
events since the last run began are read again from their stream, and a cursor says where that was. So whoever looks
comes to the same end, and a crash leaves nothing half done."""

import asyncio
import logging

import msgspec

from services.contracts.names import FunctionRef
from services.contracts.runs import StartRun
from services.workflow.schedules.clock import Start
from services.workflow.schedules.matching import Trigger, Workers, match
from services.workflow.schedules.triggers import event_run_id
from services.workflow.store.events import Cursor, Event, EventStore

log = logging.getLogger("schedules")

MOST = 1000
"""Events of the types that are waited for that may come before a run begins; then the oldest are left out."""


class Windows:
    """The schedules of all workflows that wait for several events."""

    def __init__(self, store: EventStore, workers: Workers, start: Start) -> None:
        self._store, self._workers, self._start = store, workers, start
        self._locks: dict[FunctionRef, asyncio.Lock] = {}

    async def settle(self, workflow: FunctionRef, trigger: Trigger) -> None:
        """Counts events from now on, unless it does already. Raises Unavailable."""
        cursor = await self._store.cursor(workflow)
        if cursor is None or cursor.trigger != trigger.digest:
            await self._begin_anew(workflow, trigger, cursor, await self._store.end())

    async def _begin_anew(self, workflow: FunctionRef, trigger: Trigger, before: Cursor | None, after: int) -> None:
        # somebody else may have done so meanwhile: then theirs counts
        await self._store.move(workflow, Cursor(trigger.digest, after, before.written if before is not None else 0))

    async def drop(self, workflow: FunctionRef) -> None:
        """The workflow is gone, or waits for no events any more. Raises Unavailable."""
        self._locks.pop(workflow, None)
        await self._store.forget(workflow)

    async def advance(self, workflow: FunctionRef, trigger: Trigger, event: Event) -> None:
        """Begins the runs that the events up to now begin. Raises FaasError; Unavailable."""
        async with self._locks.setdefault(workflow, asyncio.Lock()):
            while True:
                cursor = await self._store.cursor(workflow)
                if cursor is None or cursor.trigger != trigger.digest:
                    await self._begin_anew(workflow, trigger, cursor, event.sequence - 1)
                    continue
                if event.sequence <= cursor.after:
                    return
                moved = await self._advance(workflow, trigger, cursor, event.sequence)
                if moved is None:
                    return
                await self._store.move(workflow, moved)  # when another was first, what it wrote is read next

    async def _advance(self, workflow: FunctionRef, trigger: Trigger, cursor: Cursor, last: int) -> Cursor | None:
        """Begins the next run; how far its events were. None: there are not enough of them yet."""
        stored = await self._store.read(workflow.namespace, cursor.after, last)
        events = [event for event in stored if trigger.may_take(event)]
        if len(events) > MOST:
            log.warning("workflow %s waits for several events: more than %d came before", workflow, MOST)
            events = events[-MOST:]
        given = await match(self._workers, trigger, events)
        if given is None:
            return None
        enough = events[await self._enough(trigger, events) - 1].sequence
        await self._start(workflow, StartRun(input=msgspec.Raw(given), id=event_run_id(workflow.name, enough)))
        return Cursor(cursor.trigger, enough, cursor.written)

    async def _enough(self, trigger: Trigger, events: list[Event]) -> int:
        """How many of ``events``, which begin a run together, are enough for it. Most often all of them: the last one
        is why somebody looks."""
        low, high = 1, len(events)
        middle = high - 1
        while low < high:
            if await match(self._workers, trigger, events[:middle]) is not None:
                high = middle
            else:
                low = middle + 1
            middle = (low + high) // 2
        return high
