"""The archive of a function: a tar.gz whose bytes follow from its content alone, named by their SHA-256."""

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path
from typing import IO

import msgspec

from cli.output import usage
from cli.packing import cache
from cli.packing.folder import SourceFile
from cli.packing.requirements import Packages
from services.contracts.archives import MAX_ARCHIVE

FORMAT = 1
MANIFEST = "faas-archive.json"
COMPRESSION = 1
"""zlib's level: for Pillow 7.7 MB in 0.2 s, where level 6 takes 0.75 s for 7.0 MB."""
UPLOAD_SECONDS = 300.0
"""How long the gateway may take to store an archive after its last byte, and each block on its way."""
_UNUSED = ("__pycache__", "bin", ".lock")
"""At the top of a folder that uv filled; scripts would hold this machine's paths. Byte code is left out everywhere."""


class _Manifest(msgspec.Struct):
    python: str
    arch: str
    libc: str
    packages: list[str]
    version: int = FORMAT


class Known(msgspec.Struct):
    """Digest and size of an archive that was written before."""

    digest: str
    size: int


def content_key(files: list[SourceFile], packages: Packages | None) -> str:
    """What the archive of this content is remembered by: a hash of every file, without packing them."""
    parts = [f"{FORMAT} {COMPRESSION}", packages.key if packages else ""]
    for file in files:
        with file.file.open("rb") as opened:
            parts += [file.path, str(file.executable), hashlib.file_digest(opened, "sha256").hexdigest()]
    return cache.key(*parts)


def recall(key: str) -> Known | None:
    """The archive of a content that was packed before; None when it was not."""
    try:
        return msgspec.json.decode(_memory(key).read_bytes(), type=Known)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def remember(key: str, known: Known) -> None:
    """Notes an archive for ``recall``."""
    place = _memory(key)
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{key}.{os.getpid()}")
    draft.write_bytes(msgspec.json.encode(known))
    draft.replace(place)


def write(out: IO[bytes], files: list[SourceFile], packages: Packages | None) -> Known:
    """Writes the archive to ``out``. Raises Failure when it is larger than a gateway takes."""
    hashed = _Hashing(out)
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=hashed, mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.PAX_FORMAT) as tar,
    ):
        _add(tar, MANIFEST, msgspec.json.encode(_manifest(packages)))
        for source in files:
            _add(tar, f"code/{source.path}", source.file, source.executable)
        for path, file in _installed(packages.folder) if packages else []:
            _add(tar, f"packages/{path}", file)
    if hashed.size > MAX_ARCHIVE:
        raise usage(
            f"the packed function has {hashed.size} bytes; at most {MAX_ARCHIVE} are allowed",
            "list what it does not need in .faasignore",
        )
    return Known(hashed.digest(), hashed.size)


class _Hashing(io.RawIOBase):
    """Passes bytes on, counting and hashing them."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._out.write(data)
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    def digest(self) -> str:
        return self._hash.hexdigest()


def _manifest(packages: Packages | None) -> _Manifest:
    if packages is None:
        return _Manifest("any", "any", "any", [])
    return _Manifest(*packages.platform, packages.pinned)


def _add(tar: tarfile.TarFile, path: str, content: Path | bytes, executable: bool = False) -> None:
    """Adds a file with nothing in its header but path, size and whether it is executable."""
    entry = tarfile.TarInfo(path)
    entry.mode = 0o755 if executable else 0o644
    if isinstance(content, bytes):
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
        return
    with content.open("rb") as file:
        entry.size = os.fstat(file.fileno()).st_size
        tar.addfile(entry, file)


def _installed(folder: Path) -> list[tuple[str, Path]]:
    """The files of unpacked packages, by path."""
    found = []
    for place, folders, names in os.walk(folder):
        top = Path(place) == folder
        folders[:] = [name for name in folders if name != "__pycache__" and not (top and name in _UNUSED)]
        for name in names:
            file = Path(place, name)
            if not name.endswith(".pyc") and not (top and name in _UNUSED) and file.is_file():
                found.append((file.relative_to(folder).as_posix(), file))
    return sorted(found)


def _memory(key: str) -> Path:
    return cache.root() / "archives" / key
