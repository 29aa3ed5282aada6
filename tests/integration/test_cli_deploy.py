"""``faas deploy`` against a server that speaks the gateway's protocol: what is sent, shown and refused."""

import base64
import hashlib
import io
import json
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from services.contracts.errors import Code
from tests.support.canned import Asked, Say, Server, canned_server
from tests.support.command import BIN, Done, Here, error

HANDLE = "def handle(event):\n    return event\n"
FUNCTIONS = "/api/v1/namespaces/default/functions"

Conditions = dict[str, tuple[str, str, str]]
STARTING: Conditions = {"Ready": ("Unknown", "Starting", "no Pod yet"), "Progressing": ("True", "Starting", "")}
READY: Conditions = {"Ready": ("True", "PodsReady", ""), "Progressing": ("True", "Complete", "")}
CRASHED: Conditions = {
    "Ready": ("False", "CrashLoopBackOff", "ModuleNotFoundError: No module named 'nope'"),
    "Progressing": ("False", "CrashLoopBackOff", "ModuleNotFoundError: No module named 'nope'"),
}


class Platform:
    """Keeps functions and archives; a function goes through ``states`` one look at a time."""

    def __init__(self, *states: Conditions) -> None:
        self.states = list(states or (STARTING, READY))
        self.functions: dict[str, dict[str, Any]] = {}
        self.archives: dict[str, bytes] = {}
        self.looks = 0

    def __call__(self, asked: Asked) -> Say:
        if "/archives/" in asked.path:
            return self._archive(asked)
        if "/logs" in asked.path:
            return Say(200, b"" if "previous" not in asked.path else b"Traceback\nModuleNotFoundError: nope\n")
        return self._put(asked) if asked.method == "PUT" else self._get(asked)

    def _archive(self, asked: Asked) -> Say:
        digest = asked.path.rpartition("/")[2]
        if asked.method == "PUT":
            assert hashlib.sha256(asked.body).hexdigest() == digest
            self.archives[digest] = asked.body
        elif digest not in self.archives:
            return error(Code.NOT_FOUND, "no such archive")
        return Say(200, b"{}")

    def _put(self, asked: Asked) -> Say:
        self.looks = 0
        function = msgspec.json.decode(asked.body)
        function["metadata"]["generation"] = 7
        status = 200 if asked.path in self.functions else 201
        self.functions[asked.path] = function
        return Say(status, json.dumps(function).encode())

    def _get(self, asked: Asked) -> Say:
        state = self.states[min(self.looks, len(self.states) - 1)]
        self.looks += 1
        conditions = [
            {"type": type_, "status": status, "reason": reason, "message": message}
            for type_, (status, reason, message) in state.items()
        ]
        status = {"observedGeneration": 7 if state else 6, "conditions": conditions}
        return Say(200, json.dumps(self.functions[asked.path] | {"status": status}).encode())


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Here:
    monkeypatch.setenv("FAAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Here(monkeypatch, capfd)


def write(root: Path, texts: dict[str, str | bytes]) -> Path:
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]


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


def test_what_is_too_large_for_inline_becomes_an_archive_sent_once(here: Here, tmp_path: Path) -> None:
    big = os.urandom(100_000)
    write(tmp_path / "big", {"main.py": HANDLE, "data.bin": big, "__pycache__/main.pyc": "", ".env": "SECRET=1"})
    with canned_server(Platform()) as server:
        first = here(server, "deploy", "big")
        (put,) = [asked for asked in server.asked if asked.method == "PUT" and "/archives/" in asked.path]
        server.asked.clear()
        second = here(server, "deploy", "big", "--min", "1")
        assert [asked.method for asked in server.asked if "/archives/" in asked.path] == ["HEAD"]
    assert (first.code, second.code) == (0, 0)
    assert first.err.startswith("sending 0.1 MB\n")
    assert second.out.startswith("deployed default/big\n")
    digest = put.path.rpartition("/")[2]
    assert put.path == f"/api/v1/namespaces/default/archives/{digest}"
    assert members(put.body).keys() == {"faas-archive.json", "code/data.bin", "code/main.py"}
    assert members(put.body)["code/data.bin"] == big
    with canned_server(Platform()) as fresh:  # another platform has not got it
        assert here(fresh, "deploy", "big").code == 0
        assert put.path in [asked.path for asked in fresh.asked if asked.method == "PUT"]


def test_a_refused_upload_is_explained_though_nobody_read_it(here: Here, tmp_path: Path) -> None:
    write(tmp_path / "big", {"main.py": HANDLE, "data.bin": os.urandom(100_000)})

    def refuses(asked: Asked) -> Say:
        return error(Code.NOT_FOUND, "no") if asked.method == "HEAD" else error(Code.UNAUTHORIZED, "no token")

    with canned_server(refuses) as server:
        done = here(server, "deploy", "big")
    assert done.code == 2
    assert "error: no token (unauthorized)\nhint: set FAAS_TOKEN" in done.err


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


def wheel(folder: Path, name: str, version: str, body: str = "") -> None:
    """Writes a pure wheel (PyPA binary distribution format) with one module."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    contents = {
        f"{name}.py": body,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-tool = {name}:main\n",
    }
    hashes = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for path, text in contents.items()
    }
    record = "".join(f"{path},sha256={digest},\n" for path, digest in hashes.items()) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in (contents | {f"{info}/RECORD": record}).items():
            archive.writestr(path, text)


def test_an_archive_that_cannot_be_taken_now_is_sent_again(here: Here, tmp_path: Path) -> None:
    """As in the moment after a NATS server was started, in which nobody has the say in its store yet."""
    write(tmp_path / "big", {"main.py": HANDLE, "data.bin": os.urandom(100_000)})
    platform = Platform()
    later = error(Code.BUS_UNAVAILABLE, "the archive store does not answer; try again", Retry_After="1")

    def refuse_each_once(asked: Asked) -> Say:
        if "/archives/" in asked.path and asked.method not in refused:
            refused.append(asked.method)
            return later
        return platform(asked)

    refused: list[str] = []
    with canned_server(refuse_each_once) as server:
        done = here(server, "deploy", "big")
    assert done.code == 0, done.err
    assert refused == ["HEAD", "PUT"]
    assert len(platform.archives) == 1
    assert "does not answer; try again (bus_unavailable); again in 1 s" in done.err


@pytest.mark.parametrize(
    "refusal",
    [error(Code.BUS_UNAVAILABLE, "no store"), error(Code.PAYLOAD_TOO_LARGE, "too large", Retry_After="1")],
    ids=["without a time", "for good"],
)
def test_what_is_refused_otherwise_is_not_sent_again(here: Here, tmp_path: Path, refusal: Say) -> None:
    write(tmp_path / "big", {"main.py": HANDLE, "data.bin": os.urandom(100_000)})
    platform = Platform()
    with canned_server(lambda asked: refusal if asked.method == "PUT" else platform(asked)) as server:
        done = here(server, "deploy", "big")
    assert done.code != 0
    assert [asked.method for asked in server.asked] == ["HEAD", "PUT"]


def sent_archive(server: Server) -> dict[str, bytes]:
    (put,) = [asked for asked in server.asked if asked.method == "PUT" and "/archives/" in asked.path]
    return members(put.body)


def uploads(done: Done) -> bool:
    return "sending" in done.err


def test_requirements_are_unpacked_into_the_archive_once(here: Here, tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "tinydep", "1.0", "ANSWER = 42\n")
    root = write(
        tmp_path / "f", {"main.py": HANDLE, "requirements.txt": "--no-index\n--find-links ../wheels\ntinydep\n"}
    )
    with canned_server(Platform()) as server:
        first = here(server, "deploy", "f")
        assert first.code == 0, first.err
        assert first.err.startswith("requirements of requirements.txt for Python 3.")
        found = sent_archive(server)
        server.asked.clear()
        wheel(tmp_path / "wheels", "tinydep", "2.0", "ANSWER = 43\n")
        assert not uploads(here(server, "deploy", "f"))  # neither resolved nor sent again
        write(root, {"main.py": HANDLE + "# changed\n"})
        assert uploads(here(server, "deploy", "f"))
        assert sent_archive(server)["packages/tinydep.py"] == b"ANSWER = 42\n"
        server.asked.clear()
        assert uploads(here(server, "deploy", "f", "--upgrade"))
        assert sent_archive(server)["packages/tinydep.py"] == b"ANSWER = 43\n"
    assert found["packages/tinydep.py"] == b"ANSWER = 42\n"
    assert not any(path.startswith("packages/bin/") for path in found)
    manifest = json.loads(found["faas-archive.json"])
    assert manifest["packages"] == ["tinydep==1.0"]
    assert manifest["python"].startswith("3.")
    assert manifest["arch"] == os.uname().machine
    assert len(list((tmp_path / "cache" / "packages").iterdir())) == 2


def test_requirements_for_another_platform(here: Here, tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "tinydep", "1.0")
    write(tmp_path / "f", {"main.py": HANDLE, "pyproject.toml": '[project]\nname = "f"\ndependencies = ["tinydep"]\n'})
    os.environ["UV_FIND_LINKS"] = str(tmp_path / "wheels")
    os.environ["UV_NO_INDEX"] = "1"
    try:
        with canned_server(Platform()) as server:
            done = here(server, "deploy", "f", "--python", "3.13", "--arch", "aarch64", "--libc", "musl")
    finally:
        del os.environ["UV_FIND_LINKS"], os.environ["UV_NO_INDEX"]
    assert done.code == 0, done.err
    assert "requirements of pyproject.toml for Python 3.13 on aarch64 with musl" in done.err
    manifest = json.loads(sent_archive(server)["faas-archive.json"])
    assert (manifest["python"], manifest["arch"], manifest["libc"]) == ("3.13", "aarch64", "musl")


def test_requirements_that_cannot_be_had_are_named(here: Here, tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "tinydep", "1.0")
    (tmp_path / "wheels" / "onlysource-1.0.tar.gz").write_bytes(b"")
    offline = "--no-index\n--find-links ../wheels\n"
    cases = {
        "nope": "nope was not found",
        "tinydep>1\n": "tinydep>1",
        "onlysource": "onlysource has no wheel for Python 3.",
        "what is this": "requirements.txt cannot be resolved",
    }
    with canned_server(Platform()) as server:
        for line, said in cases.items():
            write(tmp_path / "f", {"main.py": HANDLE, "requirements.txt": offline + line})
            done = here(server, "deploy", "f")
            assert (done.code, done.out) == (1, ""), done.err
            assert said in done.err, done.err
        assert server.asked == []
    assert not list((tmp_path / "cache").glob("*/.draft-*"))
