"""``faas deploy`` against a server that speaks the gateway's protocol: what is sent, shown and refused."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.canned import canned_server
from tests.support.command import BIN, Here
from tests.support.deploys import HANDLE, READY, STARTING, Conditions, Platform, write

FUNCTIONS = "/api/v1/namespaces/default/functions"
CRASHED: Conditions = {
    "Ready": ("False", "CrashLoopBackOff", "ModuleNotFoundError: No module named 'nope'"),
    "Progressing": ("False", "CrashLoopBackOff", "ModuleNotFoundError: No module named 'nope'"),
}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Here:
    monkeypatch.setenv("FAAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Here(monkeypatch, capfd)


def test_a_folder_is_deployed_and_waited_for(tmp_path: Path) -> None:
    write(tmp_path / "add", {"main.py": HANDLE, "notes.txt": "äöü"})
    with canned_server(Platform({}, STARTING, STARTING, READY)) as server:
        done = subprocess.run(
            [str(BIN / "faas"), "deploy", str(tmp_path / "add"), "--min", "1", "-e", "A=x=y"],
            capture_output=True, text=True, env={**os.environ, "FAAS_GATEWAY": server.url}, timeout=100, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "deployed default/add (created)"
    assert [" ".join(line.split()) for line in lines[1:5]] == [
        "Ready Unknown Starting: no Pod yet",
        "Progressing True Starting",
        "Ready True PodsReady",
        "Progressing True Complete",
    ]
    assert lines[5].startswith("default/add is ready after 0.")
    assert lines[6] == "  faas execute default/add '{}'"
    assert lines[7] == f"  curl -X POST {server.url}/default/add -d '{{}}'"
    put = server.asked[0]
    assert (put.method, put.path) == ("PUT", f"{FUNCTIONS}/add")
    assert json.loads(put.body) == {
        "apiVersion": "faas.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": "add", "namespace": "default"},
        "spec": {
            "scale": {"min": 1},
            "env": [{"name": "A", "value": "x=y"}],
            "handler": "main:handle",
            "source": {"inline": {"main.py": HANDLE, "notes.txt": "äöü"}},
        },
    }


def test_every_option_reaches_the_spec(here: Here, tmp_path: Path) -> None:
    write(tmp_path / "f", {"main.py": "def other(e): ..."})
    options = (
        "--name new -n team --handler main:other --min 1 --max 2 --target 50 --scale-to-zero-after 5s --window 30s "
        "--timeout 10s --concurrency 3 --cold-start wait --idempotent --memory 64Mi --cpu 250m"
    )
    with canned_server(Platform()) as server:
        done = here(server, "deploy", "f", *options.split(), "--no-wait")
    assert (done.code, done.out, done.err) == (0, "deployed team/new (created)\n", "")
    (put,) = server.asked
    assert put.path == "/api/v1/namespaces/team/functions/new"
    assert json.loads(put.body)["spec"] == {
        "handler": "main:other", "timeout": "10s", "concurrency": 3, "coldStart": "Wait", "idempotent": True,
        "scale": {"min": 1, "max": 2, "target": 50, "window": "30s", "scaleToZeroAfter": "5s"},
        "resources": {"limits": {"memory": "64Mi", "cpu": "250m"}},
        "source": {"inline": {"main.py": "def other(e): ..."}},
    }  # fmt: skip


def test_a_failure_shows_reason_and_last_words(here: Here, tmp_path: Path) -> None:
    write(tmp_path / "bad", {"main.py": HANDLE})
    with canned_server(Platform(STARTING, CRASHED)) as server:
        done = here(server, "deploy", "bad")
    assert done.code == 1
    assert done.err == (
        "error: default/bad does not start: CrashLoopBackOff: ModuleNotFoundError: No module named 'nope'\n"
        "  log:\n"
        "    Traceback\n"
        "    ModuleNotFoundError: nope\n"
        "hint: faas logs default/bad shows all of it\n"
    )


def test_patience_has_an_end(here: Here, tmp_path: Path) -> None:
    write(tmp_path / "slow", {"main.py": HANDLE})
    with canned_server(Platform(STARTING)) as server:
        done = here(server, "deploy", "slow", "--wait-timeout", "100ms")
    assert done.code == 5
    assert done.err.startswith("error: default/slow is not ready after 0.1 s: Starting: no Pod yet\n")


def test_several_functions_of_a_manifest(here: Here, tmp_path: Path) -> None:
    spec = "kind: Function\nmetadata: {name: %s}\nspec: {image: 'x/y:1'}\n"
    write(tmp_path, {"all.yaml": spec % "one" + "---\n" + spec % "two"})
    with canned_server(Platform(READY)) as server:
        done = here(server, "deploy", "all.yaml", "--timeout", "5s")
        assert [asked.path for asked in server.asked if asked.method == "PUT"] == [
            f"{FUNCTIONS}/one",
            f"{FUNCTIONS}/two",
        ]
        assert (done.code, done.err) == (0, "")
        as_yaml = here(server, "deploy", "all.yaml", "-o", "yaml")
    documents = list(yaml.safe_load_all(as_yaml.out))
    assert [document["metadata"]["name"] for document in documents] == ["one", "two"]
    assert documents[0]["status"]["observedGeneration"] == 7
    assert "deployed default/one" in as_yaml.err


def test_wrong_input_sends_nothing(here: Here, tmp_path: Path) -> None:
    write(tmp_path / "f", {"main.py": HANDLE})
    good = "kind: Function\nmetadata: {name: one}\nspec: {image: x}\n---\n"
    write(tmp_path, {"half.yaml": good + "kind: Function\nmetadata: {name: two}\nspec: {image: x, timeuot: 5s}\n"})
    cases: list[tuple[list[str], str]] = [
        ([], "nothing to deploy"),
        (["absent"], "absent does not exist"),
        (["f", "--name", "A_B"], "hint: choose another with --name, such as --name a-b"),
        (["f", "-n", "a.b"], "the namespace 'a.b' is not valid"),
        (["f", "--timeout", "5"], "spec.timeout: expected a duration"),
        (["f", "--timeout", "soon"], "--timeout: 'soon' is not a duration"),
        (["f", "--min", "3", "--max", "2"], "min (3) is above max (2)"),
        (["f", "--concurrency", "0"], "--concurrency"),
        (["f", "--memory", "lots"], "expected a quantity such as"),
        (["f", "-e", "FAAS_X=1"], "belong to the platform"),
        (["f", "-e", "1X=1"], "spec.env[0].name"),
        (["f", "--handler", "main:nope"], "it defines handle"),
        (["f", "--python", "three"], "--python"),
        (["f", "--wait-timeout", "x"], "--wait-timeout"),
        (["half.yaml"], "did you mean timeout?"),
    ]
    with canned_server(Platform()) as server:
        for arguments, said in cases:
            done = here(server, "deploy", *arguments)
            assert (done.code, done.out) == (2, ""), arguments
            assert said in done.err, (arguments, done.err)
            assert "Traceback" not in done.err
        assert server.asked == []


def test_a_dry_run_needs_no_platform(here: Here, tmp_path: Path) -> None:
    write(tmp_path / "f", {"main.py": "app = object()\n"})
    with canned_server(Platform()) as server:
        done = here(server, "deploy", "f", "--dry-run")
        as_json = here(server, "deploy", "f", "--dry-run", "-o", "json")
        assert server.asked == []
    assert yaml.safe_load(done.out) == json.loads(as_json.out)
    assert json.loads(as_json.out)["spec"]["handler"] == "main:app"
    assert done.err == "handler: main:app, an ASGI application (there is no main:handle)\n"
