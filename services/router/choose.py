"""Which Pod takes a call: the least loaded one below the function's concurrency, equals in turn."""

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar


class Carrier(Protocol):
    """Something that carries calls. ``in_flight`` is written by ``LeastLoaded`` alone."""

    in_flight: int


T = TypeVar("T", bound=Carrier)


class LeastLoaded(Generic[T]):
    """Members in levels by their calls in flight, so that choosing, starting and ending cost the same for any number.

    A member that was chosen goes behind its equals of the next level: equals are taken in turn. Calls of a carrier that
    has left are still counted on it, so that it comes back at its true level.
    """

    def __init__(self, members: Iterable[T] = ()) -> None:
        self._levels: list[dict[T, None]] = [{}, {}]
        self._lowest = 0
        """No level below this one has a member."""
        for member in members:
            self.add(member)

    def __contains__(self, carrier: T) -> bool:
        return carrier.in_flight < len(self._levels) and carrier in self._levels[carrier.in_flight]

    def __len__(self) -> int:
        return sum(len(level) for level in self._levels)

    def add(self, carrier: T) -> None:
        """Makes ``carrier`` a candidate, with the calls that it carries already."""
        self._level(carrier.in_flight)[carrier] = None
        if carrier.in_flight < self._lowest:
            self._lowest = carrier.in_flight

    def discard(self, carrier: T) -> None:
        """Takes ``carrier`` out of the choice; its calls go on."""
        self._level(carrier.in_flight).pop(carrier, None)

    def choose(self, limit: int) -> T | None:
        """A member with the fewest calls in flight, when that is below ``limit``."""
        levels, lowest = self._levels, self._lowest
        while not levels[lowest]:
            lowest += 1
            if lowest == len(levels):
                self._lowest = 0
                return None
        self._lowest = lowest
        return next(iter(levels[lowest])) if lowest < limit else None

    def start(self, carrier: T) -> None:
        """Counts one more call on ``carrier``, member or not."""
        count = carrier.in_flight
        carrier.in_flight = count + 1
        if carrier in (level := self._level(count)):
            del level[carrier]
            self._level(count + 1)[carrier] = None

    def end(self, carrier: T) -> None:
        """Counts one call less on ``carrier``, member or not."""
        count = carrier.in_flight
        carrier.in_flight = count - 1
        if carrier in (level := self._level(count)):
            del level[carrier]
            self._levels[count - 1][carrier] = None
            if count - 1 < self._lowest:
                self._lowest = count - 1

    def _level(self, number: int) -> dict[T, None]:
        while number >= len(self._levels):
            self._levels.append({})
        return self._levels[number]
