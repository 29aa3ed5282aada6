"""Ends calls whose router has fallen silent, and calls past their deadline (design, section 5)."""

import asyncio
import logging
from collections.abc import Iterable

import msgspec
from nats.aio.msg import Msg

from services.contracts.errors import Code, FaasError
from services.contracts.messages import Progress
from services.gateway.config import PROGRESS_SILENCE
from services.gateway.replies import Call, Replies

log = logging.getLogger("progress")

SWEEP_SECONDS = 0.25
_LATE = 2 * SWEEP_SECONDS
_decode = msgspec.json.Decoder(Progress).decode


def alive(calls: Iterable[Call], ids: frozenset[str], now: float) -> None:
    """Notes that a router holds the calls with these ids."""
    for call in calls:
        if call.id in ids:
            call.heard = now


def sweep(calls: Iterable[Call], now: float) -> None:
    """Ends the calls that are past their deadline or whose router has been silent for too long."""
    for call in list(calls):
        if now > call.deadline:
            call.fail(FaasError(Code.DEADLINE_EXCEEDED, "the call did not end within its time"))
        elif now - call.heard > PROGRESS_SILENCE:
            call.fail(
                FaasError(
                    Code.ROUTER_LOST,
                    f"nothing was heard of the router that took the call for {PROGRESS_SILENCE:g} s: "
                    "the function may or may not have run",
                )
            )


def forgive(calls: Iterable[Call], seconds: float) -> None:
    """Moves all signs of life on by ``seconds`` in which this process itself did not run."""
    for call in calls:
        call.heard += seconds


class Watch:
    """Listens to routers' signs of life and sweeps, as one task."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies

    async def on_progress(self, message: Msg) -> None:
        """A router's sign of life for calls of this gateway."""
        try:
            progress = _decode(message.data)
        except msgspec.DecodeError as error:
            log.error("a progress message cannot be read: %s", error)
            return
        alive(self._replies.calls.values(), frozenset(progress.ids), asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Sweeps until cancelled."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = loop.time()
            if now - last > _LATE:
                # stopped by a debugger or a sleeping laptop: signs of life lie unread, and nobody else was silent
                forgive(self._replies.calls.values(), now - last - SWEEP_SECONDS)
            last = now
            sweep(self._replies.calls.values(), now)
