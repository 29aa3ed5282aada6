"""Probes Pods that are not callable yet while calls wait: a start must not wait for the kubelet's next probe."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from services.router.connection import Answer, Failure
from services.router.podclient import Sent

if TYPE_CHECKING:
    from services.router.table import Route, Target

FAST = 0.004
"""Seconds between probes in the first second of a start; a refused connection costs about 0.1 ms of CPU."""
SLOW = 0.1
"""Seconds between probes after that."""
SUSPECT = 0.5
"""Seconds between probes of a Pod that turned calls away, while none waits."""
TIMEOUT = 1.0
"""Seconds that one probe may take."""
AT_ONCE = 64
"""Pods probed at a time."""


class _Probe:
    """Receiver of one GET /healthz."""

    def __init__(self) -> None:
        self.healthy: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def answered(self, answer: Answer) -> None:
        """Part of connection.Receiver."""
        if not self.healthy.done():
            self.healthy.set_result(answer.status == 200)

    def failed(self, failure: Failure) -> None:
        """Part of connection.Receiver."""
        if not self.healthy.done():
            self.healthy.set_result(False)


class Prober:
    """Probes the Pods of functions for which calls wait, and Pods that turned calls away."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        waiting: Callable[[str], int],
        found: Callable[["Target"], None],
        clock: Callable[[], float],
    ) -> None:
        self._tasks = tasks
        self._waiting = waiting
        self._found = found
        self._clock = clock
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def look_at(self, route: "Route") -> None:
        """Begins to probe the Pods of ``route`` that need it."""
        for target in route.targets.values():
            if target.uid not in self._under_way and self._needs(target) and len(self._under_way) < AT_ONCE:
                self._under_way[target.uid] = self._tasks.create_task(self._probe(target))

    def stop(self) -> None:
        """Ends all probes."""
        for task in self._under_way.values():
            task.cancel()

    def _needs(self, target: "Target") -> bool:
        if target.gone or target.callable:
            return False
        return target.suspect or self._waiting(target.route.key) > 0

    async def _probe(self, target: "Target") -> None:
        began = self._clock()
        try:
            while self._needs(target):
                if await self._healthy(target) and self._needs(target):
                    self._found(target)
                    return
                if self._waiting(target.route.key):
                    await asyncio.sleep(FAST if self._clock() - began < 1.0 else SLOW)
                else:
                    await asyncio.sleep(SUSPECT)
        finally:
            del self._under_way[target.uid]

    async def _healthy(self, target: "Target") -> bool:
        probe = _Probe()
        request = b"GET /healthz HTTP/1.1\r\nHost: %b\r\n\r\n" % target.route.host.encode()
        sent: Sent = target.pool.send(request, probe)
        try:
            async with asyncio.timeout(TIMEOUT):
                return await probe.healthy
        except TimeoutError:
            return False
        finally:
            if not probe.healthy.done() or probe.healthy.cancelled():
                sent.abort()
