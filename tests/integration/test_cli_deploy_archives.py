"""``faas deploy`` of what becomes an archive: sent once, with its requirements unpacked."""

import base64
import hashlib
import json
import os
import zipfile
from pathlib import Path

import pytest

from services.contracts.errors import Code
from tests.support.canned import Asked, Say, Server, canned_server
from tests.support.command import Done, Here, error
from tests.support.deploys import HANDLE, Platform, members, write


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Here:
    monkeypatch.setenv("FAAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Here(monkeypatch, capfd)


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
