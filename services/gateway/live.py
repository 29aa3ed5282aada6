"""Answers that go on until their reader leaves or the gateway stops: logs that are followed, events."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.common.kube import ApiError
from services.contracts.errors import FaasError

log = logging.getLogger("live")


class Feed:
    """What is to be sent: bounded, with one reader."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._chunks: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False

    def offer(self, chunk: bytes) -> bool:
        """Adds ``chunk`` unless the feed is full."""
        if len(self._chunks) >= self._limit:
            return False
        self._chunks.append(chunk)
        self._changed.set()
        return True

    async def put(self, chunk: bytes) -> None:
        """Adds ``chunk``, waiting for room."""
        while not self.offer(chunk):
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """Says that nothing more comes."""
        self._ended = True
        self._changed.set()

    async def take(self) -> bytes | None:
        """All that is waiting, in order; None once the feed has ended."""
        while not self._chunks:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        chunk = b"".join(self._chunks)
        self._chunks.clear()
        self._room.set()
        return chunk


class Streams:
    """The open streams of this process. A gateway that stops ends them: nothing else would."""

    def __init__(self) -> None:
        self.producers: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """Ends all streams; what their readers are owed is still sent."""
        for producer in self.producers:
            producer.cancel()


class Live(Response):
    """A streamed answer. ``produce`` fills the feed until it is cancelled or has no more."""

    def __init__(
        self, streams: Streams, media_type: str, produce: Callable[[Feed], Awaitable[None]], backlog: int = 1000
    ) -> None:
        super().__init__(media_type=media_type, headers={"cache-control": "no-store"})
        del self.headers["content-length"]
        self._streams = streams
        self._produce = produce
        self._feed = Feed(backlog)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the stream; returns when it has ended or its reader left."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with asyncio.TaskGroup() as tasks:
            producer = tasks.create_task(self._run())
            self._streams.producers.add(producer)
            producer.add_done_callback(self._streams.producers.discard)
            leaving = tasks.create_task(_until_reader_leaves(receive, producer))
            while (chunk := await self._feed.take()) is not None:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            leaving.cancel()

    async def _run(self) -> None:
        try:
            await self._produce(self._feed)
        except (FaasError, ApiError) as error:
            # the status is sent already: the stream just ends, which a reader sees as its end
            log.warning("a stream ended early: %s", error)
        finally:
            self._feed.end()


async def _until_reader_leaves(receive: Receive, producer: "asyncio.Task[None]") -> None:
    while (await receive())["type"] != "http.disconnect":
        pass  # the rest of a request body that nobody asked for
    producer.cancel()
