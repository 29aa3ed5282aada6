"""The platform's events as server-sent events (HTML Living Standard, section 9.2): one CloudEvent each."""

import asyncio
import logging
from typing import Annotated

from fastapi import APIRouter, Query, Response
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from services.common.replies import Replies
from services.contracts.errors import Code, FaasError
from services.contracts.subjects import event
from services.gateway.functions_api import Namespace
from services.gateway.live import Feed, Live, Streams
from services.gateway.request import checked_label

log = logging.getLogger("events")

BEAT_SECONDS = 5.0
"""How often a comment is sent, so that a connection that is gone is noticed by both sides."""


class Listener:
    """One reader's events. Those that come faster than it reads are dropped, and it is told how many."""

    def __init__(self) -> None:
        self._feed: Feed | None = None
        self._early: list[bytes] = []
        self._dropped = 0

    async def on_event(self, message: Msg) -> None:
        """An event from the bus."""
        data = b"".join(b"data: %b\n" % line for line in message.data.splitlines()) + b"\n"
        if self._feed is None:
            self._early.append(data)
        elif not self._feed.offer(data):
            self._dropped += 1

    async def produce(self, feed: Feed, bus: Client, subscription: Subscription) -> None:
        """Runs until cancelled. The first comment says that from now on no event is missed."""
        feed.offer(b": listening\n\n")
        for data in self._early:
            feed.offer(data)
        self._feed = feed
        try:
            while True:
                await asyncio.sleep(BEAT_SECONDS)
                comment = b"" if bus.is_connected else b"NATS is away; events may be missed"
                if self._dropped and feed.offer(b": %d events were dropped: they come too fast\n\n" % self._dropped):
                    self._dropped = 0
                feed.offer(b": %b\n\n" % comment)
        finally:
            if not bus.is_closed:
                await subscription.unsubscribe()


def router(replies: Replies, streams: Streams) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/api/v1/namespaces/{namespace}", tags=["events"])

    @routes.get("/events", summary="Watch events as they happen (server-sent events of CloudEvents 1.0)")
    async def watch_events(
        namespace: Namespace, function: Annotated[str | None, Query(description="Only this function's events.")] = None
    ) -> Response:
        checked_label(namespace, "namespace")
        if function is None:
            subject = event(namespace, "*", "*", "*")
        else:
            subject = event(namespace, "function", checked_label(function, "function's name"), "*")
        bus, listener = replies.connection(), Listener()
        try:
            subscription = await bus.subscribe(subject, cb=listener.on_event)
            await bus.flush(5)
        except (NatsError, TimeoutError) as error:
            log.error("cannot subscribe to %s: %s", subject, error)
            raise FaasError(Code.BUS_UNAVAILABLE, "NATS does not answer; try again", retry_after=1) from None
        return Live(streams, "text/event-stream", lambda feed: listener.produce(feed, bus, subscription))

    return routes
