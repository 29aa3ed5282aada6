"""What comes over the bus: events of received calls, counted, and the routers' load reports.

One event is one call of any Function, so this is the scaler's hot path: its payload is never decoded, and a call of a
Function that has Pods costs one addition in a dictionary (see ``feed``).
"""

import asyncio
import logging
from collections.abc import Callable

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from services.common.kube import retry_pause
from services.common.settings import Common
from services.contracts import subjects
from services.contracts.events import RECEIVED
from services.contracts.messages import LoadReport
from services.contracts.names import FunctionRef
from services.scaler import metrics
from services.scaler.feed import Feed

log = logging.getLogger("scaler")
_decode_report = msgspec.json.Decoder(LoadReport).decode


def received_subject(key: str) -> bytes:
    """The subject of the ``received`` events of the Function ``namespace/name``."""
    namespace, _, name = key.partition("/")
    return subjects.event(namespace, "function", name, RECEIVED).encode()


def key_of(subject: bytes) -> str:
    """``namespace/name`` of the Function that an event subject is about."""
    _, _, namespace, _, name, _ = subject.decode(errors="replace").split(".")
    return str(FunctionRef(namespace, name))


class Intake:
    """Counts by Function. ``demand`` is called at once for a call of a Function that is not ``awake``."""

    def __init__(self, demand: Callable[[str], None], reported: Callable[[LoadReport], None]) -> None:
        self._demand = demand
        self._reported = reported
        self._counts: dict[bytes, int] = {}
        """Events since the last ``drain`` by subject; those of sleeping Functions are not in it."""
        self._client: Client | None = None
        self._feed: Feed | None = None

    def awake(self, key: str) -> None:
        """From now on calls of this Function are only counted."""
        self._counts.setdefault(received_subject(key), 0)

    def asleep(self, key: str) -> None:
        """From now on the next call of this Function is demand."""
        self._counts.pop(received_subject(key), None)

    def drain(self) -> list[tuple[str, int]]:
        """Calls of each Function since the last time, those without any left out."""
        found = [(key_of(subject), count) for subject, count in self._counts.items() if count]
        for subject in self._counts:
            self._counts[subject] = 0
        metrics.EVENTS.inc(sum(count for _, count in found))
        return found

    def connection(self) -> int | None:
        """A number that differs for each connection to the bus; None while there is none."""
        feed = self._feed.connection if self._feed is not None else None
        if feed is None or self._client is None or not self._client.is_connected:
            return None
        return feed + int(self._client.stats["reconnects"])

    async def publish(self, subject: str, payload: bytes) -> None:
        """Publishes an event while there is a bus; without one nobody listens either."""
        if self._client is not None and self._client.is_connected:
            await self._client.publish(subject, payload)

    async def count(self, settings: Common) -> None:
        """Counts events until cancelled."""
        self._feed = Feed(settings, subjects.RECEIVED_ALL, self._counts, lambda subject: self._demand(key_of(subject)))
        await self._feed.run()

    async def listen(self, client: Client) -> None:
        """Takes load reports from ``client`` until cancelled."""

        async def on_load(message: Msg) -> None:
            try:
                report = _decode_report(message.data)
            except msgspec.DecodeError as error:
                log.warning("a load report cannot be read: %s", error)
                return
            metrics.REPORTS.inc()
            self._reported(report)

        attempt = 0
        while not client.is_connected:
            attempt += 1
            await retry_pause(attempt)
        await client.subscribe(subjects.LOAD, cb=on_load)
        self._client = client
        await asyncio.Event().wait()
