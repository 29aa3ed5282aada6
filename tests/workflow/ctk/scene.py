"""Runs of the in-memory driver: a workflow, those that it runs, and the little world that they need."""

import asyncio
import contextlib
import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from services.contracts.names import FunctionRef
from services.contracts.workflow import parse_yaml
from services.contracts.workflow.calls import CallFunction
from services.contracts.workflow.errors import standard_type
from services.workflow.calls import Outside
from services.workflow.engine import Plan, State, step
from services.workflow.engine import commands as c
from services.workflow.engine import stimuli as s
from services.workflow.engine.environment import Environment
from tests.workflow.ctk.driver import Case, Outcome
from tests.workflow.ctk.mapped import MappedOutside
from tests.workflow.ctk.noting import Notes
from tests.workflow.ctk.whole import whole

MAX_STEPS = 100_000
PATIENCE = 30.0
"""Real seconds without anything happening after which a run is given up."""


class Run:
    """One run. ``ended``: called with its outcome."""

    def __init__(self, plan: Plan, environment: Environment, id: str, ended: Callable[[Outcome], None]) -> None:
        self.plan, self.environment, self.id, self.ended = plan, environment, id, ended
        self.state: State | None = None
        self.notes = Notes(plan)
        self.timers: dict[str, float] = {}
        self.listens: dict[int, tuple[str, ...]] = {}
        self.calls: dict[int, asyncio.Task[None]] = {}

    def drop(self) -> None:
        """Nothing of it is wanted any more."""
        for call in self.calls.values():
            call.cancel()
        self.timers, self.listens, self.calls = {}, {}, {}


class Scene:
    """All runs of a case share one clock."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.now = self.began = 1_700_000_000.0
        self.queue: deque[tuple[Run, s.Stimulus]] = deque()
        self.runs: list[Run] = []
        self.plans: dict[tuple[str, str], list[Plan]] = {}
        self.events = list(case.events)
        self.sequence = 0
        self.outcome: Outcome | None = None
        self.happened = asyncio.Event()

    async def run(self) -> Outcome:
        """The outcome of the case's own run."""
        for text in [*self.case.workflows, self.case.definition]:
            parse_yaml(text)  # all are read before anything is called

        def ended(outcome: Outcome) -> None:
            self.outcome = outcome

        async with MappedOutside(self.case.hosts) as outside:
            for text in [*self.case.workflows, self.case.definition]:
                plan = Plan(await whole(parse_yaml(text), outside, self.case.secrets))
                document = plan.definition.document
                self.plans.setdefault((document.namespace, document.name), []).append(plan)
            main = self._start(plan, self.case.input, ended)
            cancel_at = None if self.case.cancel_at is None else self.now + self.case.cancel_at
            try:
                for _ in itertools.repeat(None, MAX_STEPS):
                    if self.outcome is not None:
                        self.outcome.seconds = self.now - self.began
                        return self.outcome
                    if cancel_at is not None and self.now >= cancel_at:
                        self.queue.appendleft((main, s.Cancel()))
                        cancel_at = None
                    await self._go_on(outside, cancel_at)
            finally:
                tasks = [call for run in self.runs for call in run.calls.values()]
                for run in self.runs:
                    run.drop()
                await asyncio.gather(*tasks, return_exceptions=True)
        raise ValueError(f"the workflow did not end in {MAX_STEPS} steps")

    def _start(self, plan: Plan, input: Any, ended: Callable[[Outcome], None]) -> Run:
        names = plan.definition.use.secrets
        secrets = {name: self.case.secrets[name] for name in names if name in self.case.secrets}
        run = Run(plan, Environment(secrets=secrets), f"run{len(self.runs)}", ended)
        self.runs.append(run)
        self.queue.append((run, s.Start(id=run.id, seed=run.id, input=input)))
        return run

    async def _go_on(self, outside: Outside, cancel_at: float | None) -> None:
        """One stimulus; when there is none, whatever comes next: an answer, an event, a timer."""
        if self.queue:
            run, stimulus = self.queue.popleft()
            self._step(run, stimulus, outside)
            return
        due = [at for run in self.runs for at in run.timers.values()]
        due += [] if cancel_at is None else [cancel_at]
        if any(run.calls for run in self.runs):
            await self._wait(min(due) - self.now if due else None)
        elif self.events and any(run.listens for run in self.runs):
            self._deliver(self.events.pop(0))
        elif due:
            self.now = max(self.now, min(due))
        else:
            raise ValueError("the workflow waits for what nobody will send")
        for run in self.runs:
            for timer in [name for name, at in run.timers.items() if at <= self.now]:
                del run.timers[timer]
                self.queue.append((run, s.TimerFired(timer=timer)))

    async def _wait(self, seconds: float | None) -> None:
        began = time.monotonic()
        self.happened.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE if seconds is None else max(0.0, min(seconds, PATIENCE))):
                await self.happened.wait()
        self.now += time.monotonic() - began
        if not self.queue and time.monotonic() - began >= PATIENCE:
            raise ValueError(f"nothing happened for {PATIENCE:g} s")

    def _step(self, run: Run, stimulus: s.Stimulus, outside: Outside) -> None:
        if run not in self.runs:
            return
        made = step(run.plan, run.state, stimulus, self.now, run.environment)
        run.notes.note(run.state, made)
        run.state = made.state
        for command in made.commands:
            self._obey(run, command, outside)
        if not made.state.open:
            run.drop()
            self.runs.remove(run)
            run.ended(run.notes.outcome(made.state))

    def _deliver(self, event: dict[str, Any]) -> None:
        self.sequence += 1
        for run in self.runs:
            for task, types in run.listens.items():
                if not types or event["type"] in types:
                    self.queue.append((run, s.EventArrived(task=task, event=event, sequence=self.sequence)))

    def _obey(self, run: Run, command: c.Command, outside: Outside) -> None:
        if isinstance(command, c.StartTimer):
            run.timers[command.timer] = command.at
        elif isinstance(command, c.CancelTimer):
            run.timers.pop(command.timer, None)
        elif isinstance(command, c.Emit):
            run.notes.emitted.append(command.event)
            self.queue.append((run, s.CallEnded(task=command.task)))
            self._deliver(command.event)
        elif isinstance(command, c.Subscribe):
            run.listens[command.task] = command.types
        elif isinstance(command, c.StartCall):
            self._call(run, command, outside)
        elif isinstance(command, c.RunWorkflow):
            self._run_workflow(run, command)
        elif isinstance(command, c.Drop):
            run.listens.pop(command.task, None)
            if (call := run.calls.pop(command.task, None)) is not None:
                call.cancel()
        elif isinstance(command, c.Continue):
            self.queue.appendleft((run, s.Continue()))

    def _call(self, run: Run, command: c.StartCall, outside: Outside) -> None:
        if isinstance(command.call, CallFunction):
            ref = run.plan.definition.function(command.call)
            assert isinstance(ref, FunctionRef)
            name = f"{ref.namespace}/{ref.name}"
            if name in self.case.functions:
                ended = s.CallEnded(task=command.task, output=self.case.functions[name])
            else:
                error = {"type": standard_type("communication"), "status": 404, "title": "Not Found"}
                ended = s.CallEnded(task=command.task, error=error | {"detail": f"there is no function {name}"})
            self.queue.append((run, ended))
            return
        run.calls[command.task] = asyncio.create_task(self._outside(run, command, outside))

    async def _outside(self, run: Run, command: c.StartCall, outside: Outside) -> None:
        async def deliver(message: dict[str, Any]) -> None:
            self._put(run, s.MessageArrived(task=command.task, message=message))

        call: Awaitable[Any] = outside.call(
            command.call.call, command.arguments, run.environment.secrets, f"{run.id}.{command.task}", deliver
        )
        answer = await call
        if run.calls.pop(command.task, None) is not None:
            self._put(run, s.CallEnded(task=command.task, output=answer.output, error=answer.error))

    def _put(self, run: Run, stimulus: s.Stimulus) -> None:
        self.queue.append((run, stimulus))
        self.happened.set()

    def _run_workflow(self, run: Run, command: c.RunWorkflow) -> None:
        known = self.plans.get((command.namespace, command.name), [])
        wanted = [plan for plan in known if command.version in ("latest", plan.definition.document.version)]
        if not wanted:
            error = {"type": standard_type("communication"), "status": 404, "title": "Not Found"}
            self.queue.append((run, s.CallEnded(task=command.task, error=error)))
            return

        def ended(outcome: Outcome) -> None:
            if command.wait:
                error = outcome.error
                if outcome.status == "cancelled":
                    error = {"type": standard_type("runtime"), "status": 500, "title": "Cancelled"}
                self.queue.append((run, s.CallEnded(task=command.task, output=outcome.output, error=error)))

        child = self._start(wanted[-1], command.input, ended)
        if not command.wait:
            self.queue.append((run, s.CallEnded(task=command.task, output=child.id)))
