"""Steps of runs inside a worker: from what the service asks to a transition ready to be stored."""

import time
from collections.abc import Callable

import msgspec

from services.contracts.workflow import InvalidWorkflow
from services.workflow.engine import State, step
from services.workflow.engine import commands as c
from services.workflow.engine.environment import Environment
from services.workflow.engine.records import Record
from services.workflow.worker import snapshot, transition
from services.workflow.worker.guard import Guard
from services.workflow.worker.held import Held, Memory, Prepared
from services.workflow.worker.look import look
from services.workflow.worker.notes import Notes
from services.workflow.worker.outgoing import Outgoing
from services.workflow.worker.protocol import Failed, Look, Looked, Missing, Step, Stepped
from services.workflow.worker.stimuli import decoded

_encode = msgspec.json.Encoder().encode


_SLICE = 0.2
"""Seconds after which a step leaves what remains to the next one, so that other runs get their turn."""


class Stepper:
    """``allow`` begins the time on the processor that one evaluation may take, and what is between two of them."""

    def __init__(self, memory: Memory, notes: Notes, allow: Callable[[], None]) -> None:
        self._memory, self._notes, self._allow = memory, notes, allow
        self._until = 0.0

    def _enough(self) -> bool:
        return time.monotonic() > self._until

    def step(self, asked: Step) -> Stepped | Missing | Failed:
        """The transition. The run's state is the one after it until Forget, or forgotten when this fails."""
        found = self._find(asked, asked.new)
        if not isinstance(found, tuple):
            return found
        prepared, held = found
        guard = Guard(self._notes, self._allow, asked.forbidden, prepared.places)
        environment = Environment(
            evaluate=guard.evaluate,
            validate=guard.validate,
            match=guard.match,
            enough=self._enough,
            secrets=asked.secrets,
        )
        held.at = max(held.at, asked.now)  # clocks of instances differ, and a run's time never goes back
        records: list[Record] = []
        commands: list[c.Command] = []
        for stimulus in asked.stimuli:
            self._notes.tick(True)
            self._allow()
            self._until = time.monotonic() + _SLICE
            made = step(prepared.plan, held.state, decoded(stimulus), held.at, environment)
            held.state = made.state
            records += made.records
            commands += made.commands
        self._allow()
        answer = _stepped(asked.run, prepared, held, records, commands)
        self._memory.put(asked.run, held)
        return answer

    def look(self, asked: Look) -> Looked | Missing | Failed:
        """How a run is. With a history it is not remembered: that of a run which another drives is soon outdated."""
        found = self._find(asked, False)
        if not isinstance(found, tuple):
            return found
        _, held = found
        if asked.history is None:
            self._memory.put(asked.run, held)
        return look(held.state or State())

    def _find(self, asked: Step | Look, new: bool) -> tuple[Prepared, Held] | Missing | Failed:
        """What is needed for a run, which is no longer remembered. A history that is given counts for more than what
        is remembered."""
        try:
            prepared = self._memory.plan(asked.definition, asked.document)
            held = self._memory.take(asked.run)
            if asked.history is not None:
                held = Held.read(asked.history)
        except InvalidWorkflow as wrong:
            return Failed(f"the definition {asked.definition} can no longer be read: {wrong}")
        except snapshot.Unreadable:
            return Missing(history=True, document=prepared is None, whole=True)
        except transition.Unreadable as wrong:
            return Failed(f"the history of {asked.run} can't be read: {wrong}")
        if new:  # what is remembered is another run of this id, which has ended
            held = Held()
        if prepared is not None and held is not None:
            return prepared, held
        if held is not None:
            self._memory.put(asked.run, held)
        return Missing(history=held is None, document=prepared is None)


def _stepped(run: str, prepared: Prepared, held: Held, records: list[Record], commands: list[c.Command]) -> Stepped:
    state = held.state
    assert state is not None
    message, blobs = transition.pack(records) if records else (b"", {})
    outgoing = Outgoing(run, prepared.plan, state, held.records, held.at)
    held.records += len(records)
    held.tail += len(message) + sum(map(len, blobs.values()))
    return Stepped(
        message=message,
        blobs=blobs,
        commands=outgoing.wire(commands),
        status=state.status,
        started_at=state.started_at,
        ended_at=state.ended_at or 0.0,
        more=bool(commands) and isinstance(commands[-1], c.Continue),
        snapshot=held.snapshot_when_due(),
        output=_encode(state.output) if state.status == "completed" else b"",
        error=b"" if state.error is None else _encode(state.error),
    )
