"""Gives events to the runs that listen for them, in order, and takes those that runs emit."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

import msgspec
from nats.errors import Error as NatsError

from services.common.natsclient import FastClient
from services.contracts import subjects
from services.contracts.names import FunctionRef
from services.workflow.engine.errors import standard
from services.workflow.engine.stimuli import CallEnded, EventArrived
from services.workflow.events.cloudevents import MAX_EVENT, key
from services.workflow.events.listeners import Listener, Listeners
from services.workflow.store.events import Event, EventStore
from services.workflow.store.jetstream import Unavailable
from services.workflow.worker.protocol import EmitEvent

log = logging.getLogger("events")

Deliver = Callable[[FunctionRef, EventArrived], None]
"""Hands an event to a run that is driven here."""

_PAUSE = 0.5
_READERS = 32
"""Listeners that read older events at once."""


class Emitting(Protocol):
    """A run that emits."""

    ref: FunctionRef
    workflow: str


class _Named(msgspec.Struct):
    id: str
    source: str


class Hub:
    """The events of this instance's runs. ``run`` it."""

    def __init__(self, store: EventStore, bus: FastClient, deliver: Deliver) -> None:
        self._store, self._bus, self._deliver = store, bus, deliver
        self._listeners = Listeners()
        self._last: dict[str, tuple[int, float]] = {}  # event of each namespace: sequence and time
        self._started = asyncio.Event()
        self._behind: asyncio.Queue[Listener] = asyncio.Queue()

    async def run(self) -> None:
        """Follows the stream until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_READERS):
                tasks.create_task(self._catch_up_all())
            while True:
                try:
                    await self._store.follow(self._on_event, self._started)
                except Unavailable as error:
                    log.warning("events can't be followed yet: %s", error)
                    await asyncio.sleep(_PAUSE)

    def register(self, ref: FunctionRef, task: int, types: tuple[str, ...], since: float, after: int) -> None:
        """EventArrived is wanted for a task: for events after the one with sequence ``after`` or, when that is 0, from
        the time ``since`` on."""
        listener = Listener((ref, task), types, since, after)
        self._listeners.add(listener)
        self._behind.put_nowait(listener)

    def drop(self, ref: FunctionRef, task: int) -> None:
        """It no longer is."""
        self._listeners.remove((ref, task))

    def _on_event(self, event: Event) -> None:
        self._last[event.namespace] = (event.sequence, event.stored)
        for ref, task in self._listeners.on_event(event):
            self._deliver(ref, EventArrived(task=task, event=event.attributes, sequence=event.sequence))

    async def _catch_up_all(self) -> None:
        await self._started.wait()
        while True:
            listener = await self._behind.get()
            while self._listeners.has(listener):
                try:
                    await self._catch_up(listener)
                    break
                except Unavailable as error:
                    log.warning("events for run %s can't be read yet: %s", listener.key[0], error)
                    await asyncio.sleep(_PAUSE)

    async def _catch_up(self, listener: Listener) -> None:
        """Gives a listener what was stored before it came, and from then on what comes."""
        ref, task = listener.key
        if ref.namespace not in self._last:
            last = await self._store.last(ref.namespace)
            self._last[ref.namespace] = max(last, self._last.get(ref.namespace, last))
        sequence, stored = self._last[ref.namespace]
        older = sequence > listener.cursor if listener.cursor else stored >= listener.since
        events = await self._store.read(ref.namespace, listener.cursor, listener.since, sequence) if older else []
        if not self._listeners.has(listener):
            return
        # what came while this was read may be in it too; nothing waits from here on, so nothing comes in between
        for event in listener.take([*events, *listener.pending]):
            self._deliver(ref, EventArrived(task=task, event=event.attributes, sequence=event.sequence))
        listener.behind, listener.pending = False, []

    async def emit(self, run: Emitting, command: EmitEvent) -> CallEnded:
        """Stores an event that a run emits and publishes it; the stimulus that says so. Tries until it is stored."""
        event, task, namespace = command.event, command.task, run.ref.namespace
        if len(event) > MAX_EVENT:
            said = f"the event has {len(event)} bytes as JSON; at most {MAX_EVENT} are allowed"
            return CallEnded(task=task, error=standard("validation", said).error)
        named = msgspec.json.decode(event, type=_Named)
        while True:
            try:
                await self._store.put(namespace, event, key(namespace, named.source, named.id))
                break
            except Unavailable as error:
                log.warning("an event of run %s can't be stored yet: %s", run.ref, error)
                await asyncio.sleep(_PAUSE)
        try:
            await self._bus.publish(subjects.event(namespace, "workflow", run.workflow, "emitted"), event)
        except NatsError as error:  # news: whoever must have it listens to the stream
            log.warning("an event of run %s was not published: %s", run.ref, error)
        return CallEnded(task=task)
