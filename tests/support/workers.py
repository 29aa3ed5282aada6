"""Runs stepped by real worker processes, with a store in memory in place of JetStream."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import msgspec

from services.workflow.engine import stimuli as s
from services.workflow.worker import protocol as p
from services.workflow.worker.pool import Pool
from services.workflow.worker.transition import digests, unpack

Answer = Callable[[p.CallFunction], bytes | dict[str, Any]]
"""The output (JSON) of a call, or its error."""


def evaluates(pool: Pool) -> bool:
    """Whether the first worker is in the middle of an expression."""
    process = pool._slots[0]._process
    return process is not None and process.evaluated()[0] > 0


class Store:
    """What is kept of runs: messages and snapshots, blobs by digest, and the documents of definitions."""

    def __init__(self) -> None:
        self.messages: dict[str, list[bytes]] = {}
        self.snapshots: dict[str, tuple[int, bytes]] = {}
        self.blobs: dict[str, bytes] = {}

    def append(self, run: str, stepped: p.Stepped) -> None:
        self.blobs |= stepped.blobs
        messages = self.messages.setdefault(run, [])
        if stepped.message:
            messages.append(stepped.message)
        if stepped.snapshot:
            self.snapshots[run] = (len(messages), stepped.snapshot)

    def read(self, run: str, whole: bool = False) -> p.History:
        at, snapshot = (0, b"") if whole else self.snapshots.get(run, (0, b""))
        tail = self.messages.get(run, [])[at:]
        return p.History(snapshot, tail, {digest: self.blobs[digest] for each in tail for digest in digests(each)})

    def records(self, run: str) -> list[Any]:
        history = self.read(run, whole=True)
        return [record for message in history.messages for record in unpack(message, history.blobs)]


class Driven:
    """One run: gives it stimuli, stores what comes, and answers its calls of Functions."""

    def __init__(
        self, pool: Pool, document: dict[str, Any], run: str = "default/r1", secrets: dict[str, Any] | None = None
    ) -> None:
        self.pool, self.run, self.secrets = pool, run, secrets or {}
        self.document = json.dumps(document).encode()
        self.digest = hashlib.sha256(self.document).hexdigest()
        self.store = Store()
        self.commands: list[p.WireCommand] = []
        self.missing = 0
        self.steps = 0
        self.now = 1000.0
        self.status, self.output, self.error = "", b"", b""

    async def give(self, *stimuli: p.Wanted) -> p.Stepped:
        """One step, and those that continue it; the last of them."""
        while True:
            stepped = await self.step(*stimuli)
            self.store.append(self.run, stepped)
            self.commands += stepped.commands
            self.steps += 1
            self.status, self.output, self.error = stepped.status, stepped.output, stepped.error
            if not stepped.more:
                return stepped
            stimuli = (s.Continue(),)

    async def step(self, *stimuli: p.Wanted) -> p.Stepped:
        new = not self.store.messages.get(self.run)
        asked = p.Step(self.run, self.digest, list(stimuli), self.now, secrets=self.secrets, new=new)
        while True:
            answer = await self.pool.step(asked)
            if isinstance(answer, p.Stepped):
                return answer
            assert isinstance(answer, p.Missing), answer
            self.missing += 1
            asked = msgspec.structs.replace(
                asked,
                history=self.store.read(self.run) if answer.history else None,
                document=self.document if answer.document else asked.document,
            )

    async def begin(self, input_: Any = None) -> p.Stepped:
        return await self.give(p.Begin(id=self.run.partition("/")[2], seed="seed", input=json.dumps(input_).encode()))

    def calls(self) -> list[p.CallFunction]:
        """The calls commanded since this was last asked."""
        found = [command for command in self.commands if isinstance(command, p.CallFunction)]
        self.commands = [command for command in self.commands if not isinstance(command, p.CallFunction)]
        return found

    async def finish(self, answer: Answer = lambda call: call.body) -> Any:
        """Answers each call until the run has ended; its output."""
        while self.status == "running":
            calls = self.calls()
            assert calls, f"{self.run} waits for something else: {self.commands}"
            for call in calls:
                given = answer(call)
                if isinstance(given, dict):
                    await self.give(s.CallEnded(task=call.task, error=given))
                else:
                    await self.give(p.Answered(task=call.task, output=given))
        return json.loads(self.output) if self.output else None
