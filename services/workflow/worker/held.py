"""What a worker remembers: plans of definitions and states of runs. All of it can be made again, so it is bounded."""

from collections import OrderedDict

import msgspec

from services.contracts.workflow import parse, schemas
from services.workflow.engine import Plan, State, apply
from services.workflow.engine.records import RunStarted
from services.workflow.worker import snapshot, transition
from services.workflow.worker.protocol import History

_PLANS = 256
"""Plans that are kept; one is rarely over a megabyte."""
_FIRST = 64 * 1024
"""Bytes of history before the first snapshot; less is read faster than a snapshot is written and fetched."""


class Prepared:
    """A definition ready to be run. ``places``: the pointer of each schema in it, by identity."""

    def __init__(self, document: bytes) -> None:
        self.plan = Plan(parse(msgspec.json.decode(document)))
        self.places = {id(schema): pointer for pointer, schema in schemas(self.plan.definition)}


class Held:
    """A run's state, and what is known of its history: ``records`` so far, when the last one was, bytes of the
    transitions since the last snapshot, and of that snapshot."""

    def __init__(self) -> None:
        self.state: State | None = None
        self.records, self.at, self.tail, self.snapshot = 0, 0.0, 0, 0

    @property
    def size(self) -> int:
        """Bytes of the state, about."""
        return self.tail + self.snapshot

    @classmethod
    def read(cls, history: History) -> "Held":
        """The run as it was stored. Raises transition.Unreadable or snapshot.Unreadable."""
        held = cls()
        if history.snapshot:
            found = snapshot.decode(history.snapshot)
            held.state, held.records, held.at = found.state, found.records, found.at
            held.snapshot = len(history.snapshot)
        for message in history.messages:
            records = transition.unpack(message, history.blobs)
            if held.state is None and not (records and isinstance(records[0], RunStarted)):
                raise transition.Unreadable("its beginning is not kept, and no snapshot that this version can read")
            for record in records:
                held.state = apply(held.state, record)
            held.at = records[-1].at if records else held.at
            held.records += len(records)
            held.tail += len(message)
        held.tail += sum(map(len, history.blobs.values()))
        return held

    def snapshot_when_due(self) -> bytes:
        """A snapshot once the transitions since the last one outweigh it: their total then stays linear. Else empty."""
        if self.state is None or not self.state.open or self.tail <= max(_FIRST, self.snapshot):
            return b""
        data = snapshot.encode(self.state, self.records, self.at)
        self.tail, self.snapshot = 0, len(data)
        return data


class Memory:
    """Plans by digest and runs by ``namespace/id``; the least recently used go when there are too many or they are
    too large together."""

    def __init__(self, runs: int, size: int) -> None:
        self._most_runs, self._most_bytes = runs, size
        self._plans: OrderedDict[str, Prepared] = OrderedDict()
        self._runs: OrderedDict[str, Held] = OrderedDict()
        self._bytes = 0

    def plan(self, digest: str, document: bytes) -> Prepared | None:
        """The plan of a definition, made of its document when that is given; None when neither is there."""
        found = self._plans.get(digest)
        if found is None and document:
            found = self._plans[digest] = Prepared(document)
            if len(self._plans) > _PLANS:
                self._plans.popitem(last=False)
        elif found is not None:
            self._plans.move_to_end(digest)
        return found

    def take(self, run: str) -> Held | None:
        """A run's state, which is no longer remembered until it is put back: one that a step broke is gone."""
        held = self._runs.pop(run, None)
        if held is not None:
            self._bytes -= held.size
        return held

    def put(self, run: str, held: Held) -> None:
        """Remembers it. One that is too large alone is not."""
        self.take(run)
        self._runs[run] = held
        self._bytes += held.size
        while self._runs and (len(self._runs) > self._most_runs or self._bytes > self._most_bytes):
            self.take(next(iter(self._runs)))
