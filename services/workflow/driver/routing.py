"""Finds whoever drives a run: this instance, another one, or nobody any more."""

import asyncio
import logging
from typing import NamedTuple

import msgspec

from services.common.replies import Replies
from services.contracts import headers, subjects
from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.contracts.runs import ENDED
from services.workflow.driver.ownership import Members, parse_owner
from services.workflow.driver.run import Run
from services.workflow.driver.runs import Moved, Runs
from services.workflow.store.heads import Head
from services.workflow.store.jetstream import Outrun
from services.workflow.store.runs import EXPIRED, RunStore
from services.workflow.worker.protocol import Wanted

log = logging.getLogger("workflow")

DELIVER = "deliver"
"""The verb under which an instance is handed a stimulus."""
_SECONDS = 5.0
"""For another instance to take a stimulus."""
_TRIES = 5
_PAUSE = 0.1
encode = msgspec.msgpack.Encoder().encode


class Elsewhere(NamedTuple):
    """The run is driven by another instance."""

    instance: str
    head: Head


class Over(NamedTuple):
    """The run has ended. ``last``: the sequence of its last transition."""

    head: Head
    last: int


Place = Run | Elsewhere | Over | None


class Routing:
    """``None`` is the place of a run that does not exist."""

    def __init__(self, runs: Runs, store: RunStore, members: Members, replies: Replies) -> None:
        self._runs, self._store, self._members, self._replies = runs, store, members, replies
        self._claims = runs.claims

    async def find(self, ref: FunctionRef) -> Place:
        """Where a run is; one whose owner is gone is taken. Raises Unavailable, FaasError."""
        for _ in range(_TRIES):
            run = self._runs.open.get(ref)
            if run is not None:
                return run
            found = await self._store.head(ref)
            if found is None:
                return None
            head, last = found
            if head.owner == EXPIRED:  # it is being removed: what would be written now would go with it
                return None
            if head.status in ENDED:
                return Over(head, last)
            owner = parse_owner(head.owner)
            if owner != self._members.me and self._members.is_alive(owner):
                return Elsewhere(owner.instance, head)
            if owner != self._members.me and not self._members.is_gone(owner):
                await asyncio.sleep(self._members.silence)  # just started: its owner may not have been heard yet
                continue
            heir = self._members.heir(str(ref), owner)
            if heir and heir != self._members.me.instance:
                return Elsewhere(heir, head)
            if await self.take(ref, head, last) is None:
                await asyncio.sleep(_PAUSE)
        raise FaasError(Code.DRAINING, f"run {ref} changes its owner; try again", retry_after=1)

    async def take(self, ref: FunctionRef, head: Head, last: int) -> Run | None:
        """Takes a run from an owner who is gone; None when another was first, or this instance is leaving."""
        if self._runs.leaving:
            return None
        if not self._claims.claim(ref):
            return await self._claims.settled(ref)
        try:
            return await self._runs.take(ref, head, last)
        except Outrun:
            return None
        finally:
            self._claims.unclaim(ref)

    async def deliver(self, ref: FunctionRef, wanted: Wanted, hops: int = 1) -> None:
        """Hands a stimulus to a run wherever it is; returns when it is in the history, or when no open run is there to
        want it. Raises Unavailable, FaasError: try again later."""
        for _ in range(_TRIES):
            place = await self.find(ref)
            if place is None or isinstance(place, Over):
                return
            try:
                if isinstance(place, Run):
                    await self._runs.ask(place, wanted)
                    return
                if hops:
                    await self._hand_over(place.instance, ref, wanted)
                    return
            except Moved:
                pass
            await asyncio.sleep(_PAUSE)
        raise FaasError(Code.DRAINING, f"run {ref} changes its owner; try again", retry_after=1)

    async def _hand_over(self, instance: str, ref: FunctionRef, wanted: Wanted) -> None:
        subject = f"{subjects.instance(instance)}.{DELIVER}.{ref.namespace}.{ref.name}"
        try:
            reply = await self._replies.request(subject, {}, encode(wanted), "", _SECONDS)
        except FaasError as error:  # it is gone, or slow: a stimulus that comes twice does no harm
            raise Moved(f"{ref}: {error}") from None
        fields = reply.headers or {}
        if fields.get(headers.STATUS) != "200":
            log.info("run %s: %s did not take a stimulus", ref, instance)
            raise Moved(str(ref))

    def takes(self, ref: FunctionRef, head: Head) -> bool:
        """Whether a scan that finds this open run should take it."""
        if ref in self._runs.open or head.status in ENDED or self._runs.leaving:
            return False
        owner = parse_owner(head.owner)
        return owner == self._members.me or self._members.mine(str(ref), owner)
