"""Signs of life: this instance's own, and what follows from those of the others."""

import asyncio
import logging
import time
from collections.abc import Callable

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.common.natsclient import FastClient
from services.contracts import subjects
from services.contracts.runs import Alive
from services.workflow.driver.ownership import Members

log = logging.getLogger("workflow")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Alive).decode


class Heartbeat:
    """``freed`` is called when runs may have lost their owner, or this instance some of its runs."""

    def __init__(self, bus: FastClient, members: Members, interval: float, freed: Callable[[], None]) -> None:
        self._bus, self._members, self._interval, self._freed = bus, members, interval, freed
        self._reconnects = bus.stats["reconnects"]

    async def on_alive(self, message: Msg) -> None:
        """A sign of life of any instance, this one included."""
        try:
            sign = _decode(message.data)
        except msgspec.DecodeError as error:
            log.error("a sign of life cannot be read: %s", error)
            return
        if self._members.hear(sign, time.monotonic()):
            log.info("instance %s has %s", sign.instance, "left" if sign.leaving else "started again")
            self._freed()

    async def run(self) -> None:
        """Gives signs of life until cancelled."""
        settled, sure = False, True
        while True:
            self._note_outage()
            if self._members.sure(time.monotonic()) != sure:  # stopped, or cut off: others may have taken its runs
                sure = not sure
                self._freed()
            await self._say(leaving=False)
            await asyncio.sleep(self._interval)
            for instance in self._members.bury():
                log.warning("instance %s is dead: nothing was heard of it", instance)
                self._freed()
            if self._members.settled() and not settled:
                settled = True
                self._freed()

    def _note_outage(self) -> None:
        if not self._bus.is_connected or self._bus.stats["reconnects"] != self._reconnects:
            self._reconnects = self._bus.stats["reconnects"]
            self._members.refresh(time.monotonic())

    async def farewell(self) -> None:
        """Tells the others that they may take this instance's runs."""
        await self._say(leaving=True)

    async def _say(self, leaving: bool) -> None:
        me = self._members.me
        if self._bus.is_connected:
            try:
                await self._bus.publish(subjects.ALIVE, _encode(Alive(me.instance, me.boot, leaving, time.monotonic())))
            except NatsError as error:
                log.warning("no sign of life could be given: %s", error)
