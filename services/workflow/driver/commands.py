"""Carries out what a transition asks for, once it is in the history. Nothing here waits: what takes time is a task."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from nats.errors import Error as NatsError

from services.common.natsclient import FastClient
from services.contracts import subjects
from services.contracts.names import FunctionRef
from services.workflow.driver.children import Children
from services.workflow.driver.functions import FunctionCalls
from services.workflow.driver.run import Run
from services.workflow.driver.runs import Runs
from services.workflow.driver.timers import Timers
from services.workflow.engine.errors import standard
from services.workflow.engine.stimuli import CallEnded
from services.workflow.worker import protocol as p

log = logging.getLogger("workflow")


class OutsideCalls(Protocol):
    """Calls by HTTP, OpenAPI and AsyncAPI. ``subscribed``: tasks of runs that take messages; each event is set while
    more may come."""

    subscribed: dict[tuple[Run, int], asyncio.Event]

    async def outcome(self, run: Run, command: p.CallOutside) -> p.Wanted: ...


class Listeners(Protocol):
    """Events for runs that listen, and those that runs emit."""

    async def emit(self, run: Run, command: p.EmitEvent) -> p.Wanted: ...

    def register(self, ref: FunctionRef, task: int, types: tuple[str, ...], since: float, after: int) -> None: ...

    def drop(self, ref: FunctionRef, task: int) -> None: ...

    def hold(self, ref: FunctionRef, task: int, held: bool) -> None: ...


class Commands:
    """Obeys for all runs of this instance."""

    def __init__(
        self, runs: Runs, functions: FunctionCalls, outside: OutsideCalls, events: Listeners, timers: Timers,
        children: Children, bus: FastClient, tasks: asyncio.TaskGroup,
    ) -> None:  # fmt: skip
        self._runs, self._functions, self._outside, self._events = runs, functions, outside, events
        self._timers, self._children, self._bus, self._tasks = timers, children, bus, tasks
        self._kinds: dict[type[Any], Callable[[Run, Any], None]] = {
            p.CallFunction: self._call_function,
            p.CallOutside: self._call_outside,
            p.EmitEvent: lambda run, command: self._start(run, command.task, self._events.emit(run, command)),
            p.StartChild: self._start_child,
            p.SetTimer: lambda run, command: self._timers.set(run, command.timer, command.at),
            p.Listen: self._listen,
            p.DropWait: self._drop,
            p.HoldBack: self._hold,
        }

    async def obey(self, run: Run, commands: list[p.WireCommand], unsent: frozenset[int]) -> None:
        """Begins to carry out what a transition asks for. Waits for nothing but room in the connection's buffer.
        ``unsent``: tasks whose calls the last owner did not make, although they are commanded as repeated."""
        published = []
        set_again = {command.timer for command in commands if isinstance(command, p.SetTimer)}
        for command in commands:
            if isinstance(command, p.PublishEvent):
                published.append(command)
                continue
            if isinstance(command, p.DropTimer):
                self._timers.drop(run, command.timer, command.timer in set_again)
                continue
            if isinstance(command, p.CallFunction | p.CallOutside) and command.task in unsent:
                command.repeated = False
            self._kinds[type(command)](run, command)
        for event in published:
            await self._publish(run, event)

    async def _publish(self, run: Run, event: p.PublishEvent) -> None:
        """A lifecycle event: news, which nobody waits for, and which is lost when the bus is away."""
        if self._bus.is_connected:
            try:
                await self._bus.publish(
                    subjects.event(run.ref.namespace, "workflow", run.workflow, event.verb), event.event
                )
            except NatsError as error:
                log.warning("an event of run %s was not published: %s", run.name, error)

    def _start(self, run: Run, task: int, outcome: Awaitable[p.Wanted | None]) -> None:
        run.calls[task] = self._tasks.create_task(self._finish(run, task, outcome))

    async def _finish(self, run: Run, task: int, outcome: Awaitable[p.Wanted | None]) -> None:
        """Goes on with the run, in this task, once the outcome is there; until then it may be cancelled. No outcome:
        it comes another way."""
        try:
            wanted = await outcome
        except Exception as error:  # a defect: the workflow gets an error that it can catch, the log what it was
            log.exception("run %s: the command of task %d failed", run.name, task)
            wanted = CallEnded(task=task, error=standard("runtime", f"it failed: {type(error).__name__}").error)
        await self._runs.call_ended(run, task, wanted)

    def _call_function(self, run: Run, command: p.CallFunction) -> None:
        self._start(run, command.task, self._functions.outcome(command))

    def _call_outside(self, run: Run, command: p.CallOutside) -> None:
        self._start(run, command.task, self._outside.outcome(run, command))

    def _start_child(self, run: Run, command: p.StartChild) -> None:
        self._start(run, command.task, self._children.outcome(run, command))

    def _listen(self, run: Run, command: p.Listen) -> None:
        self._events.register(run.ref, command.task, command.types, command.since, command.after)
        run.listens = (*run.listens, command.task)

    def _drop(self, run: Run, command: p.DropWait) -> None:
        if command.waits == "events":
            self._events.drop(run.ref, command.task)
            run.listens = tuple(task for task in run.listens if task != command.task)
            return
        call = run.calls.pop(command.task, None)
        if call is not None:
            call.cancel()
        if command.waits == "child":
            self._children.cancel(run, command.task)

    def _hold(self, run: Run, command: p.HoldBack) -> None:
        run.held = run.held | {command.task} if command.held else run.held - {command.task}
        self._events.hold(run.ref, command.task, command.held)
        more = self._outside.subscribed.get((run, command.task))
        if more is not None:
            more.clear() if command.held else more.set()

    def leave(self) -> None:
        """Subscriptions, which do not end by themselves, are left to the next owner."""
        for run, task in list(self._outside.subscribed):
            call = run.calls.pop(task, None)
            if call is not None:
                call.cancel()

    def ended(self, run: Run, stepped: p.Stepped) -> None:
        """The run has come to its end."""
        self._timers.ended(run)
        self._children.ended(run, stepped)

    def released(self, run: Run) -> None:
        """The run is not driven here any more."""
        for task in run.listens:
            self._events.drop(run.ref, task)
        run.listens = ()
