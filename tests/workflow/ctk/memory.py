"""The in-memory driver: the pure engine, with virtual time."""

import itertools
from typing import Any

from services.contracts.workflow import parse_yaml
from services.contracts.workflow.calls import HttpArguments
from services.contracts.workflow.errors import standard_type
from services.workflow.engine import Plan, State, Transition, step
from services.workflow.engine import commands as c
from services.workflow.engine import records as r
from services.workflow.engine import stimuli as s
from tests.workflow.ctk import http
from tests.workflow.ctk.driver import Outcome

MAX_STEPS = 10_000


class MemoryDriver:
    """Acknowledges what is emitted, lets time pass when nothing else is left, carries out HTTP calls to mapped hosts,
    and answers other calls with a communication error: there is nobody to call."""

    def run(self, definition: str, input: Any, hosts: dict[str, str]) -> Outcome:
        """The outcome of one run; one that waits for what never comes raises ValueError."""
        plan, now = Plan(parse_yaml(definition)), 1_700_000_000.0
        timers: dict[str, float] = {}
        waiting: list[s.AnyStimulus] = [s.Start(id="ctk", seed="ctk", input=input)]
        state: State | None = None
        outcome = Outcome(status="running")
        names: dict[int, str] = {}
        for _ in itertools.repeat(None, MAX_STEPS):
            if not waiting:
                if not timers:
                    raise ValueError("the workflow waits for what nobody will send")
                timer = min(timers, key=lambda name: timers[name])
                now = max(now, timers.pop(timer))
                waiting.append(s.TimerFired(timer=timer))
            made = step(plan, state, waiting.pop(0), now)
            state = made.state
            _note(plan, made, names, outcome)
            for command in made.commands:
                _obey(command, timers, waiting, hosts)
            if not state.open:
                outcome.status, outcome.output, outcome.error = state.status, state.output, state.error
                return outcome
        raise ValueError(f"the workflow did not end in {MAX_STEPS} steps")


def _note(plan: Plan, made: Transition, names: dict[int, str], outcome: Outcome) -> None:
    for record in made.records:
        if isinstance(record, r.TaskCreated):
            names[record.frame] = plan.tasks[record.pointer].name
        elif isinstance(record, r.TaskStarted) and record.frame in names:
            outcome.tasks.append(names[record.frame])
        elif isinstance(record, r.TaskEnded) and not record.skipped:
            outcome.ended.append(names[record.frame])


def _obey(command: c.Command, timers: dict[str, float], waiting: list[s.AnyStimulus], hosts: dict[str, str]) -> None:
    if isinstance(command, c.StartTimer):
        timers[command.timer] = command.at
    elif isinstance(command, c.CancelTimer):
        timers.pop(command.timer, None)
    elif isinstance(command, c.Emit):
        waiting.append(s.CallEnded(task=command.task))
    elif isinstance(command, c.StartCall) and isinstance(command.arguments, HttpArguments):
        output, failure = http.call(command.arguments, hosts)
        waiting.append(s.CallEnded(task=command.task, output=output, error=failure))
    elif isinstance(command, c.StartCall | c.RunWorkflow):
        error = {"type": standard_type("communication"), "status": 503, "title": "Nobody is there"}
        waiting.append(s.CallEnded(task=command.task, error=error))
    elif isinstance(command, c.Continue):
        waiting.append(s.Continue())
