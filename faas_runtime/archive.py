"""Archives."""

from __future__ import annotations

from pathlib import Path

from faas_runtime.settings import Archive


def install_archive(archive: Archive, cache: Path) -> Path:
    """The folder."""
    raise NotImplementedError
