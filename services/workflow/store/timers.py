"""Timers as scheduled messages of nats-server: they fire whoever is there, and whoever is there takes them."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.contracts.errors import FaasError
from services.contracts.events import timestamp
from services.contracts.names import FunctionRef
from services.workflow.store import streams
from services.workflow.store.consumers import share
from services.workflow.store.jetstream import JetStream, Outrun, Unavailable

log = logging.getLogger("timers")

Deliver = Callable[[FunctionRef, "Due"], Awaitable[bool]]
"""Told of a timer that is due; whether it has been taken. One that has not is offered again."""

LEAD = 0.5
"""Seconds that a message is scheduled ahead of its time: nats-server is up to 0.27 s late when it has many (measured),
and who takes it waits for the rest."""
FAR = 300.0
"""Seconds: a timer further away is removed when it is not wanted; a nearer one fires and is ignored."""
_CONSUMER = "fired"
_TAKE_SECONDS = 5
"""A fired timer that was not taken in this time, since its taker died, is offered to another."""
_MOST_WAITING = 20_000
_AGAIN = b'-NAK {"delay": 500000000}'


class Due(msgspec.Struct):
    """What a timer's message says: its name, when it is due (epoch seconds), and what who set it wants to know."""

    timer: str
    at: float
    note: str = ""


_decode = msgspec.json.Decoder(Due).decode
_encode = msgspec.json.Encoder().encode


class TimerStore:
    """Timers of runs by name. Times are epoch seconds."""

    def __init__(self, js: JetStream) -> None:
        self._js = js

    async def schedule(self, ref: FunctionRef, timer: str, at: float, note: str = "", new: bool = False) -> None:
        """Sets a timer, in place of one of that name; ``new``: only if there is none. Raises Unavailable."""
        name = _token(timer)
        headers = {
            "Nats-Schedule": f"@at {timestamp(max(at - LEAD, 0.0))}",
            "Nats-Schedule-Target": streams.fired(ref, name),
        }
        if new:
            headers["Nats-Expected-Last-Subject-Sequence"] = "0"
        with suppress(Outrun):
            await self._js.insist(streams.timer(ref, name), _encode(Due(timer, at, note)), headers)

    async def waiting(self, ref: FunctionRef) -> list[Due]:
        """The timers that are set, or have fired and are not taken yet. Raises Unavailable."""
        found = await self._js.read(streams.TIMERS, streams.timer(ref, "*"))
        found += await self._js.read(streams.TIMERS, streams.fired(ref, "*"))
        return [_decode(message.data) for message in found]

    async def remove(self, ref: FunctionRef, timer: str) -> None:
        """Removes a timer that has not fired, however soon it is due. Raises Unavailable."""
        await self._purge(streams.timer(ref, _token(timer)))

    async def drop(self, ref: FunctionRef, timer: str, at: float) -> None:
        """Says that a timer is not wanted. Raises Unavailable."""
        if at - time.time() > FAR:
            await self._purge(streams.timer(ref, _token(timer)))

    async def drop_all(self, ref: FunctionRef) -> None:
        """Removes all timers of a run that has ended. Raises Unavailable."""
        await self._purge(streams.timer(ref, "*"))

    async def _purge(self, subject: str) -> None:
        await self._js.api(f"STREAM.PURGE.{streams.TIMERS}", {"filter": subject})

    async def consume(self, deliver: Deliver) -> None:
        """Gives every timer that is due to ``deliver``, here or in another instance, until cancelled.

        At least once; at its time or, when nobody was there, as soon as somebody is.
        """
        async with asyncio.TaskGroup() as tasks:
            taker = _Taker(self._js, deliver, tasks)
            every = streams.fired(FunctionRef("*", "*"), "*")
            try:
                await share(
                    self._js, streams.TIMERS, _CONSUMER, every, streams.DUE, _TAKE_SECONDS, taker.take, _MOST_WAITING
                )
            finally:
                await taker.close()


class _Taker:
    """Takes fired timers: holds each until its time."""

    def __init__(self, js: JetStream, deliver: Deliver, tasks: asyncio.TaskGroup) -> None:
        self._js = js
        self._deliver = deliver
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._held: dict[str, asyncio.TimerHandle] = {}

    async def close(self) -> None:
        """Lets go of what is held: it is offered to another at once."""
        for reply, handle in self._held.items():
            handle.cancel()
            with suppress(NatsError):
                await self._js.bus.publish(reply, b"-NAK")

    async def take(self, message: Msg) -> None:
        """A timer that is due, or is within LEAD."""
        due = _decode(message.data)
        wait = due.at - time.time() + 0.002  # uvloop's clock has milliseconds: none fires before its time
        # one whose waker sleeps past its acknowledgement would be given to another: no longer than LEAD, ever
        self._held[message.reply] = self._loop.call_later(min(max(wait, 0.0), LEAD), self._start, message, due)

    def _start(self, message: Msg, due: Due) -> None:
        self._held.pop(message.reply, None)
        self._tasks.create_task(self._fire(message, due))

    async def _fire(self, message: Msg, due: Due) -> None:
        _, namespace, run, _ = message.subject.rsplit(".", 3)
        ref = FunctionRef(namespace, run)
        try:
            taken = await self._deliver(ref, due)
        except (Unavailable, FaasError) as error:
            log.warning("timer %s of %s is offered again: %s", due.timer, ref, error)
            taken = False
        except Exception:  # one timer that can't be delivered must not end the others; it is offered again
            log.exception("timer %s of %s was not delivered", due.timer, ref)
            taken = False
        with suppress(NatsError):  # without a connection it stays unanswered, and is offered again
            await self._js.bus.publish(message.reply, b"+ACK" if taken else _AGAIN)


def _token(timer: str) -> str:
    """A timer's name as one token of a subject; names have no ``_`` of their own."""
    return timer.replace(".", "_")
