"""CPU time of process trees, from /proc."""

import os
from pathlib import Path

TICK = 1_000_000 / os.sysconf("SC_CLK_TCK")
"""Microseconds of one clock tick (proc(5)): 10,000, so measure over seconds."""


def descendants(root: int) -> set[int]:
    """``root`` and all processes below it, by parent."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = set(), [root]
    while todo:
        found.add(pid := todo.pop())
        todo += children.get(pid, [])
    return found


def used(pids: set[int]) -> dict[int, float]:
    """Microseconds of user and system time that each of ``pids`` has taken so far."""
    times = {}
    for pid in pids:
        if fields := _stat(pid):
            times[pid] = (int(fields[11]) + int(fields[12])) * TICK
    return times


def name(pid: int) -> str:
    """A short name of a process: its Python module, or its program."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    return words[words.index("-m") + 1] if "-m" in words else Path(words[0]).name


def _stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
