"""Which containers use more memory than they may."""

import os
from collections.abc import Mapping

from cli.local.kubelet import procfs


class MemoryWatch:
    """Measures the process trees of marked containers. Use from one thread at a time."""

    def __init__(self) -> None:
        self._marks: dict[int, int] = {}

    def over_limit(self, limits: Mapping[int, int], spare: int) -> dict[int, int]:
        """The marks whose processes use more bytes than their limit, and how many.

        RSS is summed first. It counts pages shared with the warm parent in each process, so PSS, which is dearer, has
        the last word. `spare` is the forkserver, which bears a Pod's mark for the moment of its fork.
        """
        trees: dict[int, list[int]] = {mark: [] for mark in limits}
        self._marks = {pid: self._mark(pid) for pid in procfs.pids() if pid not in (spare, os.getpid())}
        for pid, mark in self._marks.items():
            if mark in trees:
                trees[mark].append(pid)
        used = {mark: members for mark, members in trees.items() if procfs.memory(members) > limits[mark]}
        exact = {mark: procfs.memory(members, proportional=True) for mark, members in used.items()}
        return {mark: amount for mark, amount in exact.items() if amount > limits[mark]}

    def _mark(self, pid: int) -> int:
        """A process keeps the mark it was forked with, so it is read once: 15 us a process of the machine saved."""
        known = self._marks.get(pid)
        return procfs.read_mark(pid) if known is None else known
