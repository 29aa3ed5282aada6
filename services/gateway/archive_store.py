"""Archives in JetStream's object store, streamed: at no time is more than a few chunks of one in memory.

The messages are those of every NATS client's object store (NATS ADR-20), so ``nats object ls archives`` shows them;
nats-py's own store would keep a whole object in memory or on disk.
"""

import asyncio
import base64
import hashlib
import logging
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from nats.js.api import ObjectStoreConfig, PubAck
from nats.js.errors import APIError, NotFoundError

from services.common.replies import Replies
from services.contracts.archives import MAX_ARCHIVE
from services.contracts.errors import Code, FaasError
from services.gateway.request import too_large

log = logging.getLogger("archives")

BUCKET = "archives"
STREAM = f"OBJ_{BUCKET}"
CHUNK = 256 * 1024
"""Bytes of one message. Each is synced to disk before it is acknowledged, so larger ones are faster."""
_WINDOW = 4
"""Messages that may await their acknowledgement."""
_TIMEOUT = 10.0
"""Seconds for one answer of JetStream."""
_WRONG_LAST_SEQUENCE = 10071
"""JetStream's error code for a compare-and-set that somebody else won."""


class Stored(msgspec.Struct, omit_defaults=True):
    """What the store keeps about an object (ADR-20, ObjectInfo)."""

    name: str
    nuid: str
    size: int = 0
    chunks: int = 0
    digest: str = ""
    mtime: str = ""
    bucket: str = BUCKET
    options: dict[str, int] = {}
    deleted: bool = False


def unavailable(error: Exception) -> FaasError:
    """The error for a JetStream that does not answer as it should."""
    log.error("JetStream: %s", error or type(error).__name__)
    if isinstance(error, APIError) and error.description:  # its own words, such as that there is no room
        return FaasError(Code.BUS_UNAVAILABLE, f"the archive store refuses: {error.description}", retry_after=1)
    return FaasError(Code.BUS_UNAVAILABLE, "the archive store does not answer; try again", retry_after=1)


class ArchiveStore:
    """Archives by namespace and digest. Raises FaasError ``bus_unavailable`` when JetStream cannot be used."""

    def __init__(self, replies: Replies, replicas: int) -> None:
        self._replies = replies
        self._replicas = replicas

    def _bus(self) -> tuple[Client, JetStreamContext]:
        bus = self._replies.connection()
        return bus, bus.jetstream(timeout=_TIMEOUT)

    async def find(self, namespace: str, digest: str) -> Stored | None:
        """What is known about an archive, or None when it is not there."""
        try:
            found, _ = await self._last(namespace, digest)
        except (NatsError, APIError) as error:
            raise unavailable(error) from None
        return found

    async def _last(self, namespace: str, digest: str) -> tuple[Stored | None, int]:
        """The archive, and the number of the last message about it: what a compare-and-set must name."""
        _, stream = self._bus()
        try:
            message = await stream.get_last_msg(STREAM, _about(namespace, digest), direct=True)
        except NotFoundError:
            return None, 0
        except NoRespondersError:
            # no stream, or one that has no leader now: asked for by name, JetStream says which
            try:
                await stream.stream_info(STREAM)
            except NotFoundError:
                return None, 0
            raise
        found = msgspec.json.decode(message.data or b"{}", type=Stored)
        return None if found.deleted else found, message.seq or 0

    async def put(self, namespace: str, digest: str, body: AsyncIterator[bytes]) -> int:
        """Stores ``body`` and returns its size. Raises FaasError when it is too large or not what ``digest`` says."""
        try:
            return await self._put(namespace, digest, body)
        except (NatsError, APIError, TimeoutError) as error:
            raise unavailable(error) from None

    async def _put(self, namespace: str, digest: str, body: AsyncIterator[bytes]) -> int:
        bus, stream = self._bus()
        await self._create_bucket(stream)
        object_id = bus.new_inbox().rpartition(".")[2]
        written = Stored(f"{namespace}/{digest}", object_id, options={"max_chunk_size": CHUNK})
        try:
            await _write(stream, written, digest, body)
            return await self._publish(stream, namespace, digest, written)
        except BaseException:
            # also when the sender left or this gateway stops: chunks without their object would stay for ever
            await asyncio.shield(self._purge(stream, object_id))
            raise

    async def _create_bucket(self, stream: JetStreamContext) -> None:
        """Makes the store where there is none; one that an operator has changed since stays as it is."""
        try:
            await stream.stream_info(STREAM)
        except NotFoundError:
            await stream.create_object_store(BUCKET, ObjectStoreConfig(replicas=self._replicas))

    async def _publish(self, stream: JetStreamContext, namespace: str, digest: str, written: Stored) -> int:
        """Makes the written chunks an object, unless the same archive came in meanwhile."""
        known, last = await self._last(namespace, digest)
        if known is None:
            try:
                fields = {"Nats-Expected-Last-Subject-Sequence": str(last), "Nats-Rollup": "sub"}
                await stream.publish(_about(namespace, digest), msgspec.json.encode(written), headers=fields)
                return written.size
            except APIError as error:
                if error.err_code != _WRONG_LAST_SEQUENCE:
                    raise
        await self._purge(stream, written.nuid)
        return written.size

    async def _purge(self, stream: JetStreamContext, object_id: str) -> None:
        try:
            await stream.purge_stream(STREAM, subject=_chunks(object_id))
        except (NatsError, APIError) as error:
            log.error("chunks of an unfinished upload stay: %s", error, extra={"object": object_id})

    async def read(self, stored: Stored) -> AsyncIterator[bytes]:
        """The archive's bytes. Raises FaasError, before the last chunk, when they are not those of its digest."""
        _, stream = self._bus()
        digest, sequence = hashlib.sha256(), 0
        try:
            for number in range(stored.chunks):
                chunk = await stream.get_msg(STREAM, sequence + 1, _chunks(stored.nuid), direct=True, next=True)
                sequence = chunk.seq or 0
                data = chunk.data or b""
                digest.update(data)
                if number == stored.chunks - 1 and stored.digest != _digest_text(digest.digest()):
                    raise FaasError(Code.INTERNAL, f"the stored archive {stored.name} is damaged")
                yield data
        except (NatsError, APIError) as error:
            raise unavailable(error) from None


async def _write(stream: JetStreamContext, written: Stored, digest: str, body: AsyncIterator[bytes]) -> None:
    """Publishes ``body`` in chunks and fills in what ``written`` says of them. Raises FaasError, nats errors."""
    computed = hashlib.sha256()
    open_acks: deque[asyncio.Future[PubAck]] = deque()
    pending = bytearray()

    async def publish(data: bytes) -> None:
        while len(open_acks) >= _WINDOW:
            await _acknowledged(open_acks.popleft())
        open_acks.append(await stream.publish_async(_chunks(written.nuid), data, _TIMEOUT))
        written.chunks += 1

    async for data in body:
        computed.update(data)
        written.size += len(data)
        if written.size > MAX_ARCHIVE:
            raise too_large(f"more than {MAX_ARCHIVE}", MAX_ARCHIVE)
        pending += data
        while len(pending) >= CHUNK:
            await publish(bytes(pending[:CHUNK]))
            del pending[:CHUNK]
    if pending:
        await publish(bytes(pending))
    while open_acks:
        await _acknowledged(open_acks.popleft())
    if computed.hexdigest() != digest:
        raise FaasError(
            Code.INVALID_RESOURCE, f"the body's SHA-256 is {computed.hexdigest()}, but the address says {digest}"
        )
    written.digest = _digest_text(computed.digest())
    written.mtime = datetime.now(UTC).isoformat().replace("+00:00", "Z")


async def _acknowledged(ack: asyncio.Future[PubAck]) -> None:
    async with asyncio.timeout(_TIMEOUT):
        await ack


def _about(namespace: str, digest: str) -> str:
    return f"$O.{BUCKET}.M.{base64.urlsafe_b64encode(f'{namespace}/{digest}'.encode()).decode()}"


def _chunks(object_id: str) -> str:
    return f"$O.{BUCKET}.C.{object_id}"


def _digest_text(digest: bytes) -> str:
    return f"SHA-256={base64.urlsafe_b64encode(digest).decode()}"
