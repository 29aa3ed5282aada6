"""Gives events to the runs that listen for them, in order, and takes those that runs emit."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Protocol

import msgspec
from nats.errors import Error as NatsError

from services.common.natsclient import FastClient
from services.contracts import subjects
from services.contracts.names import FunctionRef
from services.workflow.engine.errors import standard
from services.workflow.engine.stimuli import CallEnded, EventArrived
from services.workflow.events.cloudevents import MAX_EVENT, key
from services.workflow.events.listeners import ANY, Listener, Listeners
from services.workflow.store.events import Event, EventStore
from services.workflow.store.jetstream import Unavailable
from services.workflow.worker.protocol import EmitEvent

log = logging.getLogger("events")

Deliver = Callable[[FunctionRef, EventArrived], None]
"""Hands an event to a run that is driven here; ``untaken``: how many a run has not taken yet."""
_MOST_UNTAKEN = 100
_TURN = 0.01

_PAUSE = 0.5


class Emitting(Protocol):
    """A run that emits."""

    ref: FunctionRef
    workflow: str


class _Named(msgspec.Struct):
    id: str
    source: str
    type: str


class Hub:
    """The events of this instance's runs. ``run`` it."""

    def __init__(
        self, store: EventStore, bus: FastClient, deliver: Deliver, untaken: Callable[[FunctionRef], int]
    ) -> None:
        self._store, self._bus, self._deliver, self._untaken = store, bus, deliver, untaken
        self._listeners = Listeners()
        self._last: dict[str, tuple[int, float]] = {}  # event of each namespace: sequence and time
        self._started = asyncio.Event()
        self._behind: asyncio.Queue[Listener] = asyncio.Queue()
        self._waiting: dict[str, list[Listener]] = {}  # by namespace, for the task that is at work on it
        self._busy: set[str] = set()

    async def run(self) -> None:
        """Follows the stream until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._dispatch(tasks))
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
        if self._started.is_set() and ref.namespace in self._last and not self._missed(ref.namespace, listener):
            self._is_up(listener)  # the usual case: nothing came between the task's beginning and now
        else:
            self._behind.put_nowait(listener)

    def drop(self, ref: FunctionRef, task: int) -> None:
        """It no longer is."""
        self._listeners.remove((ref, task))

    def hold(self, ref: FunctionRef, task: int, held: bool) -> None:
        """A task is given nothing any more, until it is given what was stored meanwhile and what comes."""
        listener = self._listeners.get((ref, task))
        if listener is None or listener.held == held:
            return
        if held:
            listener.held, listener.pending = True, []
        else:  # in place of the held one, which may be in the middle of being caught up, and has missed some
            self.register(ref, task, listener.types, listener.since, listener.cursor)

    def _on_event(self, event: Event) -> None:
        self._last[event.namespace] = (event.sequence, event.stored)
        for ref, task in self._listeners.on_event(event):
            self._deliver(ref, EventArrived(task=task, event=event.attributes, sequence=event.sequence))

    async def _dispatch(self, tasks: asyncio.TaskGroup) -> None:
        """Has each namespace's listeners caught up by a task of its own while there are any."""
        await self._started.wait()
        while True:
            listener = await self._behind.get()
            namespace = listener.key[0].namespace
            self._waiting.setdefault(namespace, []).append(listener)
            if namespace not in self._busy:
                self._busy.add(namespace)
                tasks.create_task(self._catch_up_all(namespace))

    async def _catch_up_all(self, namespace: str) -> None:
        while together := self._waiting.pop(namespace, []):
            await self._catch_up(namespace, together)
        self._busy.discard(namespace)

    async def _catch_up(self, namespace: str, together: list[Listener]) -> None:
        """Gives the listeners of a namespace what was stored before they came, and from then on what comes. Together:
        those of a thousand recovered runs read the same events."""
        while behind := list(filter(self._waits, together)):
            try:
                if namespace not in self._last:
                    last = await self._store.last(namespace)
                    self._last[namespace] = max(last, self._last.get(namespace, last))
                await self._read_for(namespace, [each for each in behind if self._missed(namespace, each)])
            except Unavailable as error:
                log.warning("events of namespace %s can't be read yet: %s", namespace, error)
                await asyncio.sleep(_PAUSE)
                continue
            for listener in filter(self._waits, behind):
                self._is_up(listener)

    def _is_up(self, listener: Listener) -> None:
        """A listener has all that is older; what came meanwhile may be among it, and nothing comes in between now."""
        self._give(listener, listener.pending)
        listener.behind, listener.pending = False, []

    def _waits(self, listener: Listener) -> bool:
        return listener.behind and not listener.held and self._listeners.has(listener)

    def _missed(self, namespace: str, listener: Listener) -> bool:
        """Whether there are older events that may be for a listener."""
        sequence, stored = self._last[namespace]
        return sequence > listener.cursor if listener.cursor else stored >= listener.since

    async def _read_for(self, namespace: str, behind: list[Listener]) -> None:
        last = self._last[namespace][0]
        by_time = [each for each in behind if not each.cursor]
        by_cursor = [each for each in behind if each.cursor]
        if by_time:
            await self._read(by_time, self._store.pages(namespace, 0, min(each.since for each in by_time), last))
        if by_cursor:
            await self._read(by_cursor, self._store.pages(namespace, min(each.cursor for each in by_cursor), 0.0, last))

    async def _read(self, behind: list[Listener], pages: AsyncIterator[list[Event]]) -> None:
        by_type: dict[Any, list[Listener]] = {}
        for listener in behind:
            for kind in listener.types or (ANY,):
                by_type.setdefault(kind, []).append(listener)
        async for page in pages:
            for event in page:
                for listener in (*by_type.get(event.attributes.get("type"), ()), *by_type.get(ANY, ())):
                    await self._taken(listener)
                    if self._waits(listener):
                        self._give(listener, [event])

    async def _taken(self, listener: Listener) -> None:
        """Returns when a run has taken most of what it was given, or has enough for now."""
        while self._waits(listener) and self._untaken(listener.key[0]) > _MOST_UNTAKEN:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(_TURN)

    def _give(self, listener: Listener, events: Iterable[Event]) -> None:
        ref, task = listener.key
        for event in listener.take(events):
            self._deliver(ref, EventArrived(task=task, event=event.attributes, sequence=event.sequence))

    async def emit(self, run: Emitting, command: EmitEvent) -> CallEnded:
        """Stores an event that a run emits and publishes it; the stimulus that says so. Tries until it is stored."""
        event, task, namespace = command.event, command.task, run.ref.namespace
        if len(event) > MAX_EVENT:
            said = f"the event has {len(event)} bytes as JSON; at most {MAX_EVENT} are allowed"
            return CallEnded(task=task, error=standard("validation", said).error)
        try:
            named = msgspec.json.decode(event, type=_Named)
        except msgspec.ValidationError as wrong:
            return CallEnded(task=task, error=standard("validation", f"no CloudEvent 1.0: {wrong}").error)
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
