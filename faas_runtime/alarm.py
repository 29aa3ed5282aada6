"""A timer that costs a system call to set and to silence, and wakes its thread only when it goes off."""

from __future__ import annotations

import ctypes
import os
import struct
import time

_NONBLOCKING = ctypes.PyDLL(None, use_errno=True)  # keeps the GIL: giving it up takes longer than these calls
_FLAGS = os.O_CLOEXEC  # TFD_CLOEXEC is the same bit (timerfd_create(2))


def _once(nanoseconds: int) -> bytes:
    """A struct itimerspec: no interval, first expiration (timerfd_settime(2))."""
    return struct.pack("@4l", 0, 0, *divmod(nanoseconds, 1_000_000_000))


_NEVER = _once(0)
_NOW = _once(1)


class Alarm:
    """Goes off ``seconds`` after it was last set. Raises OSError where the kernel has no timerfd."""

    def __init__(self, seconds: float) -> None:
        self._timer = _NONBLOCKING.timerfd_create(time.CLOCK_MONOTONIC, _FLAGS)
        if self._timer < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create: " + os.strerror(ctypes.get_errno()))
        self._change = _NONBLOCKING.timerfd_settime  # int, int, bytes, None: what ctypes passes on without declarations
        self._later = _once(round(seconds * 1e9))

    def set(self) -> None:
        """Start, or start again."""
        self._change(self._timer, 0, self._later, None)

    def silence(self) -> None:
        """Take back what was set; one that nobody has heard yet too."""
        self._change(self._timer, 0, _NEVER, None)

    def ring(self) -> None:
        """Go off at once."""
        self._change(self._timer, 0, _NOW, None)

    def wait(self) -> None:
        """Block the calling thread until it goes off."""
        os.read(self._timer, 8)
