"""Memory that a worker shares with the service, to be read when it has died: whether it was at work, and at which
expression."""

import mmap
import os
import struct

_HEAD = struct.Struct("<IH")
_SIZE = 8192
_TICKS = struct.Struct("<IB")
_TAIL = _SIZE - _TICKS.size


class Notes:
    """One page written by the worker. A pointer too long for it is cut, and then never matches: the request fails."""

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, _SIZE)
        self._ticks = 0

    def tick(self, busy: bool) -> None:
        """A request or one of its stimuli begins, or (not ``busy``) it was answered."""
        self._ticks = (self._ticks + 1) & 0xFFFFFFFF
        _TICKS.pack_into(self._memory, _TAIL, self._ticks, busy)

    @property
    def ticks(self) -> tuple[int, bool]:
        """A number that changes as the worker gets on, and whether a request is under way."""
        return _TICKS.unpack_from(self._memory, _TAIL)

    def enter(self, number: int, pointer: str) -> None:
        """The ``number``-th evaluation of a request (from 1) begins, of what stands at ``pointer``."""
        text = pointer.encode()[: _TAIL - _HEAD.size]
        self._memory[_HEAD.size : _HEAD.size + len(text)] = text
        _HEAD.pack_into(self._memory, 0, number, len(text))

    def leave(self) -> None:
        """It is over."""
        _HEAD.pack_into(self._memory, 0, 0, 0)

    def read(self) -> tuple[int, str]:
        """Number and pointer of the evaluation under way; 0 when there is none."""
        number, length = _HEAD.unpack_from(self._memory, 0)
        return number, self._memory[_HEAD.size : _HEAD.size + length].decode(errors="replace")

    def close(self) -> None:
        """Gives the memory back."""
        self._memory.close()


def shared() -> int:
    """A descriptor of new shared memory, all zero, for both sides' Notes."""
    descriptor = os.memfd_create("faas-workflow-notes")
    os.ftruncate(descriptor, _SIZE)
    return descriptor
