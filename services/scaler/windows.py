"""What callers did lately, and what the routers say they hold. Pure in ``now`` (monotonic seconds)."""

from collections import deque
from typing import NamedTuple

from services.contracts.messages import REPORT_TTL, LoadReport

FIRST_REPORT_COVERS = 1.0
"""Seconds that a router's first report is taken to speak for: routers report each second."""


class Slot(NamedTuple):
    """An amount that came about in the ``covers`` seconds before ``at``."""

    at: float
    covers: float
    amount: float


class Series:
    """Amounts over time, for windows of at most an hour."""

    KEEP = 3600.0
    MERGE = 0.1
    """Seconds within which amounts share a slot, so that many routers make no more slots than few."""
    FRESH = 1.0
    """Seconds for which nothing newer need be known: a window ends with the last amount as long as it is so young."""

    def __init__(self) -> None:
        self._slots: deque[Slot] = deque()

    def add(self, now: float, amount: float, covers: float = 1.0) -> None:
        """Counts what came about in the last ``covers`` seconds."""
        at = now
        if self._slots and now - self._slots[-1].at < self.MERGE:
            last = self._slots.pop()
            at, covers, amount = last.at, max(covers, last.covers), amount + last.amount
        self._slots.append(Slot(at, max(covers, self.MERGE), amount))
        while self._slots[0].at < now - self.KEEP:
            self._slots.popleft()

    def total(self, now: float, window: float) -> float:
        """The sum over the last ``window`` seconds; of a slot that began earlier, the share that lies in them."""
        if not self._slots:
            return 0.0
        newest = self._slots[-1].at
        begin = (newest if now - newest < self.FRESH else now) - window
        total = 0.0
        for slot in reversed(self._slots):
            if slot.at <= begin:
                break
            total += slot.amount * min(1.0, (slot.at - begin) / slot.covers)
        return total


class Held(NamedTuple):
    """Calls that routers hold for a Function at this moment."""

    in_flight: int
    queued: int


class Reports:
    """The last report of each router, by which a Function's load is known while its calls last."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, dict[str, Held]]] = {}

    def take(self, report: LoadReport, now: float) -> tuple[float, dict[str, float]]:
        """Replaces the router's last report; returns the seconds since then, and by ``namespace/name`` the
        concurrency-seconds in them."""
        before = self._last.get(report.router)
        covers = FIRST_REPORT_COVERS if before is None else min(now - before[0], REPORT_TTL)
        self._last[report.router] = (
            now,
            {load.function: Held(load.in_flight, load.queued) for load in report.functions},
        )
        return covers, {load.function: max(load.average, 0.0) * covers for load in report.functions}

    def held(self, key: str, now: float) -> Held:
        """The sum over routers of what they hold for the Function ``key``; a silent router's word expires."""
        in_flight = queued = 0
        for at, functions in self._last.values():
            held = functions.get(key)
            if held is not None and now - at <= REPORT_TTL:
                in_flight += held.in_flight
                queued += held.queued
        return Held(in_flight, queued)

    def expire(self, now: float) -> None:
        """Forgets routers that have been silent for longer than a report counts."""
        for router in [router for router, (at, _) in self._last.items() if now - at > REPORT_TTL]:
            del self._last[router]


class Observation:
    """Since when this process has seen every event and report: nobody is scaled down on an incomplete memory."""

    LONGEST_GAP = 3.0
    """Seconds between two ticks after which the process was stopped, not merely late."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._began: float | None = None
        self._connection = -1
        self._ticked = 0.0

    def tick(self, now: float, connection: int | None) -> None:
        """``connection`` numbers the connection to the bus, None while there is none. Call it once a tick."""
        paused = now - self._ticked > self.LONGEST_GAP
        self._ticked = now
        if connection is None:
            self._since = None
        elif self._since is None or connection != self._connection or paused:
            self._since, self._connection = now, connection
            self._began = now if self._began is None else self._began

    def lasted(self, now: float) -> float:
        """Seconds of unbroken observation."""
        return 0.0 if self._since is None else now - self._since

    def span(self, now: float) -> float:
        """Seconds since observation first began, gaps included: what an average may be taken over."""
        return 0.0 if self._began is None else now - self._began
