"""Processes of this machine as /proc shows them, and the mark by which a Pod's processes are known.

The mark is the soft limit RLIMIT_LOCKS: the kernel has not enforced it since Linux 2.4.25, but every process
inherits it through fork, exec, setsid and a cleared environment, anybody may set it, and anybody may read it in
/proc/<pid>/limits. So a daemon that left its session and closed everything is still found, without cgroups and
without root.
"""

import contextlib
import hashlib
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

RLIMIT_LOCKS = 10
"""Number of the limit on Linux (asm-generic/resource.h); Python's resource module has no name for it."""
_LIMIT_ROW = b"Max file locks"
_SWEEP_SECONDS = 5.0


def mark_of(pod_uid: str, container: str) -> int:
    """The mark of a container: 61 bits of a hash, so that two never meet and none looks like a limit of somebody
    else's."""
    digest = hashlib.blake2b(f"{pod_uid}/{container}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 3 | 1 << 40


@contextlib.contextmanager
def marking(pid: int, mark: int) -> Iterator[None]:
    """Everything that process `pid` (0: this one) forks inside carries the mark. Raises OSError when there is no such
    process."""
    hard = resource.prlimit(pid, RLIMIT_LOCKS)[1]
    resource.prlimit(pid, RLIMIT_LOCKS, (mark, hard))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, RLIMIT_LOCKS, (hard, hard))


def boot_id() -> str:
    """Changes with every boot of the machine; a recorded pid means nothing on another."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int:
    """When a process started, in clock ticks since boot: with the pid it names a process for good. 0: it is gone."""
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def alive(pid: int, started: int) -> bool:
    """Whether the process with this pid is the one that started then, and still runs."""
    fields = _stat(pid)
    return _runs(fields) and int(fields[19]) == started


def pids() -> list[int]:
    """All processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read_mark(pid: int) -> int:
    """The mark of a process; 0 when it has none, is a zombie or is gone."""
    _, found, rest = _read(pid, "limits").partition(_LIMIT_ROW)
    text = rest.split(None, 1)[0] if found else b""
    return int(text) if text.isdigit() else 0


def leader(mark: int) -> int:
    """The main process of a container: the first session leader with its mark. 0: there is none."""
    found = [pid for pid in marked({mark}) if (fields := _stat(pid)) and int(fields[3]) == pid]
    return min(found, key=start_time, default=0)


def marked(marks: set[int]) -> list[int]:
    """The living processes with one of these marks, this one excepted. Costs about 15 us a process of the machine."""
    return [pid for pid in pids() if pid != os.getpid() and read_mark(pid) in marks and _is_alive(pid)]


def kill_marked(mark: int, spare: frozenset[int] = frozenset()) -> int:
    """SIGKILL every process with the mark until none is left; how many it were. `spare` are never killed.

    Blocks for a few milliseconds (call it in a thread). Raises TimeoutError naming the pids when some are still
    there after 5 s.
    """
    deadline, killed = time.monotonic() + _SWEEP_SECONDS, set[int]()
    while left := [pid for pid in marked({mark}) if pid not in spare]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {sorted(left)} survive SIGKILL (in uninterruptible sleep?)")
        for pid in left:
            _kill_if_marked(pid, mark)
        fresh = set(left) - killed
        killed |= fresh
        time.sleep(0.0005 if fresh else 0.005)
    return len(killed)


def _kill_if_marked(pid: int, mark: int) -> None:
    """The pidfd is opened before the mark is read again, so that a pid used anew in between is not killed."""
    with contextlib.suppress(ProcessLookupError):
        fd = os.pidfd_open(pid)
        try:
            if read_mark(pid) == mark:
                signal.pidfd_send_signal(fd, signal.SIGKILL)
        finally:
            os.close(fd)


def memory(process_ids: list[int], proportional: bool = False) -> int:
    """Bytes of memory of these processes: the sum of RSS, or of PSS (dearer; shared pages are counted once)."""
    return sum(_pss(pid) if proportional else _rss(pid) for pid in process_ids)


def _rss(pid: int) -> int:
    fields = _read(pid, "statm").split()
    return int(fields[1]) * resource.getpagesize() if len(fields) > 1 else 0


def _pss(pid: int) -> int:
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return _rss(pid)


def _is_alive(pid: int) -> bool:
    return _runs(_stat(pid))


def _runs(fields: list[bytes]) -> bool:
    """Whether the fields of stat are those of a process that still holds its memory, files and ports.

    The first thread of a killed process may be a zombie before the others have ended; only with the last of them are
    they given back, and a Pod's next run would find its port in use.
    """
    return bool(fields) and (fields[0] not in (b"Z", b"X") or int(fields[17]) > 1)


def _stat(pid: int) -> list[bytes]:
    """The fields after the command's name (which may hold spaces and brackets): state, ppid, pgrp, session …
    (proc(5))."""
    return _read(pid, "stat").rpartition(b")")[2].split()


def _read(pid: int, name: str) -> bytes:
    try:
        fd = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
    except OSError:
        return b""  # gone, or not ours to look at
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""
    finally:
        os.close(fd)
