"""Finds runs whose owner is gone, and goes on with those that fall to this instance."""

import asyncio
import logging
import time

from services.contracts.names import FunctionRef
from services.contracts.runs import ENDED
from services.workflow.driver.children import Children
from services.workflow.driver.keys import parse_parent
from services.workflow.driver.ownership import Members, parse_owner
from services.workflow.driver.routing import Routing
from services.workflow.driver.run import Run
from services.workflow.driver.runs import Runs
from services.workflow.driver.transitions import Transitions
from services.workflow.store.heads import Head
from services.workflow.store.jetstream import Outrun, Unavailable

log = logging.getLogger("workflow")

_TOGETHER = 200
"""Runs whose histories are in memory at once."""
_RECENT = 600.0
"""Seconds: ends of child runs that are told again. An owner that died earlier was missed long ago."""
_PAUSE = 0.5
"""Seconds before a scan that failed is tried again."""
_BEHIND = 2.0
"""Seconds after which runs are looked for again that were not as a scan told."""
Found = tuple[FunctionRef, Head, int]


class Recovery:
    """``run`` it; ``look`` has it scan soon."""

    def __init__(
        self, runs: Runs, routing: Routing, transitions: Transitions, members: Members, children: Children,
        seconds: float,
    ) -> None:  # fmt: skip
        self._runs, self._routing, self._transitions = runs, routing, transitions
        self._members, self._children, self._seconds = members, children, seconds
        self._wanted = asyncio.Event()
        self._told: set[FunctionRef] = set()
        self._unsure: list[asyncio.Future[None]] = []

    def look(self) -> None:
        """Runs may have lost their owner."""
        self._wanted.set()

    async def confirm(self) -> None:
        """Returns when the runs that are driven here are certain to be this instance's: at once, but for one that may
        have been held for dead (it was stopped, or cut off). What others have taken is then let go of, which cancels
        its calls."""
        if not self._members.sure(time.monotonic()):
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._unsure.append(done)
            self.look()
            await done

    async def run(self) -> None:
        """Scans at once, then when it is wanted and from time to time, until cancelled."""
        while True:
            self._wanted.clear()
            await self._transitions.link.up.wait()
            try:
                await self._scan()
            except Unavailable as error:
                log.warning("runs without an owner could not be looked for: %s", error)
                await asyncio.sleep(_PAUSE)
                self._wanted.set()
            try:
                async with asyncio.timeout(self._seconds):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def _scan(self) -> None:
        began, unsure = time.monotonic(), len(self._unsure)
        heads = await self._transitions.store.heads()
        for ref, head, last in heads:
            self._runs.told(ref, head.owner, last)
        for done in self._unsure[:unsure]:
            if not done.done():
                done.set_result(None)
        del self._unsure[:unsure]
        wanted = [found for found in heads if self._routing.takes(found[0], found[1])]
        for first in range(0, len(wanted), _TOGETHER):
            await self._take(wanted[first : first + _TOGETHER])
        if wanted:
            log.info("took %d runs in %.2f s", len(wanted), time.monotonic() - began)
        self._tell_parents(heads)
        self._tell_children(heads)

    async def _take(self, wanted: list[Found]) -> None:
        """Those that nobody here is taking already. Fences first: what is read afterwards is final."""
        claimed = [found for found in wanted if self._runs.claims.claim(found[0])]
        try:
            await self._take_claimed(claimed)
        finally:
            for ref, _, _ in claimed:
                self._runs.claims.unclaim(ref)

    async def _take_claimed(self, wanted: list[Found]) -> None:
        fenced = [run for run in await asyncio.gather(*map(self._fence, wanted)) if run is not None]
        stored = await self._transitions.store.read_many({run.ref: run.last for run in fenced})
        for run in fenced:
            found = stored.get(run.ref)
            if found is not None and found.last == run.last:
                self._runs.adopt(run, found.history)

    async def _fence(self, found: Found) -> Run | None:
        ref, head, last = found
        run = Run(ref, head, last)
        try:
            await self._transitions.fence(run)
        except Outrun:  # another was first, its owner lives after all, or the replica that told of it is behind
            asyncio.get_running_loop().call_later(_BEHIND, self.look)
            return None
        return run

    def _tell_parents(self, heads: list[Found]) -> None:
        """Of children that ended under an owner who is gone, and who may not have told."""
        recent = time.time() - _RECENT
        ended = {
            ref: head
            for ref, head, _ in heads
            if head.parent and head.status in ENDED and (head.ended or 0.0) > recent
            and self._members.mine(str(ref), parse_owner(head.owner))
        }  # fmt: skip
        for ref in ended.keys() - self._told:
            self._children.tell_again(ref, ended[ref])
        self._told = set(ended)

    def _tell_children(self, heads: list[Found]) -> None:
        """That are open although their parent has ended, under an owner who is gone and who may not have told them."""
        parents = {ref: parse_parent(head.parent) for ref, head, _ in heads if head.parent and head.status not in ENDED}
        waited_for = {parent.run for parent in parents.values() if parent is not None}
        over = {
            ref for ref, head, _ in heads
            if ref in waited_for and head.status in ENDED and self._members.mine(str(ref), parse_owner(head.owner))
        }  # fmt: skip
        for ref, parent in parents.items():
            if parent is not None and parent.run in over:
                self._children.abandon(ref)
