"""Every command in the documentation runs, in order, as a reader would type it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.local.ports import free_port
from tests.support.platform import on_level1

pytestmark = pytest.mark.skipif(on_level1(), reason="the pages start the one-machine platform by themselves")
ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/tutorial.md", "docs/tutorial-workflows.md", "docs/how-to.md"]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(page: str) -> str:
    """The page's shell blocks as one script. ``make`` lines are left out: each target is checked by itself."""
    blocks = BLOCK.findall((ROOT / page).read_text())
    if shutil.which("kubectl") is None:  # a block that begins with it is about what it made
        blocks = [block for block in blocks if not block.startswith("kubectl ")]
    lines = [line for line in "\n".join(blocks).splitlines() if not line.startswith("make ")]
    if shutil.which("kubectl") is None:
        lines = [line for line in lines if not line.startswith("kubectl ")]
    return "\n".join(lines)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page(page: str, tmp_path: Path) -> None:
    gateway = free_port(set())
    nats = free_port({gateway})
    script = commands(page).replace("127.0.0.1:8080", f"127.0.0.1:{gateway}").replace("$PWD/.venv/bin", "$VENV_BIN")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    env = os.environ | {
        "HOME": str(tmp_path),
        "VENV_BIN": str(Path(sys.executable).parent),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "FAAS_GATEWAY_PORT": str(gateway),
        "FAAS_NATS_PORT": str(nats),
    }
    try:
        done = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        subprocess.run(["faas", "down"], env=env, check=False, timeout=120)


@pytest.mark.timeout(400)
def test_make_demo_tells_the_whole_story(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=360,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for said in (
        "execute function success, result: 7", "is starting", "dev.faas.function.completed", "the end",
        "| the | 9825 |", '"deposited": false', '"deposited": true', "↻ oxford", "✓ withdraw",
    ):  # fmt: skip
        assert said in done.stdout
    assert (ROOT / "Makefile").read_text().count("examples/demo.py") == 1


def test_the_make_targets_of_the_documentation_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        name for page in PAGES for name in re.findall(r"\bmake ([a-z-]+)\b(?=`| {2,}|\n)", (ROOT / page).read_text())
    }
    assert named
    assert named <= targets
