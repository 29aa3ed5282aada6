"""Ends calls whose router has fallen silent, and calls past their deadline (design, section 5)."""

import asyncio
import logging
from collections.abc import Iterable

import msgspec
from nats.aio.msg import Msg

from services.common.replies import Call, Replies
from services.contracts.errors import Code, FaasError
from services.contracts.messages import Progress

log = logging.getLogger("progress")

SILENCE = 3.0
"""Seconds without an answer or a sign of life after which a call's router counts as lost (design, section 5)."""
SWEEP_SECONDS = 0.25
"""How often calls are looked at."""
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
        elif now - call.heard > SILENCE:
            call.fail(
                FaasError(
                    Code.ROUTER_LOST,
                    f"nothing was heard of the router that took the call for {SILENCE:g} s: "
                    "the function may or may not have run",
                )
            )


def forgive(calls: Iterable[Call], seconds: float) -> None:
    """Moves all signs of life on by ``seconds`` in which this process itself did not run."""
    for call in calls:
        call.heard += seconds


class Watch:
    """Listens to routers' signs of life and sweeps, as one task.

    ``patient``: time without a connection to NATS is no silence, for calls that may be answered once it is back.
    """

    def __init__(self, replies: Replies, patient: bool = False) -> None:
        self._replies = replies
        self._patient = patient

    async def on_progress(self, message: Msg) -> None:
        """A router's sign of life for calls of this process."""
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
            elif self._patient and not self._replies.connected:
                forgive(self._replies.calls.values(), now - last)
            last = now
            sweep(self._replies.calls.values(), now)
