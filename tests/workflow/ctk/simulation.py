"""A run in virtual time, its outside played by the test; after every step it is also rebuilt from its records."""

from typing import Any

import msgspec

from services.contracts.workflow import parse_yaml
from services.workflow.engine import Plan, State, Transition, apply, step
from services.workflow.engine import commands as c
from services.workflow.engine import records as r
from services.workflow.engine import stimuli as s
from services.workflow.engine.environment import Environment

HEAD = "document: { dsl: '1.0.3', namespace: default, name: test, version: '1.0.0' }\n"
BEGIN = 1_700_000_000.0


class Simulation:
    """``calls``, ``children``, ``listening`` and ``timers`` are what is outstanding; ``emitted`` is acknowledged at
    once unless ``acknowledge`` is false."""

    def __init__(self, tasks: str, *, secrets: dict[str, Any] | None = None, acknowledge: bool = True) -> None:
        self.plan = Plan(parse_yaml(HEAD + tasks))
        self.environment = Environment(secrets=secrets or {})
        self.acknowledge = acknowledge
        self.now = BEGIN
        self.state = State()
        self.history: list[bytes] = []
        self.records: list[r.Record] = []
        self.commands: list[c.Command] = []
        self.calls: dict[int, c.StartCall] = {}
        self.children: dict[int, c.RunWorkflow] = {}
        self.listening: dict[int, c.Subscribe] = {}
        self.timers: dict[str, float] = {}
        self.emitted: list[dict[str, Any]] = []

    def start(self, input: Any = None) -> "Simulation":
        """Starts the run; an input of None is an empty object."""
        self.give(s.Start(id="run1", seed="seed", input={} if input is None else input))
        return self

    def give(self, stimulus: s.Stimulus) -> Transition:
        """One stimulus, and those that it brings about at once."""
        waiting: list[s.Stimulus] = [stimulus]
        first: Transition | None = None
        while waiting:
            made = self._step(waiting.pop(0))
            first = first or made
            for command in made.commands:
                self._obey(command, waiting)
        assert first is not None
        return first

    def _step(self, stimulus: s.Stimulus) -> Transition:
        before = None if not self.history else self.state
        kept = msgspec.json.encode(before)
        made = step(self.plan, before, stimulus, self.now, self.environment)
        assert msgspec.json.encode(before) == kept, "a step changed the state that it was given"
        rebuilt = None if before is None else msgspec.json.decode(msgspec.json.encode(before), type=State)
        assert rebuilt == before, "a snapshot of the state is not the state"
        again = step(self.plan, rebuilt, stimulus, self.now, self.environment)
        assert (again.records, again.state) == (made.records, made.state), "a step is not the same again"
        self.history += [msgspec.json.encode(record) for record in made.records]
        self.records += made.records
        self.commands += made.commands
        self.state = made.state
        if self.history:
            assert self.replayed() == made.state, "the state is not what its records make"
        return made

    def replayed(self, upto: int | None = None) -> State:
        """The state from the stored records, all or the first ones."""
        state: State | None = None
        for line in self.history[:upto]:
            state = apply(state, msgspec.json.decode(line, type=r.AnyRecord))
        assert state is not None
        return state

    def _obey(self, command: c.Command, waiting: list[s.Stimulus]) -> None:
        if isinstance(command, c.StartCall):
            self.calls[command.task] = command
        elif isinstance(command, c.RunWorkflow):
            self.children[command.task] = command
        elif isinstance(command, c.Subscribe):
            self.listening[command.task] = command
        elif isinstance(command, c.StartTimer):
            self.timers[command.timer] = command.at
        elif isinstance(command, c.CancelTimer):
            self.timers.pop(command.timer, None)
        elif isinstance(command, c.Drop):
            for group in (self.calls, self.children, self.listening):
                group.pop(command.task, None)
        elif isinstance(command, c.Emit):
            self.emitted.append(command.event)
            if self.acknowledge:
                waiting.append(s.CallEnded(task=command.task))
        elif isinstance(command, c.Continue):
            waiting.append(s.Continue())

    def answer(self, output: Any = None, *, task: int | None = None, error: dict[str, Any] | None = None) -> Any:
        """Ends a call or child run, the first outstanding one unless told; returns what it was called with."""
        chosen = min([*self.calls, *self.children]) if task is None else task
        command: Any = self.calls.pop(chosen, None) or self.children.pop(chosen, None)
        self.give(s.CallEnded(task=chosen, output=output, error=error))
        return command.arguments if isinstance(command, c.StartCall) else command.input

    def fail(self, status: int = 503, type_: str = "communication", *, task: int | None = None) -> None:
        """Ends a call with an error of a standard type."""
        prefix = "https://open-workflow-specification.org/spec/1.0.0/errors/"
        self.answer(task=task, error={"type": prefix + type_, "status": status, "title": "failed"})

    def pass_time(self) -> str:
        """Lets the next timer fire; returns its name."""
        timer = min(self.timers, key=lambda name: self.timers[name])
        self.now = max(self.now, self.timers.pop(timer))
        self.give(s.TimerFired(timer=timer))
        return timer

    def arrive(self, type_: str, data: Any = None, **attributes: Any) -> None:
        """An event, for every task that listens."""
        event = {"specversion": "1.0", "id": "e", "source": "/test", "type": type_, "data": data} | attributes
        for task, command in list(self.listening.items()):
            if not command.types or type_ in command.types:
                self.give(s.EventArrived(task=task, event=event))

    @property
    def output(self) -> Any:
        """The output of the completed run."""
        assert self.state.status == "completed", (self.state.status, self.state.error)
        return self.state.output

    @property
    def error(self) -> dict[str, Any]:
        """The error of the faulted run."""
        assert self.state.status == "faulted", self.state.status
        assert self.state.error is not None
        return self.state.error

    @property
    def kinds(self) -> list[str]:
        """The kinds of the lifecycle events so far."""
        return [command.kind for command in self.commands if isinstance(command, c.Publish)]
