"""Histories of runs: one message for each transition, appended by compare-and-set."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping

import msgspec

from services.contracts.names import FunctionRef
from services.workflow.store import streams
from services.workflow.store.blobs import BlobStore, missing
from services.workflow.store.heads import Head, from_headers
from services.workflow.store.jetstream import PATIENCE, JetStream, Outrun, Unavailable
from services.workflow.store.messages import Message
from services.workflow.store.scan import scan
from services.workflow.worker.protocol import History
from services.workflow.worker.transition import digests

log = logging.getLogger("store")

EMPTY = b'{"records":[]}'
"""The transition with which a new owner takes a run from the old one."""
EXPIRED = "expired/0"
"""The owner of a run that is being removed."""
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_AT = "Faas-At"
_BLOB = "Faas-Blob"
_READERS = 64
"""Histories that are read at once."""
_IN_FLIGHT = 0.05
"""Seconds before an append is tried again that conflicts with one that is not stored yet."""
_REPLICA_SECONDS = 2.0
"""How long a replica may be behind."""
_LARGE_SNAPSHOT = 64 * 1024
HISTORY_LIMIT = 10_000
"""Transitions before the last snapshot that stay readable."""


class Stored(msgspec.Struct, frozen=True):
    """A run as it is stored. ``last``: the sequence of its last transition, which the next append expects."""

    history: History
    last: int
    head: Head


class Page(msgspec.Struct, frozen=True):
    """A transition of a history: its sequence, what it said about the run, and its body."""

    sequence: int
    head: Head
    message: bytes


class RunStore:
    """The runs of all namespaces. Everything raises Unavailable when JetStream can't be reached or says no."""

    def __init__(self, js: JetStream) -> None:
        self._js = js
        self._blobs = BlobStore(js)

    async def append(
        self, ref: FunctionRef, message: bytes, head: Head, expected: int, patience: float = PATIENCE
    ) -> int:
        """Appends a transition after the one with sequence ``expected`` (0: to a new run); its sequence.

        Without an answer it asks again, for ``patience`` seconds: the same message with the same expected sequence is
        stored at most once. Raises Outrun when another transition came first; Unavailable when the outcome is unknown
        (call again with the same), or for certain nothing was stored (Refused).
        """
        headers = head.to_headers()
        headers[_EXPECTED] = str(expected)
        end = time.monotonic() + patience
        while True:
            try:
                return await self._js.insist(streams.run(ref), message, headers, patience)
            except Outrun:  # perhaps by this very transition, whose answer was lost
                sequence = await self._own(ref, message, head, expected)
            if sequence:
                return sequence
            if time.monotonic() >= end:
                raise Unavailable(f"an append to run {ref} has been under way for {patience:g} s")
            await asyncio.sleep(_IN_FLIGHT)

    async def _own(self, ref: FunctionRef, message: bytes, head: Head, expected: int) -> int:
        """The sequence of the last transition when it is this one. 0 when it is still the one before: the leader of
        several servers refuses what conflicts with an append that the others have yet to agree on, perhaps this very
        one. Raises Outrun when it is another."""
        found = await self._js.sure_last(streams.runs_of(ref), streams.run(ref))
        if found is None or found.sequence <= expected:
            if found is None and expected:
                raise Outrun(f"run {ref} was removed")
            return 0
        if found.data != message or from_headers(found.headers) != head:
            raise Outrun(f"run {ref} was written by another")
        return found.sequence

    async def read(self, ref: FunctionRef, at_least: int = 0, whole: bool = False) -> Stored | None:
        """All that is needed to go on with a run, up to the transition ``at_least`` or a later one; None when there is
        no such run. ``whole``: all transitions that are kept, without a snapshot."""
        snapshot = None if whole else await self._js.last(streams.STATE, streams.snapshot(ref))
        return await self._read_tail(ref, snapshot, at_least)

    async def read_many(self, wanted: Mapping[FunctionRef, int]) -> dict[FunctionRef, Stored]:
        """As ``read``, for many, each up to its transition at least; those that are not there are left out."""
        found = await self._js.lasts(streams.STATE, [streams.snapshot(ref) for ref in wanted])
        snapshots = {streams.run_ref(message.subject): message for message in found}
        stored: dict[FunctionRef, Stored] = {}
        left = iter(wanted.items())

        async def read_some() -> None:
            for ref, at_least in left:  # shared: each reader takes the next
                one = await self._read_tail(ref, snapshots.get(ref), at_least)
                if one is not None:
                    stored[ref] = one

        try:
            async with asyncio.TaskGroup() as readers:
                for _ in range(min(_READERS, len(wanted))):
                    readers.create_task(read_some())
        except* Unavailable as failed:
            failure = failed.exceptions[0]
        else:
            return stored
        raise failure

    async def _transitions(self, ref: FunctionRef, start: int, at_least: int) -> list[Message]:
        """The transitions from the sequence ``start`` on. Any replica of the stream answers, one that is a moment
        behind too: so the last one that is known to be there is waited for. Raises Unavailable."""
        end = time.monotonic() + _REPLICA_SECONDS
        while True:
            messages = await self._js.read(streams.runs_of(ref), streams.run(ref), start)
            if not messages and not at_least:
                sure = await self._js.sure_last(streams.runs_of(ref), streams.run(ref))
                at_least = sure.sequence if sure is not None else 0
            if (messages[-1].sequence if messages else 0) >= at_least:
                return messages
            if time.monotonic() > end:
                raise Unavailable(f"run {ref}: its transition {at_least} can't be read")
            await asyncio.sleep(0.02)

    async def _read_tail(self, ref: FunctionRef, snapshot: Message | None, at_least: int) -> Stored | None:
        at = int(snapshot.headers[_AT]) if snapshot is not None else 0
        # from the transition that the snapshot is of: there is always one, and the last has the head
        messages = await self._transitions(ref, max(1, at), at_least)
        if not messages:
            return None
        tail = [message.data for message in messages if message.sequence > at]
        large = [digest for data in tail for digest in digests(data)]
        state = b"" if snapshot is None else snapshot.data
        whole = None if snapshot is None else snapshot.headers.get(_BLOB)
        blobs = await self._blobs.get(ref, [*large, whole] if whole else large)
        if whole:
            if whole not in blobs:  # it was replaced by a later one while this was being read
                return await self.read(ref, at_least)
            state = blobs.pop(whole)
        lost = missing(ref, large, blobs)
        if lost is not None:
            raise lost
        last = messages[-1]
        return Stored(History(state, tail, blobs), last.sequence, from_headers(last.headers))

    async def head(self, ref: FunctionRef) -> tuple[Head, int] | None:
        """What the last transition says about a run, and its sequence; None when there is no such run."""
        found = await self._js.sure_last(streams.runs_of(ref), streams.run(ref))
        return None if found is None else (from_headers(found.headers), found.sequence)

    async def heads(self, namespace: str = "*") -> list[tuple[FunctionRef, Head, int]]:
        """What is known about every run of a namespace, or of all, that is kept."""
        found: dict[str, tuple[FunctionRef, Head, int]] = {}
        for shard in range(streams.SHARDS):
            async for page in scan(self._js, streams.runs(shard), streams.every_run(shard, namespace)):
                for message in page:
                    try:
                        head = from_headers(message.headers)
                    except ValueError as error:  # must not keep all others from being driven
                        log.error("there is a message on %s that is none of a run's: %s", message.subject, error)
                        continue
                    found[message.subject] = (streams.run_ref(message.subject), head, message.sequence)
        return list(found.values())

    async def page(self, ref: FunctionRef, start: int = 1, limit: int = 1000) -> list[Page]:
        """Transitions in order, from the sequence ``start`` on, large records as they are stored (``blobs``)."""
        messages = await self._js.read(streams.runs_of(ref), streams.run(ref), max(1, start), limit)
        return [Page(message.sequence, from_headers(message.headers), message.data) for message in messages]

    async def blobs(self, ref: FunctionRef, digests: list[str]) -> dict[str, bytes]:
        """Large records by digest, those that are there."""
        return await self._blobs.get(ref, digests)

    async def put_blobs(self, ref: FunctionRef, blobs: dict[str, bytes]) -> None:
        """Stores large records: before the transition that refers to them is appended."""
        await self._blobs.put(ref, blobs)

    async def snapshot(self, ref: FunctionRef, at: int, data: bytes) -> None:
        """Keeps the state as of the transition ``at`` in place of any earlier one, and lets transitions long before it
        go. A cache: nothing is lost when it fails."""
        before = await self._js.last(streams.STATE, streams.snapshot(ref))
        if before is not None and int(before.headers[_AT]) >= at:
            return
        headers = {_AT: str(at), "Nats-Rollup": "sub"}
        if len(data) > _LARGE_SNAPSHOT:
            headers[_BLOB] = hashlib.sha256(data).hexdigest()
            await self._blobs.put(ref, {headers[_BLOB]: data})
            data = b""
        # of two at once the second gives way: the earlier one must not come last
        headers[_EXPECTED] = str(before.sequence if before is not None else 0)
        try:
            await self._js.publish(streams.snapshot(ref), data, headers)
        except Outrun:
            return
        replaced = before.headers.get(_BLOB) if before is not None else None
        if replaced and replaced != headers.get(_BLOB):
            await self._blobs.drop(ref, replaced)
        await self._trim(ref, at)

    async def _trim(self, ref: FunctionRef, at: int) -> None:
        """Removes transitions that are more than HISTORY_LIMIT before the snapshot at ``at``."""
        count = await self._js.count(streams.runs_of(ref), streams.run(ref))
        if count < 2 * HISTORY_LIMIT or await self._js.count(streams.runs_of(ref), streams.run(ref), at + 1) > 1000:
            return
        await self._js.api(f"STREAM.PURGE.{streams.runs_of(ref)}", {"filter": streams.run(ref), "keep": HISTORY_LIMIT})

    async def purge(self, ref: FunctionRef) -> None:
        """Removes all that is kept of a run, its transitions last: what is left by a crash is found again."""
        await self._blobs.drop(ref)
        await self._js.api(f"STREAM.PURGE.{streams.STATE}", {"filter": streams.snapshot(ref)})
        await self._js.api(f"STREAM.PURGE.{streams.runs_of(ref)}", {"filter": streams.run(ref)})

    async def expire(self, retention: float, now: float) -> int:
        """Removes the runs that ended more than ``retention`` seconds before ``now``; how many."""
        old = [
            (ref, head, last)
            for ref, head, last in await self.heads()
            if head.ended is not None and head.ended + retention < now
        ]
        for ref, head, last in old:
            try:  # fences one who is about to retry the run
                await self.append(ref, EMPTY, msgspec.structs.replace(head, owner=EXPIRED), last)
            except Outrun:
                continue
            await self.purge(ref)
        return len(old)
