"""CloudEvents for the workflows of each namespace, in the order in which they were stored, for a day."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.contracts.events import timestamp
from services.contracts.names import FunctionRef
from services.workflow.store import streams
from services.workflow.store.consumers import Following, share
from services.workflow.store.jetstream import JetStream, Outrun
from services.workflow.store.messages import Message, place

log = logging.getLogger("events")

_CONSUMER = "schedules"
_TAKE_SECONDS = 10.0
_MOST_WAITING = 100
_TRIES = 25
_ACK = b"+ACK"
_AGAIN = b'-NAK {"delay": 1000000000}'


class Event(msgspec.Struct, frozen=True):
    """A stored CloudEvent. ``sequence`` is its place among those of all namespaces, ``stored`` its time by the clock of
    nats-server (epoch seconds)."""

    sequence: int
    namespace: str
    stored: float
    attributes: dict[str, Any]


class Cursor(msgspec.Struct, frozen=True):
    """How far a schedule has read its events: to the one with sequence ``after``. ``trigger``: the digest of what it
    waits for, since another trigger begins anew. ``written``: the sequence of this cursor itself, 0 for none."""

    trigger: str
    after: int
    written: int = 0


class EventStore:
    """The stream of events. Everything raises Unavailable when JetStream can't be reached or says no."""

    def __init__(self, js: JetStream) -> None:
        self._js = js

    async def put(self, namespace: str, event: bytes, message_id: str) -> int:
        """Stores a CloudEvent (JSON); its sequence. One of the same ``message_id`` within ten minutes is the same."""
        return await self._js.insist(streams.event(namespace), event, {"Nats-Msg-Id": message_id})

    async def last(self, namespace: str) -> tuple[int, float]:
        """Sequence and time of the last event of a namespace; zeros when there is none."""
        found = await self._js.sure_last(streams.EVENTS, streams.event(namespace))
        return (found.sequence, _stored_at(found)) if found is not None else (0, 0.0)

    async def page(self, namespace: str, after: int, since: float = 0.0) -> list[Event]:
        """Some of the events of a namespace that were stored after the one with sequence ``after`` or, when that is 0,
        from the time ``since`` on: those that come first. None: there are no more, or a replica is behind."""
        begin = "" if after else timestamp(since)
        found = await self._js.page(streams.EVENTS, streams.event(namespace), after + 1, begin)
        return [Event(each.sequence, namespace, _stored_at(each), msgspec.json.decode(each.data)) for each in found]

    async def pages(self, namespace: str, after: int, since: float, last: int) -> AsyncIterator[list[Event]]:
        """All of them, up to the one with sequence ``last`` at least: a replica may have it a moment late."""
        tries = _TRIES
        while True:
            page = await self.page(namespace, after, since)
            if page:
                after, tries = page[-1].sequence, _TRIES
                yield page
            elif after >= last or tries == 0:
                return
            else:  # or it has gone, a day after it came
                tries -= 1
                await asyncio.sleep(0.02)

    async def read(self, namespace: str, after: int, last: int) -> list[Event]:
        """The events of a namespace after the one with sequence ``after``, up to ``last`` at least."""
        return [event async for page in self.pages(namespace, after, 0.0, last) for event in page]

    async def cursor(self, workflow: FunctionRef) -> Cursor | None:
        """How far the schedule of a workflow has read."""
        found = await self._js.sure_last(streams.STATE, streams.cursor(workflow))
        if found is None:
            return None
        return msgspec.structs.replace(msgspec.json.decode(found.data, type=Cursor), written=found.sequence)

    async def move(self, workflow: FunctionRef, cursor: Cursor) -> bool:
        """Sets the cursor, in place of the one that was ``written`` when it was read; whether nobody else has since."""
        headers = {"Nats-Rollup": "sub", "Nats-Expected-Last-Subject-Sequence": str(cursor.written)}
        try:
            await self._js.insist(streams.cursor(workflow), msgspec.json.encode(cursor), headers)
        except Outrun:
            return False
        return True

    async def forget(self, workflow: FunctionRef) -> None:
        """Removes the cursor of a workflow that has gone."""
        await self._js.api(f"STREAM.PURGE.{streams.STATE}", {"filter": streams.cursor(workflow)})

    async def end(self) -> int:
        """The sequence of the last event of all namespaces."""
        info = await self._js.api(f"STREAM.INFO.{streams.EVENTS}")
        return int(info["state"]["last_seq"])

    async def follow(self, take: Callable[[Event], None], started: asyncio.Event) -> None:
        """Gives each event from now on to ``take``, once and in order, until cancelled; ``started`` is set when none
        is missed any more. ``take`` must not wait."""
        following = Following(
            self._js, streams.EVENTS, streams.event("*"), await self.end(), lambda message: take(_delivered(message))
        )
        started.set()
        await following.run()

    async def consume(self, take: Callable[[Event], Awaitable[bool]]) -> None:
        """Gives each event to ``take`` here or in one of the other instances, until cancelled; whether it is done with,
        else it is offered again. At least once."""
        async with asyncio.TaskGroup() as tasks:

            async def work(message: Msg) -> None:
                try:
                    done = await take(_delivered(message))
                except asyncio.CancelledError:  # this service stops: another takes it at once
                    await self._answer(message, b"-NAK")
                    raise
                except Exception:  # one event that can't be taken must not end the others; it is offered again
                    log.exception("an event on %s was not taken", message.subject)
                    done = False
                await self._answer(message, _ACK if done else _AGAIN)

            async def on_message(message: Msg) -> None:
                tasks.create_task(work(message))

            await share(
                self._js,
                streams.EVENTS,
                _CONSUMER,
                streams.event("*"),
                streams.ARRIVED,
                _TAKE_SECONDS,
                on_message,
                _MOST_WAITING,
            )

    async def _answer(self, message: Msg, answer: bytes) -> None:
        with suppress(NatsError):  # without a connection it stays unanswered, and is offered again
            await self._js.bus.publish(message.reply, answer)


def _stored_at(message: Message) -> float:
    """When a message was stored: RFC 3339 to the nanosecond, where Python reads six digits."""
    whole, _, fraction = message.headers["Nats-Time-Stamp"].removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp() + float(f"0.{fraction or 0}")


def _delivered(message: Msg) -> Event:
    found = place(message.reply)
    namespace = message.subject.rpartition(".")[2]
    return Event(found.sequence, namespace, found.stored, msgspec.json.decode(message.data))
