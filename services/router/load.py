"""How much each function has in flight and waiting, for the scaler: averages by time, a report each second."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from services.contracts.messages import Load, LoadReport

if TYPE_CHECKING:
    from services.router.table import Route

PERIOD = 1.0
"""Seconds between reports."""
LEAST_GAP = 0.02
"""Seconds between a report and the next one at once: a burst of first calls makes one more report, not one each."""


class Gauge:
    """The calls of one function that this router holds, and their average by time since the last report."""

    __slots__ = ("_area", "_changed", "held", "reported")

    def __init__(self) -> None:
        self.held = 0
        self.reported = False
        """Whether the last report, or the one that is about to be sent, has this function."""
        self._area = 0.0
        self._changed = 0.0

    def enter(self, now: float) -> None:
        """One call more, from ``now`` on."""
        self._area += self.held * (now - self._changed)
        self._changed = now
        self.held += 1

    def leave(self, now: float) -> None:
        """One call less, from ``now`` on."""
        self._area += self.held * (now - self._changed)
        self._changed = now
        self.held -= 1

    def take_average(self, since: float, now: float) -> float:
        """The average between ``since``, when it was last taken, and ``now``; begins the next one."""
        area = self._area + self.held * (now - self._changed)
        self._area, self._changed = 0.0, now
        return area / (now - since) if now > since else float(self.held)


class LoadReporter:
    """Makes the reports of one router and says when they are due."""

    def __init__(
        self,
        router: str,
        routes: Callable[[], Iterable["Route"]],
        queued: Callable[[str], int],
        send: Callable[[LoadReport], None],
        clock: Callable[[], float],
    ) -> None:
        self._router = router
        self._routes = routes
        self._queued = queued
        self._send = send
        self._clock = clock
        self._since = clock()
        self._sequence = 0
        self._at_once = asyncio.Event()

    def left_zero(self, route: "Route") -> None:
        """To be called when ``route`` gets a call and its ``load.reported`` is not set."""
        route.load.reported = True
        self._at_once.set()

    def report(self, now: float) -> LoadReport:
        """The report for ``now``; functions that had nothing since the last one are left out."""
        functions = []
        for route in self._routes():
            average = route.load.take_average(self._since, now)
            route.load.reported = average > 0.0 or route.load.held > 0
            if route.load.reported:
                queued = self._queued(route.key)
                functions.append(Load(route.key, max(0, route.load.held - queued), queued, round(average, 4)))
        self._since = now
        self._sequence += 1
        return LoadReport(self._router, self._sequence, functions)

    def report_last(self) -> None:
        """Says that this router carries nothing any more."""
        self._sequence += 1
        self._send(LoadReport(self._router, self._sequence, []))

    async def run(self) -> None:
        """Sends a report each second, and at once when a function leaves zero; until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._since + PERIOD - self._clock()):
                    await self._at_once.wait()
                await asyncio.sleep(self._since + LEAST_GAP - self._clock())
            except TimeoutError:
                pass
            self._at_once.clear()
            self._send(self.report(self._clock()))
