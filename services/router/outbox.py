"""What the router publishes: handed over in callbacks, sent by one task.

nats-py's ``publish`` is a coroutine; one task that sends what has gathered costs less than a task for each message.
"""

import asyncio
import logging

from nats import errors
from nats.aio.client import Client

from services.router.metrics import Totals

log = logging.getLogger("outbox")
Headers = dict[str, str]


class Outbox:
    """Messages on their way to the bus, in order."""

    def __init__(self, bus: Client, totals: Totals) -> None:
        self._bus = bus
        self._totals = totals
        self._replies: list[tuple[str, bytes, Headers]] = []
        self._events: list[tuple[str, bytes]] = []
        self._wake = asyncio.Event()
        self._finishing = False

    def reply(self, subject: str, body: bytes, headers: Headers) -> None:
        """Sends a reply; while the bus is away it is kept within the client's bounds, and else counted as lost."""
        self._replies.append((subject, body, headers))
        self._wake.set()

    def event(self, subject: str, payload: bytes) -> None:
        """Sends an event, report or sign of life, after the replies; dropped while the bus is away."""
        self._events.append((subject, payload))
        self._wake.set()

    def finish(self) -> None:
        """Lets ``run`` return when all is sent."""
        self._finishing = True
        self._wake.set()

    async def run(self) -> None:
        """Sends until ``finish``."""
        while not self._finishing or self._replies or self._events:
            await self._wake.wait()
            self._wake.clear()
            await self._send()

    async def _send(self) -> None:
        replies, self._replies = self._replies, []
        for subject, body, headers in replies:
            try:
                await self._bus.publish(subject, body, headers=headers)
            except (errors.Error, UnicodeError) as error:
                self._totals.lost_replies += 1
                log.error("a reply could not be sent: %s", error or type(error).__name__)
        events, self._events = self._events, []
        for subject, payload in events:
            if not self._bus.is_connected:
                self._totals.dropped_events += 1
                continue
            try:
                await self._bus.publish(subject, payload)
            except errors.Error as error:
                self._totals.dropped_events += 1
                log.error("an event could not be sent: %s", error or type(error).__name__)
