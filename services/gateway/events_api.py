"""The platform's events as server-sent events (HTML Living Standard, section 9.2): one CloudEvent each."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, NamedTuple

import msgspec
from fastapi import APIRouter, Query, Response
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from services.common.replies import Replies
from services.contracts.errors import Code, FaasError
from services.contracts.subjects import event
from services.gateway.live import Feed, Live, Streams
from services.gateway.request import checked_label
from services.gateway.resources_api import Namespace

log = logging.getLogger("events")

BEAT_SECONDS = 5.0
"""How often a comment is sent, so that a connection that is gone is noticed by both sides."""
_ENDS = tuple(f"io.serverlessworkflow.workflow.{verb}.v1" for verb in ("completed", "faulted", "cancelled"))


class _Event(msgspec.Struct):
    type: str = ""
    subject: str = ""


class Filter(NamedTuple):
    """Which events are sent: those of the run ``run``, or all when it is empty."""

    run: str = ""

    def takes(self, data: bytes) -> tuple[bool, bool]:
        """Whether an event is sent, and whether it is the end of the one run."""
        if not self.run:
            return True, False
        try:
            found = msgspec.json.decode(data, type=_Event)
        except msgspec.DecodeError:
            return False, False
        taken = found.subject == self.run
        return taken, taken and found.type in _ENDS


def events_of_run(run: str) -> Filter:
    """Those of one run, whose id is checked."""
    return Filter(run)


class Snapshot(NamedTuple):
    """How things stand, as JSON, and whether nothing more will happen. ``again``: at each beat, since an event may be
    lost, and at an end."""

    take: Callable[[], Awaitable[tuple[bytes, bool]]]
    again: bool


class Listener:
    """One reader's events. Those that come faster than it reads are dropped, and it is told how many."""

    def __init__(self, filter_: Filter, snapshot: Snapshot | None) -> None:
        self._filter = filter_
        self._snapshot = snapshot
        self._feed: Feed | None = None
        self._early: list[bytes] = []
        self._dropped = 0
        self._end = asyncio.Event()

    async def on_event(self, message: Msg) -> None:
        """An event from the bus."""
        taken, end = self._filter.takes(message.data)
        if not taken:
            return
        data = _framed(message.data)
        if self._feed is None:
            self._early.append(data)
        elif not self._feed.offer(data):
            self._dropped += 1
        if end:
            self._end.set()

    async def produce(self, feed: Feed, bus: Client, subscription: Subscription) -> None:
        """Runs until cancelled, or to the end of the one run. The first comment says that from now on no event is
        missed."""
        try:
            feed.offer(b": listening\n\n")
            if await self._shown(feed):
                return
            for data in self._early:
                feed.offer(data)
            self._feed = feed
            while True:
                ended = await self._beat()
                comment = b"" if bus.is_connected else b"NATS is away; events may be missed"
                if self._dropped and feed.offer(b": %d events were dropped: they come too fast\n\n" % self._dropped):
                    self._dropped = 0
                feed.offer(b": %b\n\n" % comment)
                if self._snapshot is not None and self._snapshot.again and await self._shown(feed, only_end=not ended):
                    return
        finally:
            if not bus.is_closed:
                await subscription.unsubscribe()

    async def _beat(self) -> bool:
        """Waits for the next beat; whether an end came first."""
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                await self._end.wait()
        except TimeoutError:
            return False
        self._end.clear()
        return True

    async def _shown(self, feed: Feed, only_end: bool = False) -> bool:
        """Sends a snapshot (with ``only_end``, only one that says the end); whether nothing more will happen."""
        if self._snapshot is None:
            return False
        try:
            state, ended = await self._snapshot.take()
        except FaasError as error:
            feed.offer(b": " + _line(str(error.code)) + b"\n\n")
            return False
        if ended or not only_end:
            await feed.put(b"event: snapshot\n" + _framed(state))
        return ended


def _framed(data: bytes) -> bytes:
    return b"".join(b"data: %b\n" % line for line in data.splitlines()) + b"\n"


def _line(text: str) -> bytes:
    return " ".join(text.split()).encode()


async def watch(
    replies: Replies, streams: Streams, subject: str, filter_: Filter, snapshot: Snapshot | None = None
) -> Response:
    """The stream of what is published on ``subject`` from now on. Raises FaasError ``bus_unavailable``."""
    bus, listener = replies.connection(), Listener(filter_, snapshot)
    try:
        subscription = await bus.subscribe(subject, cb=listener.on_event)
        await bus.flush(5)
    except (NatsError, TimeoutError) as error:
        log.error("cannot subscribe to %s: %s", subject, error)
        raise FaasError(Code.BUS_UNAVAILABLE, "NATS does not answer; try again", retry_after=1) from None
    return Live(streams, "text/event-stream", lambda feed: listener.produce(feed, bus, subscription))


def router(replies: Replies, streams: Streams) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/api/v1/namespaces/{namespace}", tags=["events"])

    @routes.get("/events", summary="Watch events as they happen (server-sent events of CloudEvents 1.0)")
    async def watch_events(
        namespace: Namespace,
        function: Annotated[str | None, Query(description="Only this function's events.")] = None,
        workflow: Annotated[str | None, Query(description="Only this workflow's events.")] = None,
        run: Annotated[str | None, Query(description="Only those of this run; with workflow.")] = None,
    ) -> Response:
        checked_label(namespace, "namespace")
        if function is not None and workflow is not None:
            raise FaasError(Code.BAD_REQUEST, "function and workflow do not go together: ask for one of them")
        if run is not None and workflow is None:
            raise FaasError(Code.BAD_REQUEST, "a run is of a workflow: give workflow too")
        if workflow is not None:
            subject = event(namespace, "workflow", checked_label(workflow, "workflow's name"), "*")
        elif function is not None:
            subject = event(namespace, "function", checked_label(function, "function's name"), "*")
        else:
            subject = event(namespace, "*", "*", "*")
        filter_ = Filter() if run is None else events_of_run(checked_label(run, "run's id"))
        return await watch(replies, streams, subject, filter_)

    return routes
