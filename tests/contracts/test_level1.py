"""Every integration test that meets an API server runs on level 1 too, or tests/cluster/README.md says why not."""

import ast
import fnmatch
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
MET = "tests.support.apiserver"


def on_level1() -> set[str]:
    """The names in the Makefile's ON_LEVEL1."""
    text = (TESTS.parent / "Makefile").read_text().replace("\\\n", " ")
    (listed,) = re.findall(r"^ON_LEVEL1 := \$\(patsubst %,tests/integration/test_%\.py,(.*)\)$", text, re.MULTILINE)
    return {f"test_{name}" for name in listed.split()}


def left_out() -> set[str]:
    """Patterns of names in the table of what is left out."""
    text = (TESTS / "cluster/README.md").read_text()
    rows = [line for line in text[text.index("| left out on level 1 |") :].splitlines() if line.startswith("|")]
    found: set[str] = set()
    for name in (name for row in rows for name in re.findall(r"`(test_[\w{},*]+)`", row.split("|")[1])):
        head, _, choices = name.partition("{")
        found |= {head + choice for choice in choices.rstrip("}").split(",")} if choices else {name}
    return found


def imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def meets_an_api_server(file: Path) -> bool:
    """Whether it imports what starts one, itself or by what it imports of tests/support."""
    seen, open_ = set[str](), imported(file)
    while open_:
        name = open_.pop()
        module = TESTS / f"support/{name.removeprefix('tests.support.')}.py"
        if name not in seen and name.startswith("tests.support.") and module.exists():
            seen.add(name)
            open_ |= imported(module)
    return MET in seen


def test_every_test_that_meets_an_api_server_runs_on_level_1() -> None:
    files = sorted((TESTS / "integration").glob("test_*.py"))
    meeting = {file.stem for file in files if meets_an_api_server(file)}
    assert "test_scaler_scaling" in meeting
    excused = {name for name in meeting for pattern in left_out() if fnmatch.fnmatchcase(name, pattern)}
    assert on_level1() <= meeting
    assert meeting - on_level1() - excused == set()
