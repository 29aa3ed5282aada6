"""A sign of life in shared memory, from the worker's loop to the Pod's parent.

A pipe would need the worker to run; memory can be read however stuck it is. Two doubles, each written by the worker
alone and read whole (aligned 8-byte stores are atomic on every 64-bit platform).
"""

from __future__ import annotations

import mmap


class Heartbeat:
    """Shared by a worker and its parent; made before the fork. All times are time.monotonic() seconds."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self._cells = memoryview(self._memory).cast("d")

    def beat(self, now: float, last_deadline: float) -> None:
        """The loop runs; ``last_deadline`` is the latest of its calls, 0.0 without any."""
        self._cells[0] = now
        self._cells[1] = last_deadline

    def extend(self, deadline: float) -> None:
        """A call was let in."""
        if deadline > self._cells[1]:
            self._cells[1] = deadline

    @property
    def last(self) -> float:
        """When the loop last ran."""
        return self._cells[0]

    @property
    def last_deadline(self) -> float:
        """Until when a silent loop must be left alone."""
        return self._cells[1]

    def close(self) -> None:
        """Give the page back."""
        self._cells.release()
        self._memory.close()
