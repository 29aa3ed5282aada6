"""The command line against the whole platform: deploy in every form, look, watch, delete."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.command import BIN, faas
from tests.support.patience import PATIENCE
from tests.support.platform import FAAS, Platform
from tests.support.source import write

ECHO = "def handle(event):\n    print('called', flush=True)\n    return event\n"


@pytest.fixture(scope="module")
def told(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A function that stays up for all tests of this module."""
    platform.faas("deploy", str(write(tmp_path_factory.mktemp("told") / "told", ECHO)), "--min", "1", check=True)
    return "default/told"


def test_a_deploy_shows_how_it_becomes_ready(platform: Platform, tmp_path: Path) -> None:
    done = platform.faas("deploy", str(write(tmp_path / "quick", ECHO)), check=True)
    assert done.out.startswith("deployed default/quick (created)\n")
    assert "  Ready        True PodsReady\n" in done.out
    assert "default/quick is ready after" in done.out
    assert "faas execute default/quick" in done.out


def test_a_broken_update_is_told_with_the_log(platform: Platform, tmp_path: Path) -> None:
    folder = write(tmp_path / "updated", ECHO)
    platform.faas("deploy", str(folder), "--min", "1", check=True)
    main = folder / "main.py"
    main.write_text("print('about to fail')\nimport nothing_of_that_name\n\ndef handle(event): ...\n")
    done = platform.faas("deploy", str(folder), "--min", "1")
    assert done.code == 1
    assert "default/updated does not start: " in done.err
    assert "about to fail\n" in done.err
    assert platform.faas("execute", "default/updated", "1").out == "execute function success, result: 1\n"
    main.write_text("def handle(event):\n    return 'new'\n")
    platform.faas("deploy", str(folder), "--min", "1", check=True)
    assert platform.faas("execute", "default/updated", "1").out == "execute function success, result: new\n"


def test_settings_data_and_requirements_travel_in_the_archive(platform: Platform, tmp_path: Path) -> None:
    main = """
        import os
        import lib

        def handle(event):
            return [len(lib.DATA), os.environ["GREETING"], os.path.exists("secret.txt")]
    """
    folder = write(tmp_path / "packed", main, secret="S=1")
    (folder / "lib").mkdir()
    (folder / "lib" / "__init__.py").write_text(
        "import pathlib\nDATA = (pathlib.Path(__file__).parent / 'data.bin').read_bytes()\n"
    )
    (folder / "lib" / "data.bin").write_bytes(os.urandom(100_000))
    (folder / ".faasignore").write_text("secret.txt\n")
    settings = "metadata: {name: from-settings}\nspec: {env: [{name: GREETING, value: hi}]}\n"
    (folder / "function.yaml").write_text(settings)
    done = platform.faas("deploy", str(folder), check=True, FAAS_CACHE=str(tmp_path / "cache"))
    assert "sending 0.1 MB" in done.err
    called = platform.faas("execute", "default/from-settings", "null", "--wait", "--raw", check=True)
    assert json.loads(called.out) == [100_000, "hi", False]
    found = json.loads(platform.faas("get", "from-settings", "-o", "json", check=True).out)
    assert len(found["spec"]["source"]["archive"]) == 64


def test_an_exported_function_can_be_deployed_again(platform: Platform, told: str, tmp_path: Path) -> None:
    exported = platform.faas("get", told, "-o", "yaml", check=True).out
    (tmp_path / "copy.yaml").write_text(exported)
    platform.faas("deploy", str(tmp_path / "copy.yaml"), "--name", "copied", check=True)
    assert platform.faas("execute", "default/copied", "[1]", "--wait", "--raw", check=True).out == "[1]"


def test_list_get_and_logs(platform: Platform, told: str) -> None:
    platform.faas("execute", told, "1", "--wait", check=True)
    for arguments in (["list"], ["list", "-A"], ["list", "-o", "wide"]):
        rows = [line.split() for line in platform.faas(*arguments, check=True).out.splitlines()]
        assert ["default", "told", "True", "PodsReady", "1/1"] in [row[:5] for row in rows]
    shown = platform.faas("get", told, check=True).out
    assert "pods        1 ready of 1\n" in shown
    assert "Ready" in shown
    assert "called\n" in platform.faas("logs", told, "--tail", "5", check=True).out


def test_logs_follow(platform: Platform, told: str) -> None:
    process = subprocess.Popen(
        [FAAS, "logs", told, "-f", "--tail", "0"],
        env={**os.environ, "FAAS_DIR": str(platform.directory)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        deadline = time.monotonic() + PATIENCE
        line = ""
        os.set_blocking(process.stdout.fileno(), False)
        while "called" not in line and time.monotonic() < deadline:
            platform.faas("execute", told, "1", check=True)  # until one is seen: the stream begins at its own time
            line = process.stdout.readline()
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert "called" in line


def test_events_as_they_happen(platform: Platform, told: str) -> None:
    process = subprocess.Popen(
        [FAAS, "events", "-f", "--function", "told", "-o", "json"],
        env={**os.environ, "FAAS_DIR": str(platform.directory)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    seen: list[str] = []
    try:
        deadline = time.monotonic() + PATIENCE
        os.set_blocking(process.stdout.fileno(), False)
        while len(seen) < 2 and time.monotonic() < deadline:
            platform.faas("execute", told, "1", check=True)
            seen += process.stdout.readlines()
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    verbs = [json.loads(line)["type"] for line in seen]
    assert verbs[:2] in (
        ["dev.faas.function.received", "dev.faas.function.completed"],
        ["dev.faas.function.completed", "dev.faas.function.received"],
    )


def test_kubectls_plugin(platform: Platform, told: str) -> None:
    done = subprocess.run(
        [str(BIN / "kubectl-execute"), told, '{"a":1}'], capture_output=True, text=True, timeout=100, check=False,
        env={**os.environ, "FAAS_DIR": str(platform.directory)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, 'execute function success, result: {"a":1}\n')


def test_a_body_over_the_limit_is_answered_though_nobody_reads_it(platform: Platform, told: str) -> None:
    body = b"x" * 20_000_000
    done = faas("execute", told, "-", "-t", "text/plain", stdin=body, FAAS_DIR=str(platform.directory))
    assert done.code == 2
    assert "code: 413 msg: payload_too_large: the body has 20000000 bytes; at most " in done.out


def test_delete(platform: Platform, tmp_path: Path) -> None:
    platform.faas("deploy", str(write(tmp_path / "short-lived", ECHO)), check=True)
    done = platform.faas("delete", "short-lived", "--wait", check=True)
    assert done.out == "deleted default/short-lived\n"
    assert platform.faas("get", "short-lived").code == 3
    assert platform.faas("execute", "default/short-lived", "1").code == 3
    assert platform.faas("delete", "short-lived").code == 3


def test_a_deploy_makes_the_namespace_it_names(platform: Platform, tmp_path: Path) -> None:
    platform.faas("deploy", str(write(tmp_path / "settler", ECHO)), "-n", "new-team", "--min", "1", check=True)
    assert (
        platform.faas("execute", "new-team/settler", "[2]", check=True).out == "execute function success, result: [2]\n"
    )
    assert platform.faas("execute", "default/settler", "1").code == 3
    rows = platform.faas("list", "-n", "new-team", check=True).out.splitlines()
    assert [row.split()[:2] for row in rows[1:]] == [["new-team", "settler"]]
