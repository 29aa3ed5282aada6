"""Runs that begin by events. Each event is taken by one of the instances; the id of the run that it begins follows
from it, so that one taken twice begins one run."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from services.contracts.errors import FaasError
from services.contracts.names import FunctionRef
from services.contracts.runs import StartRun
from services.workflow.controller.definitions import Accepted
from services.workflow.schedules.clock import NEVER, Start
from services.workflow.schedules.matching import Trigger, Workers, match, trigger_of
from services.workflow.schedules.triggers import event_run_id
from services.workflow.schedules.windows import Windows
from services.workflow.store.events import Event, EventStore
from services.workflow.store.jetstream import Unavailable

log = logging.getLogger("schedules")

_PAUSE = 0.5


class EventSchedules:
    """The schedules by events of all workflows. ``run`` it. ``settled`` returns when all Workflows that there were at
    the start are known: before that no event may pass."""

    def __init__(
        self, store: EventStore, workers: Workers, start: Start, settled: Callable[[], Awaitable[None]]
    ) -> None:
        self._store, self._workers, self._start, self._settled = store, workers, start, settled
        self._windows = Windows(store, workers, start)
        self._triggers: dict[str, dict[FunctionRef, Trigger]] = {}
        self._changed: asyncio.Queue[tuple[FunctionRef, Trigger | None]] = asyncio.Queue()

    def on_definition(self, workflow: FunctionRef, accepted: Accepted | None) -> None:
        """A Workflow has another definition, or none any more."""
        trigger = trigger_of(accepted) if accepted is not None else None
        waiting = self._triggers.setdefault(workflow.namespace, {})
        before = waiting.pop(workflow, None)
        if (trigger and trigger.several) or (before and before.several):
            self._changed.put_nowait((workflow, trigger if trigger and trigger.several else None))
        if trigger is not None:
            waiting[workflow] = trigger
        elif not waiting:
            del self._triggers[workflow.namespace]

    async def run(self) -> None:
        """Takes events until cancelled."""
        await self._settled()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._settle())
            await self._store.consume(self._take)

    async def _settle(self) -> None:
        """Begins to count events for schedules that wait for several, and ends it."""
        while True:
            workflow, trigger = await self._changed.get()
            try:
                await (self._windows.drop(workflow) if trigger is None else self._windows.settle(workflow, trigger))
            except Unavailable as error:
                log.warning("the events for workflow %s are not counted yet: %s", workflow, error)
                await asyncio.sleep(_PAUSE)
                self._changed.put_nowait((workflow, trigger))

    async def _take(self, event: Event) -> bool:
        """Begins the runs that an event begins; whether all have begun."""
        waiting = self._triggers.get(event.namespace, {})
        wanted = [(workflow, trigger) for workflow, trigger in waiting.items() if trigger.may_take(event)]
        begun = await asyncio.gather(*(self._begin(workflow, trigger, event) for workflow, trigger in wanted))
        return all(begun)

    async def _begin(self, workflow: FunctionRef, trigger: Trigger, event: Event) -> bool:
        try:
            if trigger.several:
                await self._windows.advance(workflow, trigger, event)
            elif (given := await match(self._workers, trigger, [event])) is not None:
                asked = StartRun(input=msgspec.Raw(given), id=event_run_id(workflow.name, event.sequence))
                await self._start(workflow, asked)
        except Unavailable as error:
            log.warning("event %d is taken again for workflow %s: %s", event.sequence, workflow, error)
            return False
        except FaasError as error:
            log.warning("event %d begins no run of workflow %s: %s", event.sequence, workflow, error)
            return error.code in NEVER
        return True
