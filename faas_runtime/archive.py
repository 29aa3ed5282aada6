"""A packed function: fetched once per content hash, unpacked safely, shared by every Pod of the node.

The archive is a tar.gz with ``faas-archive.json``, ``code/**`` and ``packages/**``. It is unpacked beside its final
place and renamed into it, under a lock of its own, so that a folder named by a digest is always whole and is made once.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import os
import platform
import shutil
import sys
import tarfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import msgspec

from faas_runtime.errors import StartupError
from faas_runtime.fetch import fetch
from faas_runtime.limits import MAX_ARCHIVE_MEMBERS, MAX_ARCHIVE_UNPACKED
from faas_runtime.settings import Archive

_LOCK_PATIENCE = 300.0
_LOCK_POLL = 0.02
_MANIFEST = "faas-archive.json"
_TOP = frozenset({_MANIFEST, "code", "packages"})
_COPY = 1024 * 1024


class Manifest(msgspec.Struct):
    """``faas-archive.json``: the target that the packages were resolved for; ``any`` where it does not matter."""

    version: int
    python: str = "any"
    arch: str = "any"
    libc: str = "any"


def install_archive(archive: Archive, cache: Path) -> Path:
    """The folder ``cache/<sha256>`` with the unpacked archive, made now if need be. Raises StartupError."""
    root = cache / archive.sha256
    if not root.is_dir():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with _locked(cache / f".{archive.sha256}.lock"):
                if not root.is_dir():
                    _make(archive, cache, root)
        except OSError as error:
            raise StartupError(f"archive {archive.sha256[:12]}…: cannot be unpacked in {cache}: {error}") from None
    _check_target(root, archive)
    return root


def _make(archive: Archive, cache: Path, root: Path) -> None:
    # The names are ours alone while the lock is held; what a killed Pod left under them is removed first.
    packed, staging = cache / f".{archive.sha256}.packed", cache / f".{archive.sha256}.unpacking"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        fetch(archive, packed)
        unpack(packed, staging)
        (staging / "code").mkdir(exist_ok=True)
        staging.rename(root)
    finally:
        packed.unlink(missing_ok=True)
        shutil.rmtree(staging, ignore_errors=True)


def unpack(packed: Path, target: Path) -> None:
    """Unpack regular files and folders into the new folder ``target``. Raises StartupError for links, devices, paths
    that lead out, doubles, and what is over the limits; OSError when the disk fails."""
    target.mkdir()
    try:
        with gzip.open(packed) as stream, tarfile.open(fileobj=cast(IO[bytes], _Bounded(stream)), mode="r|") as tar:
            for count, member in enumerate(tar, 1):
                if count > MAX_ARCHIVE_MEMBERS:
                    raise StartupError(f"the archive has more than {MAX_ARCHIVE_MEMBERS} members")
                _place(tar, member, target)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, UnicodeError) as error:
        raise StartupError(f"the archive is not a readable tar.gz: {error}") from None


def _place(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    parts = member.name.rstrip("/").split("/")
    if parts[0] not in _TOP or any(part in ("", ".", "..") for part in parts) or "\0" in member.name:
        raise StartupError(f"the archive's member {member.name!r} is outside of code/ and packages/")
    path = target.joinpath(*parts)
    if member.type == tarfile.DIRTYPE:
        path.mkdir(parents=True, exist_ok=True)
        return
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.sparse is not None:
        raise StartupError(f"the archive's member {member.name!r} is neither a file nor a folder")
    content = tar.extractfile(member)
    assert content is not None  # a regular file has content
    path.parent.mkdir(parents=True, exist_ok=True)
    # Read-only: Pods share the folder. O_EXCL: a second member of the same name is refused.
    mode = 0o555 if member.mode & 0o100 else 0o444
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except (FileExistsError, IsADirectoryError):
        raise StartupError(f"the archive's member {member.name!r} appears twice") from None
    with open(descriptor, "wb") as file:
        shutil.copyfileobj(content, file, _COPY)


class _Bounded:
    """A stream that ends a decompression bomb before it fills the disk or the memory."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._left = MAX_ARCHIVE_UNPACKED

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise StartupError(f"the archive unpacks to more than {MAX_ARCHIVE_UNPACKED} bytes")
        return data


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock that the kernel gives back however its holder ends."""
    with path.open("ab") as file:
        give_up = time.monotonic() + _LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise StartupError(f"another Pod has been unpacking {path.name} for too long") from None
                time.sleep(_LOCK_POLL)
        yield


def _check_target(root: Path, archive: Archive) -> None:
    try:
        manifest = msgspec.json.decode((root / _MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise StartupError(f"archive {archive.sha256[:12]}…: it has no {_MANIFEST}") from None
    except (OSError, msgspec.DecodeError) as error:
        raise StartupError(f"archive {archive.sha256[:12]}…: {_MANIFEST} cannot be read: {error}") from None
    if manifest.version != 1:
        raise StartupError(f"archive {archive.sha256[:12]}…: this runtime knows version 1, not {manifest.version}")
    ours = {"python": f"{sys.version_info[0]}.{sys.version_info[1]}", "arch": platform.machine(), "libc": _libc()}
    for name, here in ours.items():
        wanted = getattr(manifest, name)
        if wanted not in ("any", here):
            raise StartupError(
                f"archive {archive.sha256[:12]}…: it was packed for {name} {wanted}, but this Pod has {here}; "
                f"deploy again with a target of {' '.join(ours.values())}"
            )


def _libc() -> str:
    return "glibc" if platform.libc_ver()[0] == "glibc" else "musl"
