"""Memory that a worker shares with the service, to be read when it has died: whether it was at work, and at which
expression."""

import mmap
import os
import struct

_HEAD = struct.Struct("<IH")
_SIZE = 8192
_BUSY = _SIZE - 1


class Notes:
    """One page written by the worker. A pointer too long for it is cut, and then never matches: the request fails."""

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, _SIZE)

    def work(self, busy: bool) -> None:
        """A request begins, or was answered."""
        self._memory[_BUSY] = busy

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return bool(self._memory[_BUSY])

    def enter(self, number: int, pointer: str) -> None:
        """The ``number``-th evaluation of a request (from 1) begins, of what stands at ``pointer``."""
        text = pointer.encode()[: _BUSY - _HEAD.size]
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
