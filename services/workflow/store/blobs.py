"""Large records of runs by digest, and large snapshots. They are stored before what refers to them, and go with the
run: so they belong to it, and none needs a count of who refers to it."""

import asyncio
import hashlib

from services.contracts.names import FunctionRef
from services.workflow.store import streams
from services.workflow.store.jetstream import JetStream, Outrun, Unavailable

_PART = 1024 * 1024
"""Bytes of one message."""
_FIRST = {"Nats-Expected-Last-Subject-Sequence": "0"}
_WRITERS = 16
"""Parts under way at once: each is synced to disk before it is acknowledged."""


class BlobStore:
    """Bytes by run and SHA-256 (hexadecimal)."""

    def __init__(self, js: JetStream) -> None:
        self._js = js

    async def put(self, ref: FunctionRef, blobs: dict[str, bytes]) -> None:
        """Stores what is not stored yet. Raises Unavailable."""
        parts = [part for digest, data in blobs.items() for part in _parts(ref, digest, data)]
        left = iter(parts)

        async def write() -> None:
            for subject, data in left:  # shared: each writer takes the next
                try:
                    await self._js.insist(subject, data, dict(_FIRST))
                except Outrun:
                    continue  # it is there already

        try:
            async with asyncio.TaskGroup() as writers:
                for _ in range(min(_WRITERS, len(parts))):
                    writers.create_task(write())
        except* Unavailable as failed:
            failure = failed.exceptions[0]
        else:
            return
        raise failure

    async def get(self, ref: FunctionRef, digests: list[str]) -> dict[str, bytes]:
        """Those of ``digests`` that are there, whole and undamaged. Raises Unavailable."""
        found = {}
        for digest in dict.fromkeys(digests):
            data = await self._read(ref, digest)
            if data is not None:
                found[digest] = data
        return found

    async def _read(self, ref: FunctionRef, digest: str) -> bytes | None:
        messages = await self._js.read(streams.BLOBS, streams.blob(ref, digest, "*"))
        parts = {int(message.subject.rpartition(".")[2].partition("-")[0]): message.data for message in messages}
        data = b"".join(parts[number] for number in sorted(parts))
        return data if messages and hashlib.sha256(data).hexdigest() == digest else None

    async def drop(self, ref: FunctionRef, digest: str = "*") -> None:
        """Removes one, or all that the run has. Raises Unavailable."""
        await self._js.api(f"STREAM.PURGE.{streams.BLOBS}", {"filter": streams.blob(ref, digest, "*")})


def _parts(ref: FunctionRef, digest: str, data: bytes) -> list[tuple[str, bytes]]:
    count = max(1, -(-len(data) // _PART))
    return [
        (streams.blob(ref, digest, f"{number}-{count}"), data[number * _PART : (number + 1) * _PART])
        for number in range(count)
    ]


def missing(ref: FunctionRef, digests: list[str], found: dict[str, bytes]) -> Unavailable | None:
    """The error for large records that should be there."""
    lost = [digest for digest in digests if digest not in found]
    return Unavailable(f"run {ref}: large records are not there or damaged: {', '.join(lost)}") if lost else None
