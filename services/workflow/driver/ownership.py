"""Who drives which run. Pure: what was heard of the instances, and when, decides.

A run's owner is who wrote its last transition. When that one is no longer alive, the run belongs to the instance of the
same name if it has started again, else to one of the living by rendezvous hashing, so that all who survive come to the
same answer without talking. Where they do not (signs of life take time), compare-and-set decides.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Collection
from typing import NamedTuple

from services.contracts.runs import Alive

_REMEMBERED = 1000
"""Owners who have left."""


class Owner(NamedTuple):
    """One start of one instance."""

    instance: str
    boot: str

    def __str__(self) -> str:
        return f"{self.instance}/{self.boot}"


def parse_owner(text: str) -> Owner:
    """Of ``<instance>/<boot>``."""
    instance, _, boot = text.partition("/")
    return Owner(instance, boot)


def rendezvous(run: str, instances: Collection[str]) -> str:
    """The instance to which a run falls (highest random weight). When one leaves, only its own runs fall to others.
    Raises ValueError for no instances."""
    return max(instances, key=lambda instance: (hashlib.sha256(f"{instance} {run}".encode()).digest(), instance))


class Members:
    """The instances that are alive. ``silence``: seconds without a sign of life after which one is dead.

    Time is what passes between this instance's own signs of life as they come back over the bus: while nothing comes
    back, nobody else can be heard either, and nobody dies.
    """

    def __init__(self, me: Owner, silence: float, now: float) -> None:
        self.me = me
        self.silence = silence
        self._since = now
        self._echo = self._seen = now
        self._heard: dict[str, tuple[str, float]] = {}
        self._left: OrderedDict[Owner, None] = OrderedDict()
        self._leaving = False

    def hear(self, sign: Alive, now: float) -> bool:
        """A sign of life; whether somebody's runs are free because of it (who left, or has started again)."""
        if sign.instance == self.me.instance:
            if sign.boot == self.me.boot:
                self._echo, self._seen = now, sign.sent
            return False
        known = self._heard.get(sign.instance)
        if sign.leaving:
            self._left[Owner(sign.instance, sign.boot)] = None
            if len(self._left) > _REMEMBERED:
                self._left.popitem(last=False)
            return self._heard.pop(sign.instance, None) is not None
        self._heard[sign.instance] = (sign.boot, now)
        return known is not None and known[0] != sign.boot

    def bury(self) -> list[str]:
        """Forgets the instances that have been silent for too long, and names them."""
        dead = [instance for instance, (_, heard) in self._heard.items() if self._echo - heard > self.silence]
        for instance in dead:
            del self._heard[instance]
        return dead

    def sure(self, now: float) -> bool:
        """Whether nobody can hold this instance for dead: a sign of life that it gave less than ``silence`` ago has
        come back over the bus, so that the others have heard it too."""
        return now - self._seen <= self.silence

    def refresh(self, now: float) -> None:
        """The connection was lost: what was not heard meanwhile says nothing."""
        self._since = self._echo = now
        self._heard = {name: (boot, now) for name, (boot, _) in self._heard.items()}

    def leave(self) -> None:
        """This instance takes no more runs."""
        self._leaving = True

    def settled(self) -> bool:
        """Whether this side has listened long enough to know who is alive."""
        return self._echo - self._since > self.silence

    def is_gone(self, owner: Owner) -> bool:
        """Whether it is certain that this owner does not drive its runs any more."""
        if self.is_alive(owner):
            return False
        return owner.instance == self.me.instance or owner in self._left or self.settled()

    def living(self) -> list[str]:
        """The instances that may drive runs."""
        return [*self._heard, *([] if self._leaving else [self.me.instance])]

    def is_alive(self, owner: Owner) -> bool:
        """Whether that start of that instance still drives its runs."""
        if owner.instance == self.me.instance:
            return owner.boot == self.me.boot
        known = self._heard.get(owner.instance)
        return known is not None and known[0] == owner.boot

    def heir(self, run: str, owner: Owner) -> str:
        """The instance that is to drive a run with this last owner; empty when there is none."""
        living = self.living()
        if owner.instance in living:
            return owner.instance
        return rendezvous(run, living) if living else ""

    def mine(self, run: str, owner: Owner) -> bool:
        """Whether this instance is to take a run whose last owner was this."""
        if self._leaving or not self.is_gone(owner):
            return False
        return self.heir(run, owner) == self.me.instance
