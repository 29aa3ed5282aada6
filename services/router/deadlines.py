"""What is due when: a timing wheel, so that ten thousand waiting calls cost nothing until their time has come."""

import math
from typing import Generic, TypeVar

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Items in slots of ``width`` seconds by the time they are due. Adding and dropping one takes constant time.

    An item is reported at its time or up to one ``width`` later, never earlier.
    """

    def __init__(self, now: float, width: float = 0.02) -> None:
        self.width = width
        self._slots: dict[int, set[T]] = {}
        self._done = math.floor(now / width)
        """Every slot up to this one has been reported."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, item: T, when: float) -> int:
        """Registers ``item`` for ``when``; the answer is what ``discard`` wants."""
        slot = max(math.ceil(when / self.width), self._done + 1)
        items = self._slots.get(slot)
        if items is None:
            items = self._slots[slot] = set()
        items.add(item)
        self._count += 1
        return slot

    def discard(self, item: T, slot: int) -> None:
        """Forgets ``item``, which ``add`` put into ``slot``; nothing happens when it was reported already."""
        items = self._slots.get(slot)
        if items is not None and item in items:
            items.remove(item)
            self._count -= 1

    def due(self, now: float) -> list[T]:
        """Takes out and returns what is due at ``now``."""
        last = math.floor(now / self.width)
        if last - self._done > len(self._slots):  # after a long pause: look at what there is, not at each empty slot
            slots = sorted(slot for slot in self._slots if slot <= last)
        else:
            slots = list(range(self._done + 1, last + 1))
        self._done = max(last, self._done)
        found = [item for slot in slots for item in self._slots.pop(slot, ())]
        self._count -= len(found)
        return found
