"""Consumers of streams: one shared by all instances, and one that follows a stream in order."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.contracts.subjects import WORKFLOW_QUEUE
from services.workflow.store.jetstream import JetStream, Unavailable
from services.workflow.store.messages import place

log = logging.getLogger("store")

_PAUSE = 0.2
_HEARTBEAT = 2.0
"""Seconds between signs of life of a consumer that has nothing to say."""
_SILENCE = 5.0

Take = Callable[[Msg], Awaitable[None]]
"""Called as soon as a message is read. It must not wait: it would hold up all others."""


async def share(
    js: JetStream, stream: str, name: str, subject: str, deliver: str, seconds: float, take: Take, waiting: int
) -> None:
    """Takes the messages on ``subject`` together with all others who do so by this ``name``, until cancelled.

    Each must be acknowledged within ``seconds`` or is offered again; at most ``waiting`` are unacknowledged at a time.
    ``deliver`` is the subject on which they come.
    """
    config = {
        "durable_name": name,
        "filter_subject": subject,
        "deliver_subject": deliver,
        "deliver_group": WORKFLOW_QUEUE,
        "deliver_policy": "all",
        "ack_policy": "explicit",
        "ack_wait": int(seconds * 1e9),
        "max_ack_pending": waiting,
    }
    await _made(js, f"{stream}.{name}", {"stream_name": stream, "config": config})
    subscription = await js.bus.subscribe(deliver, queue=WORKFLOW_QUEUE, cb=take)
    js.bus.deliver_at_once(subscription, take)
    try:
        await asyncio.Event().wait()
    finally:
        with suppress(NatsError):  # of a connection that was closed before
            await subscription.unsubscribe()


async def _made(js: JetStream, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Makes a consumer; waits for a JetStream that is not there, or that will not."""
    while True:
        try:
            return await js.api(f"CONSUMER.CREATE.{path}", body)
        except Unavailable as error:
            log.warning("there is no consumer %s yet: %s", path, error)
            await asyncio.sleep(_PAUSE)


class Following:
    """Reads a stream in order from the message after ``position`` on: every message once, whatever breaks off.

    By a consumer without acknowledgements that is made anew when it has a gap or falls silent (NATS ADR-17).
    """

    def __init__(self, js: JetStream, stream: str, subject: str, position: int, take: Callable[[Msg], None]) -> None:
        self._js, self._stream, self._subject, self._take = js, stream, subject, take
        self.position = position
        """The sequence of the last message that was handed over."""
        self._expected = 1  # the number that the consumer gives its next message
        self._heard = 0.0
        self._broken = asyncio.Event()

    async def run(self) -> None:
        """Follows until cancelled."""
        self._js.bus.lost.append(self._broken.set)
        try:
            while True:
                await self._follow()
                while not self._js.bus.is_connected:  # noqa: ASYNC110  # nats-py tells nobody when it is back
                    await asyncio.sleep(0.05)
        finally:
            self._js.bus.lost.remove(self._broken.set)

    async def _follow(self) -> None:
        """Until the consumer is of no more use."""
        inbox = self._js.bus.new_inbox()
        self._broken.clear()
        self._expected, self._heard = 1, time.monotonic()
        subscription = await self._js.bus.subscribe(inbox, cb=self._on_message)
        self._js.bus.deliver_at_once(subscription, self._on_message)
        try:
            await self._create(inbox)
            while time.monotonic() - self._heard < _SILENCE:
                try:
                    async with asyncio.timeout(1.0):
                        await self._broken.wait()
                    return
                except TimeoutError:
                    continue
            log.info("the stream %s is silent: its consumer is made anew", self._stream)
        finally:
            with suppress(NatsError):
                await subscription.unsubscribe()

    async def _create(self, inbox: str) -> None:
        config = {
            "deliver_subject": inbox,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self.position + 1,
            "filter_subject": self._subject,
            "ack_policy": "none",
            "idle_heartbeat": int(_HEARTBEAT * 1e9),
            "flow_control": True,
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": int(10e9),
        }
        await _made(self._js, self._stream, {"stream_name": self._stream, "config": config})

    async def _on_message(self, message: Msg) -> None:
        self._heard = time.monotonic()
        if not message.reply.startswith("$JS.ACK."):
            if message.reply:  # flow control: says that all before it has been read
                await self._js.bus.publish(message.reply)
            return
        numbers = place(message.reply)
        if numbers.of_consumer != self._expected:
            self._broken.set()
            return
        self._expected += 1
        if numbers.sequence > self.position:
            self.position = numbers.sequence
            self._take(message)
