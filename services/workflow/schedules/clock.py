"""Runs that begin by time. The state of a schedule is its timer in the stream: whoever is there when it fires begins
the run and sets the next, and a crash in between does both again with the same outcome."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.contracts.runs import StartRun
from services.workflow.controller.definitions import Accepted, Refused
from services.workflow.schedules.triggers import Trigger, first_time, next_time, run_id, triggers_of
from services.workflow.store.heads import Head
from services.workflow.store.timers import Due, TimerStore

log = logging.getLogger("schedules")

Start = Callable[[FunctionRef, StartRun], Awaitable[object]]
"""Starts a run of a Workflow; the same id again is the same run. Raises FaasError; Unavailable."""
HeadOf = Callable[[FunctionRef], Awaitable[tuple[Head, int] | None]]
"""What is known of a run."""
_MARK = "_"
"""Before a workflow's name where timers of runs have a run's id, which can't begin so."""
_PAUSE = 1.0
NEVER = (Code.WORKFLOW_NOT_FOUND, Code.WORKFLOW_NOT_ACCEPTED, Code.CONFLICT)
"""Codes of a start that will not go better the next time."""
_LOOK = 10.0
"""Seconds at most between two looks whether the run before has ended."""


class Known(Protocol):
    """The definitions that runs start with."""

    async def get(self, namespace: str, name: str, version: str = "") -> Accepted | Refused | None: ...


def is_schedule(ref: FunctionRef) -> bool:
    """Whether a timer is one of a schedule, not of a run."""
    return ref.name.startswith(_MARK)


class Clock:
    """The schedules by time of all workflows. ``run`` it."""

    def __init__(self, timers: TimerStore, definitions: Known, start: Start, head: HeadOf) -> None:
        self._timers, self._definitions, self._start, self._head = timers, definitions, start, head
        self._changed: dict[FunctionRef, None] = {}
        self._woken = asyncio.Event()

    def on_definition(self, workflow: FunctionRef, accepted: Accepted | None) -> None:
        """A Workflow has another definition, or none any more."""
        self._look_at(workflow)

    def _look_at(self, workflow: FunctionRef) -> None:
        self._changed[workflow] = None
        self._woken.set()

    async def run(self) -> None:
        """Sets the timers of schedules that are new or changed, until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            for workflow in list(self._changed):
                del self._changed[workflow]
                try:
                    await self._settle(workflow)
                except Exception as error:  # one workflow's defect must not end the others' schedules
                    log.warning("the schedule of workflow %s is not set yet: %s", workflow, error)
                    self._changed[workflow] = None
            if self._changed:
                await asyncio.sleep(_PAUSE)
                self._woken.set()

    async def _settle(self, workflow: FunctionRef) -> None:
        """Makes the timers in the stream those of the present definition; one that is right is left alone."""
        ref = FunctionRef(workflow.namespace, _MARK + workflow.name)
        wanted = {trigger.kind: trigger for trigger in await self._triggers(workflow)}
        waiting = {}
        for due in await self._timers.waiting(ref):
            if (trigger := wanted.get(due.timer)) is not None and _says(due, trigger):  # type: ignore[call-overload]
                waiting[due.timer] = due
            else:
                await self._timers.remove(ref, due.timer)
        for kind, trigger in wanted.items():
            at = first_time(trigger, time.time())
            if kind not in waiting and at is not None:
                await self._timers.schedule(ref, kind, at, _note(trigger), new=True)

    async def _triggers(self, workflow: FunctionRef) -> list[Trigger]:
        found = await self._definitions.get(workflow.namespace, workflow.name)
        return triggers_of(found.definition) if isinstance(found, Accepted) else []

    async def fired(self, ref: FunctionRef, due: Due) -> bool:
        """A timer of a schedule is due; whether it is done with. Raises FaasError; Unavailable."""
        workflow = FunctionRef(ref.namespace, ref.name.removeprefix(_MARK))
        trigger = next((each for each in await self._triggers(workflow) if _says(due, each)), None)
        if trigger is None:  # the schedule has changed since, or gone; one that changed while it fired has now no timer
            self._look_at(workflow)
            return True
        previous = due.note.partition("|")[2]
        ended = due.at
        if trigger.kind == "after" and previous:
            at = await self._when_after(workflow, trigger, previous)
            if at is not None:
                await self._timers.schedule(ref, trigger.kind, at, due.note)
                return True
        begun = run_id(workflow.name, trigger.kind, due.at)
        try:
            await self._start(workflow, StartRun(id=begun))
        except FaasError as error:
            if error.code not in NEVER:
                raise
            log.warning("the schedule of workflow %s began no run: %s", workflow, error)
        at = next_time(trigger, ended, time.time())
        if at is not None:
            await self._timers.schedule(ref, trigger.kind, at, _note(trigger, begun))
        return True

    async def _when_after(self, workflow: FunctionRef, trigger: Trigger, previous: str) -> float | None:
        """When to look again after the run before; None: it is long enough over."""
        found, now = await self._head(FunctionRef(workflow.namespace, previous)), time.time()
        if found is None:
            return None
        ended = found[0].ended
        if ended is None:
            return now + min(_LOOK, max(1.0, trigger.seconds / 10))
        return ended + trigger.seconds if ended + trigger.seconds > now else None


def _note(trigger: Trigger, previous: str = "") -> str:
    """What a timer says besides its time: the trigger that set it, and the run before."""
    return f"{trigger.kind} {trigger.value}|{previous}"


def _says(due: Due, trigger: Trigger) -> bool:
    return due.note.partition("|")[0] == f"{trigger.kind} {trigger.value}"
