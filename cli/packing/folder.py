"""The files of a function's folder."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cli.output import usage
from cli.packing.ignore import Ignore, rules_of
from services.contracts.resources import MAX_INLINE


class SourceFile(NamedTuple):
    """A file to deploy: where it is, its path in the function (with '/'), and whether it may be executed."""

    path: str
    file: Path
    executable: bool


def collect(root: Path) -> list[SourceFile]:
    """The files below ``root`` that are deployed, by path. Raises Failure for what cannot be packed."""
    return sorted(_walk(root, root, rules_of(root)))


def inline(files: list[SourceFile]) -> dict[str, str] | None:
    """The files as text, when they are few and small enough to stand in the resource itself; else None."""
    if sum(file.file.stat().st_size for file in files) > MAX_INLINE or any(file.executable for file in files):
        return None
    texts = {}
    for file in files:
        try:
            text = file.file.read_bytes().decode()
        except UnicodeDecodeError:
            return None
        if "\0" in text:
            return None
        texts[file.path] = text
    return texts if fits_inline(texts) else None


def fits_inline(texts: dict[str, str]) -> bool:
    """Whether the files fit into a resource, also as the JSON text in which they reach the Pod."""
    import msgspec

    return len(msgspec.json.encode(texts)) <= MAX_INLINE


def _walk(root: Path, folder: Path, ignore: Ignore) -> Iterator[SourceFile]:
    with os.scandir(folder) as opened:
        entries = list(opened)
    for entry in entries:
        file = Path(entry.path)
        path = file.relative_to(root).as_posix()
        if ignore.leaves_out(path, entry.is_dir()):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(root, file, ignore)
            continue
        if entry.is_symlink() and not (file.is_file() and file.resolve().is_relative_to(root.resolve())):
            raise usage(
                f"{file} is a link out of the folder, or to a folder",
                "copy what it points to, or list it in .faasignore",
            )
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            raise usage(f"{file} is not a file", "list it in .faasignore to leave it behind")
        if not path.isprintable() or "\\" in path or len(path.encode(errors="surrogateescape")) > 255:
            raise usage(f"{path[:100]!a}: a path may have at most 255 bytes, no control characters and no '\\'")
        yield SourceFile(path, file, bool(mode & stat.S_IXUSR))
