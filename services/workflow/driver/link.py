"""Whether the bus can be reached: while it can't, nothing is decided."""

import asyncio

from services.common.natsclient import FastClient

CHECK = 0.05
"""Seconds between looks; nats-py tells only one listener when a connection comes and goes."""


class Link:
    """One connection as all runs see it. ``run`` it; the runs wait for ``up`` without asking each for itself."""

    def __init__(self, bus: FastClient) -> None:
        self.bus = bus
        self.up = asyncio.Event()
        self.away_since: float | None = None
        """The loop's time at which the connection was seen to be lost; None while it is there."""
        self._look()

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            self._look()
            await asyncio.sleep(CHECK)

    def _look(self) -> None:
        if self.bus.is_connected:
            self.away_since = None
            self.up.set()
        elif self.up.is_set() or self.away_since is None:
            self.away_since = asyncio.get_running_loop().time()
            self.up.clear()
