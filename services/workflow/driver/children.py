"""Runs that are started by a task of another run, and how their end gets back to it.

A child's id follows from the key of the command, so that a repeated start is the same run; who waits for it stands in
the headers of all its transitions. Its end is told by whoever stored it, and asked for by a parent that is recovered;
a parent that hears it twice takes it once.
"""

import asyncio
import logging
from typing import Any

import msgspec

from services.contracts.errors import FaasError
from services.contracts.names import FunctionRef, InvalidName, check_label
from services.contracts.runs import StartRun
from services.workflow.driver.keys import Parent, child_id, parse_parent
from services.workflow.driver.outcomes import of_faas_error
from services.workflow.driver.routing import Elsewhere, Over, Routing
from services.workflow.driver.run import Run
from services.workflow.driver.starter import Starter
from services.workflow.driver.transitions import Broken, Transitions
from services.workflow.engine.errors import standard
from services.workflow.engine.stimuli import CallEnded, Cancel
from services.workflow.store.heads import Head
from services.workflow.store.jetstream import Unavailable
from services.workflow.worker.protocol import Answered, StartChild, Stepped, Wanted

log = logging.getLogger("workflow")

_PAUSE = 0.5
"""Seconds before a parent that could not be told is told again."""
_AT_ONCE = 16
"""Ends that are told again at the same time."""
_SURE = ("workflow_not_found", "workflow_not_accepted", "conflict")
"""Codes of a start that will not go better the next time."""


class Children:
    """Starts, cancels and reports them."""

    def __init__(self, starter: Starter, routing: Routing, transitions: Transitions, tasks: asyncio.TaskGroup) -> None:
        self._starter, self._routing, self._transitions, self._tasks = starter, routing, transitions, tasks
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def outcome(self, run: Run, command: StartChild) -> Wanted | None:
        """Starts a child; its end when it was there and has ended, None when that comes later."""
        try:
            workflow = FunctionRef(check_label(command.namespace, "namespace"), check_label(command.name, "name"))
        except InvalidName as error:
            return CallEnded(task=command.task, error=standard("configuration", str(error)).error)
        ref = FunctionRef(workflow.namespace, child_id(command.key, workflow.name))
        run.children = run.children | {command.task: ref}
        parent = str(Parent(run.ref, command.task)) if command.wait else ""
        asked = StartRun(input=msgspec.Raw(command.input), id=ref.name)
        while True:
            try:
                return await self._start(workflow, asked, parent, command)
            except (FaasError, Unavailable) as error:
                log.info("run %s: its child %s could not be started yet: %s", run.name, ref, error)
            await asyncio.sleep(_PAUSE)

    async def _start(self, workflow: FunctionRef, asked: StartRun, parent: str, command: StartChild) -> Wanted | None:
        """Raises FaasError, Unavailable: try again later."""
        try:
            started = await self._starter.start(workflow, asked, parent=parent, version=command.version)
        except FaasError as error:
            if error.code not in _SURE:
                raise
            return await self._refused(FunctionRef(workflow.namespace, asked.id), command, error)
        if not command.wait:
            return Answered(command.task, b"null")
        return None if started.new else await self._end_of(started.ref, command.task)

    async def _refused(self, ref: FunctionRef, command: StartChild, error: FaasError) -> Wanted | None:
        """The workflow can't be started: unless this is the repeated start of a child that there is, an error."""
        place = await self._routing.find(ref)
        if place is None:
            return CallEnded(task=command.task, error=of_faas_error(error))
        if not command.wait:
            return Answered(command.task, b"null")
        return await self._result(ref, place.head, command.task) if isinstance(place, Over) else None

    async def _end_of(self, ref: FunctionRef, task: int) -> Wanted | None:
        place = await self._routing.find(ref)
        return await self._result(ref, place.head, task) if isinstance(place, Over) else None

    async def _result(self, ref: FunctionRef, head: Head, task: int) -> Wanted:
        looked = await self._transitions.look(ref, head.definition, driven=False)
        return _result(looked.status, looked.output, looked.error, task)

    def cancel(self, run: Run, task: int) -> None:
        """Its parent no longer waits: a child that is still open ends."""
        ref = run.children.get(task)
        if ref is not None:
            run.children = {key: child for key, child in run.children.items() if key != task}
            self._tasks.create_task(self._until_told(ref, Cancel()))

    def abandon(self, ref: FunctionRef) -> None:
        """What waited for an open child has ended, and its owner is gone, who may not have told the child."""
        self._tasks.create_task(self._until_told(ref, Cancel()))

    def ended(self, run: Run, stepped: Stepped) -> None:
        """Tells the parent, if there is one."""
        parent = parse_parent(run.parent)
        if parent is not None:
            result = _result(stepped.status, stepped.output, stepped.error, parent.task)
            self._tasks.create_task(self._until_told(parent.run, result))

    def tell_again(self, ref: FunctionRef, head: Head) -> None:
        """As ``ended``, of a child whose owner has gone and may not have told."""
        parent = parse_parent(head.parent)
        if parent is not None:
            self._tasks.create_task(self._tell_again(ref, head, parent))

    async def _tell_again(self, ref: FunctionRef, head: Head, parent: Parent) -> None:
        while True:
            try:
                async with self._places:
                    if not isinstance(await self._routing.find(parent.run), Run | Elsewhere):
                        return
                    result = await self._result(ref, head, parent.task)
                break
            except (FaasError, Unavailable) as error:
                log.info("run %s can't be read yet: %s", ref, error)
                await asyncio.sleep(_PAUSE)
            except Broken as error:
                log.error("the end of run %s can't be told to its parent: %s", ref, error)
                return
        await self._until_told(parent.run, result)

    async def _until_told(self, ref: FunctionRef, wanted: Wanted) -> None:
        while True:
            try:
                await self._routing.deliver(ref, wanted)
                return
            except (FaasError, Unavailable) as error:
                log.info("run %s could not be told yet: %s", ref, error)
                await asyncio.sleep(_PAUSE)


def _result(status: str, output: bytes, error: bytes, task: int) -> Wanted:
    """What a run's end is to the task that waits for it."""
    if status == "completed":
        return Answered(task, output)
    made: dict[str, Any] = msgspec.json.decode(error) if error else {}
    if not made:
        made = standard("runtime", "the run was cancelled").error
    return CallEnded(task=task, error=made)
