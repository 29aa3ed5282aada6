"""Folders with the source of a function."""

import textwrap
from pathlib import Path


def write(folder: Path, main: str, **files: str) -> Path:
    """A folder with ``main`` as its main.py; ``requirements="…"`` adds requirements.txt and so on."""
    folder.mkdir(parents=True)
    (folder / "main.py").write_text(textwrap.dedent(main))
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text)
    return folder
