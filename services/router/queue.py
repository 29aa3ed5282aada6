"""Calls that wait for a Pod: first in first out within a function, bounded for each function and in all."""

from collections import OrderedDict
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Limits(NamedTuple):
    """Bounds of the queue: calls and bytes of their bodies, for one function and for all together."""

    function_calls: int
    function_bytes: int
    total_calls: int
    total_bytes: int


class _Line(Generic[T]):
    """The waiting calls of one function, oldest first, each with its size."""

    __slots__ = ("bytes", "items")

    def __init__(self) -> None:
        # not a dict: taking the first of a dict again and again walks over all that was taken before
        self.items: OrderedDict[T, int] = OrderedDict()
        self.bytes = 0


class FairQueue(Generic[T]):
    """Lines of waiting calls by function.

    Between functions it is fair by dropping from the longest: when all is full, a newcomer takes the place of the last
    one in the longest line, unless its own line would then be the longest. So no function can keep the others out.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lines: dict[str, _Line[T]] = {}
        self.calls = 0
        self.bytes = 0

    def count(self, function: str) -> int:
        """How many calls of ``function`` wait."""
        line = self._lines.get(function)
        return len(line.items) if line is not None else 0

    def functions(self) -> list[str]:
        """The functions that have waiting calls."""
        return list(self._lines)

    def offer(self, function: str, item: T, size: int) -> list[T]:
        """Puts ``item`` at the end of its line. Returns what has no room now: ``item`` itself or others."""
        limits = self._limits
        line = self._lines.get(function)
        calls, held = (len(line.items), line.bytes) if line is not None else (0, 0)
        if calls >= limits.function_calls or held + size > limits.function_bytes or size > limits.total_bytes:
            return [item]
        dropped: list[T] = []
        while self.calls >= limits.total_calls or self.bytes + size > limits.total_bytes:
            by_calls = self.calls >= limits.total_calls
            longest = max(self._lines, key=lambda name: self._weight(name, by_calls))
            own = calls + 1 if by_calls else held + size
            if longest == function or self._weight(longest, by_calls) <= own:
                return [*dropped, item]
            dropped.append(self._take(longest, last=True))
        self._insert(function, item, size)
        return dropped

    def put_back(self, function: str, item: T, size: int) -> None:
        """Puts ``item`` first in its line, whatever the bounds: it was taken from there and did not start."""
        self._insert(function, item, size)
        self._lines[function].items.move_to_end(item, last=False)

    def take(self, function: str) -> T | None:
        """The first of the line, taken out; None when nobody waits."""
        return self._take(function, last=False) if function in self._lines else None

    def remove(self, function: str, item: T) -> None:
        """Takes ``item`` out, wherever it stands; nothing happens when it does not wait."""
        line = self._lines.get(function)
        size = line.items.pop(item, None) if line is not None else None
        if line is not None and size is not None:
            self._forget(function, line, size)

    def take_all(self, function: str) -> list[T]:
        """The whole line, taken out."""
        line = self._lines.pop(function, None)
        if line is None:
            return []
        self.calls -= len(line.items)
        self.bytes -= line.bytes
        return list(line.items)

    def _weight(self, function: str, by_calls: bool) -> int:
        line = self._lines[function]
        return len(line.items) if by_calls else line.bytes

    def _insert(self, function: str, item: T, size: int) -> None:
        line = self._lines.get(function)
        if line is None:
            line = self._lines[function] = _Line()
        line.items[item] = size
        line.bytes += size
        self.calls += 1
        self.bytes += size

    def _take(self, function: str, last: bool) -> T:
        line = self._lines[function]
        item, size = line.items.popitem(last=last)
        self._forget(function, line, size)
        return item

    def _forget(self, function: str, line: _Line[T], size: int) -> None:
        line.bytes -= size
        self.calls -= 1
        self.bytes -= size
        if not line.items:
            del self._lines[function]
