"""Runs that begin by events. Each event is taken by one of the instances; the id of the run that it begins follows
from it, so that one taken twice begins one run."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.contracts.runs import StartRun
from services.workflow.controller.definitions import Accepted
from services.workflow.schedules.clock import Start
from services.workflow.schedules.matching import Trigger, Workers, match, trigger_of
from services.workflow.schedules.triggers import event_run_id
from services.workflow.store.events import Event, EventStore
from services.workflow.store.jetstream import Unavailable

log = logging.getLogger("schedules")

_NEVER = (Code.WORKFLOW_NOT_FOUND, Code.WORKFLOW_NOT_ACCEPTED, Code.CONFLICT)
"""Codes of a start that will not go better the next time."""


class EventSchedules:
    """The schedules by events of all workflows. ``run`` it. ``settled`` returns when all Workflows that there were at
    the start are known: before that no event may pass."""

    def __init__(
        self, store: EventStore, workers: Workers, start: Start, settled: Callable[[], Awaitable[None]]
    ) -> None:
        self._store, self._workers, self._start, self._settled = store, workers, start, settled
        self._triggers: dict[str, dict[FunctionRef, Trigger]] = {}

    def on_definition(self, workflow: FunctionRef, accepted: Accepted | None) -> None:
        """A Workflow has another definition, or none any more."""
        trigger = trigger_of(accepted) if accepted is not None else None
        waiting = self._triggers.setdefault(workflow.namespace, {})
        waiting.pop(workflow, None)
        if trigger is not None:
            waiting[workflow] = trigger
        elif not waiting:
            del self._triggers[workflow.namespace]

    async def run(self) -> None:
        """Takes events until cancelled."""
        await self._settled()
        await self._store.consume(self._take)

    async def _take(self, event: Event) -> bool:
        """Begins the runs that an event begins; whether all have begun."""
        waiting = self._triggers.get(event.namespace, {})
        wanted = [(workflow, trigger) for workflow, trigger in waiting.items() if trigger.may_take(event)]
        begun = await asyncio.gather(*(self._begin(workflow, trigger, event) for workflow, trigger in wanted))
        return all(begun)

    async def _begin(self, workflow: FunctionRef, trigger: Trigger, event: Event) -> bool:
        given = await match(self._workers, trigger, event)
        if given is None:
            return True
        try:
            asked = StartRun(input=msgspec.Raw(given), id=event_run_id(workflow.name, event.sequence))
            await self._start(workflow, asked)
        except Unavailable as error:
            log.warning("event %d is taken again for workflow %s: %s", event.sequence, workflow, error)
            return False
        except FaasError as error:
            log.warning("event %d begins no run of workflow %s: %s", event.sequence, workflow, error)
            return error.code in _NEVER
        return True
