"""Which files of a folder stay behind: what no function needs, and what .gitignore and .faasignore name."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cli.output import usage

NEVER = (
    ".git", ".hg", ".svn", "__pycache__", "*.pyc", ".venv", "venv/", "node_modules", ".mypy_cache", ".ruff_cache",
    ".pytest_cache", ".tox", ".nox", ".idea", ".vscode", ".DS_Store", "*.egg-info", ".env", ".env.*", ".gitignore",
    ".faasignore", "/function.yaml",
)  # fmt: skip
"""Left out of every folder, before what its own files say (``!`` in .faasignore takes one in again)."""
FILES = (".gitignore", ".faasignore")


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    keeps: bool
    folders_only: bool


class Ignore:
    """Rules in the notation of gitignore(5); the last that matches decides."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._rules = [rule for line in lines if (rule := _rule(line)) is not None]

    def leaves_out(self, path: str, folder: bool) -> bool:
        """Whether ``path``, relative and with '/', stays behind. A folder that does takes all in it along."""
        for rule in reversed(self._rules):
            if (folder or not rule.folders_only) and rule.pattern.fullmatch(path):
                return not rule.keeps
        return False


def rules_of(root: Path) -> Ignore:
    """The rules for the folder ``root``: the common ones, then its own files' (those at its top)."""
    lines = list(NEVER)
    for name in FILES:
        file = root / name
        if file.is_file():
            try:
                lines += file.read_text(encoding="utf-8").splitlines()
            except UnicodeDecodeError:
                raise usage(f"{file} is not UTF-8 text") from None
    return Ignore(lines)


def _rule(line: str) -> _Rule | None:
    text = line if line.endswith("\\ ") else line.rstrip()
    if not text or text.startswith("#"):
        return None
    keeps = text.startswith("!")
    text = text[1:] if keeps else text.removeprefix("\\")
    folders_only = text.endswith("/")
    text = text.rstrip("/")
    anchored = "/" in text
    expression = _expression(text.lstrip("/"))
    return _Rule(re.compile(expression if anchored else f"(?:.*/)?{expression}"), keeps, folders_only)


def _expression(glob: str) -> str:
    """A glob as a regular expression; ``**`` stands for any number of folders."""
    out, position = "", 0
    while position < len(glob):
        rest = glob[position:]
        if rest.startswith("**/"):
            out, position = out + "(?:.*/)?", position + 3
        elif rest.startswith("/**") and len(rest) == 3:
            out, position = out + "/.*", position + 3
        elif rest[0] == "*":
            out, position = out + "[^/]*", position + 1
        elif rest[0] == "?":
            out, position = out + "[^/]", position + 1
        elif rest[0] == "[" and "]" in rest[2:]:
            end = rest.index("]", 2)
            inside = rest[1:end].replace("\\", r"\\").replace("[", r"\[")
            out += f"[^{inside[1:]}]" if inside[0] in "!^" else f"[{inside}]"
            position += end + 1
        else:
            escaped = rest[0] == "\\" and len(rest) > 1
            out, position = out + re.escape(rest[1] if escaped else rest[0]), position + 1 + escaped
    return out
