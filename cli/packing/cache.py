"""Where resolved requirements and unpacked packages are kept between deployments, by the hash of what they are."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def root() -> Path:
    """``FAAS_CACHE``, else ``faas`` in the user's cache directory (XDG Base Directory Specification)."""
    if os.environ.get("FAAS_CACHE"):
        return Path(os.environ["FAAS_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "faas"


def key(*parts: str) -> str:
    """The SHA-256 of ``parts``, in hexadecimal."""
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()


def folder(kind: str, name: str, fill: Callable[[Path], None]) -> Path:
    """The folder ``kind/name`` of the cache, filled by ``fill`` once.

    It appears in one step when it is complete: of two deployments at once one is first, and both find it whole.
    """
    place = root() / kind / name
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=place.parent))
    try:
        fill(draft)
        try:
            draft.rename(place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place
