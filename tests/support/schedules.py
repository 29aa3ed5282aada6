"""Schedules of workflows without the rest of the service: definitions in, runs out."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from services.contracts.errors import FaasError
from services.contracts.names import FunctionRef
from services.contracts.runs import StartRun
from services.contracts.workflow import parse
from services.workflow.controller.judge import Accepted, canonical, digest_of
from services.workflow.schedules.clock import Clock
from services.workflow.schedules.events import EventSchedules
from services.workflow.store.heads import Head
from services.workflow.store.jetstream import JetStream
from services.workflow.store.timers import TimerStore
from tests.support.patience import PATIENCE
from tests.support.stores import ref
from tests.support.workflows import definition


class World:
    """Definitions, and runs that were begun: by id, with their input and when; a run that is asked for
    again is the same one. Both instances of a test see the same."""

    def __init__(self) -> None:
        self.accepted: dict[str, Accepted] = {}
        self.begun: dict[str, list[float]] = {}
        self.inputs: dict[str, Any] = {}
        self.heads: dict[str, Head] = {}
        self.refuse: list[FaasError] = []
        self.looks = 0
        """How often it was asked how a run is."""
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """What happens while the next run is being begun."""
        self._changed = asyncio.Event()

    def deploy(self, name: str, schedule: dict[str, Any] | None, *parts: Clock | EventSchedules) -> None:
        fields = {"schedule": schedule} if schedule else {}
        document = definition({"a": {"set": {"x": 1}}}, **fields)
        data = canonical(document)
        self.accepted[name] = Accepted(parse(document), digest_of(data), data)
        for part in parts:
            part.on_definition(ref(name), self.accepted[name])

    async def get(self, namespace: str, name: str, version: str = "") -> Accepted | None:
        return self.accepted.get(name)

    async def start(self, workflow: FunctionRef, asked: StartRun) -> None:
        if self.refuse:
            raise self.refuse.pop()
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        self.begun.setdefault(asked.id, []).append(time.time())
        if isinstance(asked.input, msgspec.Raw):
            self.inputs[asked.id] = msgspec.json.decode(asked.input)
        self._changed.set()

    async def head(self, run: FunctionRef) -> tuple[Head, int] | None:
        self.looks += 1
        self._changed.set()
        return (self.heads[run.name], 1) if run.name in self.heads else None

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not true():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def clock(js: JetStream, world: World) -> AsyncIterator[Clock]:
    timers = TimerStore(js)
    made = Clock(timers, world, world.start, world.head)
    for name, accepted in world.accepted.items():
        made.on_definition(ref(name), accepted)
    tasks = [asyncio.create_task(made.run()), asyncio.create_task(timers.consume(made.fired))]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
