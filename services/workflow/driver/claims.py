"""Which runs this instance drives or is about to: one at a time, however many find a run without an owner.

Two of this instance that take a run at once would both be its owner, and both would make the calls that the last one
left; one that starts a run of the same id meanwhile would put another state into the worker's memory.
"""

import asyncio

from services.contracts.names import FunctionRef
from services.workflow.driver.run import Run


class Claims:
    """``open``: the runs that are driven."""

    def __init__(self) -> None:
        self.open: dict[FunctionRef, Run] = {}
        self._taking: dict[FunctionRef, asyncio.Future[None]] = {}

    def free(self, ref: FunctionRef) -> bool:
        """Whether nobody here drives the run or is about to."""
        return ref not in self._taking and ref not in self.open

    def claim(self, ref: FunctionRef) -> bool:
        """Whether the caller may take the run; others wait until ``unclaim``."""
        if not self.free(ref):
            return False
        self._taking[ref] = asyncio.get_running_loop().create_future()
        return True

    def unclaim(self, ref: FunctionRef) -> None:
        """The run was taken, or not."""
        self._taking.pop(ref).set_result(None)

    async def settled(self, ref: FunctionRef) -> Run | None:
        """The run, if it is driven here once whoever is taking it has done so."""
        if ref in self._taking:
            await asyncio.wait((self._taking[ref],))
        return self.open.get(ref)
