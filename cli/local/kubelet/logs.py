"""Log files of containers: bounded in size, with the time of each line, while the process writes straight into the
file.

The Pod has the file itself as stdout and stderr (O_APPEND), so its output outlives the kubelet and never blocks on
it. That leaves two things to do from outside:

- *Times.* The file holds the bare text. Beside it, `<file>.times` maps offsets to times: whenever the kubelet sees
  that the file has grown (twice a second, and when somebody reads) it notes the size and the time of the last write.
  All lines begun between two notes bear the time of the later one, so a time is exact for a lone line and at most
  half a second late within a burst.
- *Rotation.* A file over 20 MiB has its older half made a hole (fallocate(2), FALLOC_FL_PUNCH_HOLE): the writer's
  position and the offsets stay valid, nothing can be lost between copying and cutting, and the disk has the room
  back. Where the file system knows no holes the file is cut to nothing instead.
"""

import bisect
import contextlib
import ctypes
import logging
import os
import struct
from pathlib import Path

log = logging.getLogger("kubelet.logs")

ROTATE_BYTES = 10 * 1024 * 1024
"""What a rotation keeps; twice as much starts one."""
_BLOCK = 4096
_NOTE = struct.Struct("<Qd")
_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02
TAIL_BYTES, TAIL_LINES = 2048, 80
"""What becomes of a log's end in `terminated.message` (the figures of terminationMessagePolicy FallbackToLogsOnError).
"""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


class LineTimes:
    """When the parts of a log file were written, from its `.times` file."""

    def __init__(self, path: Path) -> None:
        notes = list(_NOTE.iter_unpack(_whole_notes(_times_path(path))))
        self._sizes = [size for size, _ in notes]
        self._times = [when for _, when in notes]

    def at(self, offset: int) -> float | None:
        """Seconds since the epoch at which the byte at `offset` was there; None: not noted yet."""
        index = bisect.bisect_right(self._sizes, offset)
        return self._times[index] if index < len(self._times) else None


class LogKeeper:
    """Notes times and keeps sizes in bounds; `observe` each running container's file twice a second."""

    def __init__(self) -> None:
        self._sizes: dict[Path, int] = {}

    def observe(self, path: Path) -> None:
        """Look at one file. Costs a stat when nothing was written."""
        try:
            found = path.stat()
        except FileNotFoundError:
            return
        before = self._sizes.get(path)
        if before is None:
            before = _last_noted(path)
        if found.st_size < before:
            _times_path(path).unlink(missing_ok=True)
            before = 0
        if found.st_size > before:
            with _times_path(path).open("ab") as times:
                times.write(_NOTE.pack(found.st_size, found.st_mtime))
        self._sizes[path] = found.st_size
        if found.st_blocks * 512 > 2 * ROTATE_BYTES:
            rotate(path, found.st_size)

    def forget(self, path: Path) -> None:
        """The file is written no more."""
        self.observe(path)
        self._sizes.pop(path, None)

    def remove(self, path: Path) -> None:
        """Delete a log file with its times."""
        self._sizes.pop(path, None)
        path.unlink(missing_ok=True)
        _times_path(path).unlink(missing_ok=True)


def rotate(path: Path, size: int) -> None:
    """Free all but the last 10 MiB of a log file."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        end = (size - ROTATE_BYTES) // _BLOCK * _BLOCK
        if _libc.fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, 0, end) != 0:
            reason = os.strerror(ctypes.get_errno())
            log.warning("%s: no hole can be made (%s); the log is cut to nothing", path, reason)
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def data_start(descriptor: int) -> int:
    """Offset of the first whole line that is still there."""
    try:
        start = os.lseek(descriptor, 0, os.SEEK_DATA)
    except OSError:  # ENXIO: the file is empty
        return 0
    if start == 0:
        return 0
    cut = os.pread(descriptor, 65536, start).find(b"\n")
    return start + cut + 1


def last_lines(path: Path) -> str:
    """The end of a log file for a status message: at most 80 lines and 2 kB."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, TAIL_BYTES, max(0, size - TAIL_BYTES))
    finally:
        os.close(descriptor)
    lines = tail.decode(errors="replace").splitlines(keepends=True)
    if size > TAIL_BYTES and len(lines) > 1:
        lines = lines[1:]
    return "".join(lines[-TAIL_LINES:])


def _times_path(path: Path) -> Path:
    return path.with_name(path.name + ".times")


def _whole_notes(path: Path) -> bytes:
    """A note cut short by a crash is not one."""
    with contextlib.suppress(FileNotFoundError):
        content = path.read_bytes()
        return content[: len(content) // _NOTE.size * _NOTE.size]
    return b""


def _last_noted(path: Path) -> int:
    notes = _whole_notes(_times_path(path))
    return int(_NOTE.unpack(notes[-_NOTE.size :])[0]) if notes else 0
