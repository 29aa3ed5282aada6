"""The whole tree passes the linter, the formatter and the type checker."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"], ["mypy", "deploy"]],
    ids=lambda command: " ".join(command[:2]),
)
def test_tree_is_clean(command: list[str]) -> None:
    tool = Path(sys.executable).with_name(command[0])
    found = subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert found.returncode == 0, found.stdout + found.stderr
