"""Packing a function's folder: what stays behind, what is inline, archives that follow from their content."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import msgspec
import pytest

from cli.output import Failure
from cli.packing import archive, cache, folder
from cli.packing.ignore import Ignore, rules_of
from cli.packing.platforms import Platform, chosen, here, uv_name
from cli.packing.requirements import Packages
from services.contracts.resources import MAX_INLINE


def files(root: Path, texts: dict[str, str]) -> Path:
    """Writes files below ``root``."""
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("rules", "path", "is_folder", "left_out"),
    [
        (["*.log"], "a/b.log", False, True),
        (["*.log"], "a/b.logs", False, False),
        (["/data"], "data", True, True),
        (["/data"], "a/data", True, False),
        (["data/"], "a/data", True, True),
        (["data/"], "a/data", False, False),
        (["a/*.txt"], "a/b.txt", False, True),
        (["a/*.txt"], "x/a/b.txt", False, False),
        (["a/**/z"], "a/z", False, True),
        (["a/**/z"], "a/b/c/z", False, True),
        (["**/tmp"], "x/tmp", True, True),
        (["a/**"], "a/b/c", False, True),
        (["a/**"], "a", True, False),
        (["*.log", "!keep.log"], "keep.log", False, False),
        (["!keep.log", "*.log"], "keep.log", False, True),
        (["# *.py", "", "  "], "main.py", False, False),
        ([r"\#odd"], "#odd", False, True),
        ([r"\!odd"], "!odd", False, True),
        (["file?.[ab]"], "file1.a", False, True),
        (["file?.[!ab]"], "file1.a", False, False),
        (["a.b"], "axb", False, False),
        ([r"star\*"], "star*", False, True),
        ([r"star\*"], "starry", False, False),
        (["bad["], "bad[", False, True),
    ],
)
def test_rules_are_those_of_gitignore(rules: list[str], path: str, is_folder: bool, left_out: bool) -> None:
    assert Ignore(rules).leaves_out(path, is_folder) is left_out


def test_common_rubbish_and_settings_stay_behind(tmp_path: Path) -> None:
    stays = (
        "__pycache__/x.py",
        ".git/config",
        ".venv/bin/x",
        "node_modules/a",
        "a.pyc",
        ".env",
        "lib/.env",
        "function.yaml",
    )
    goes = ("main.py", "lib/util.py", "lib/function.yaml", "secret.key")
    files(tmp_path, dict.fromkeys((*stays, *goes, "lib/secret.key"), ""))
    files(tmp_path, {".gitignore": "*.key\n", ".faasignore": "!/secret.key\n"})
    assert [file.path for file in folder.collect(tmp_path)] == sorted(goes)


def test_a_folder_left_out_takes_its_files_along(tmp_path: Path) -> None:
    files(tmp_path, {"main.py": "", "build/keep.py": ""})
    (tmp_path / ".gitignore").write_text("build/\n!build/keep.py\n")
    assert [file.path for file in folder.collect(tmp_path)] == ["main.py"]


def test_links_are_followed_inside_the_folder_only(tmp_path: Path) -> None:
    root = files(tmp_path / "fn", {"main.py": "1"})
    (root / "copy.py").symlink_to("main.py")
    assert [(file.path, file.file.read_text()) for file in folder.collect(root)] == [("copy.py", "1"), ("main.py", "1")]
    (root / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(Failure, match="is a link out of the folder"):
        folder.collect(root)
    (root / "passwd").unlink()
    (root / "loop").symlink_to(".")
    with pytest.raises(Failure, match="is a link out of the folder, or to a folder"):
        folder.collect(root)


@pytest.mark.parametrize("name", ["new\nline", "back\\slash", b"\xff", "x" * 200])
def test_paths_that_no_archive_may_have_are_refused(tmp_path: Path, name: str | bytes) -> None:
    place = os.fsencode(tmp_path) + b"/" + (b"d" * 100 if name == "x" * 200 else b".")
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, os.fsencode(name)), "w"):
        pass
    with pytest.raises(Failure, match="a path may have at most 255 bytes"):
        folder.collect(tmp_path)


def test_sockets_and_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Failure, match="is not a file"):
        folder.collect(tmp_path)


@pytest.mark.parametrize(
    ("content", "inline"),
    [
        (b"print()\n", True),
        ("ä".encode(), True),
        (b"\xff", False),
        (b"a\0b", False),
        (b"x" * (MAX_INLINE - 100), True),
        (b"x" * MAX_INLINE, False),
        (b"\n" * (MAX_INLINE // 2 + 1), False),  # each takes two bytes in JSON
    ],
)
def test_small_texts_are_inline(tmp_path: Path, content: bytes, inline: bool) -> None:
    (tmp_path / "main.py").write_bytes(content)
    found = folder.inline(folder.collect(tmp_path))
    assert (found == {"main.py": content.decode()}) if inline else found is None


def test_executables_are_not_inline(tmp_path: Path) -> None:
    files(tmp_path, {"main.py": "1"})
    (tmp_path / "main.py").chmod(0o755)
    assert folder.inline(folder.collect(tmp_path)) is None


def packed(root: Path, packages: Packages | None = None) -> tuple[bytes, archive.Known]:
    out = io.BytesIO()
    known = archive.write(out, folder.collect(root), packages)
    return out.getvalue(), known


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    one = files(tmp_path / "one", {"main.py": "1", "lib/a.py": "2"})
    two = files(tmp_path / "two", {"lib/a.py": "2", "main.py": "1"})
    (one / "empty").mkdir()
    for path in two.rglob("*"):
        os.utime(path, (1, 1))
    (two / "main.py").chmod(0o600)
    assert packed(one) == packed(two)
    assert archive.content_key(folder.collect(one), None) == archive.content_key(folder.collect(two), None)
    (two / "main.py").chmod(0o755)
    assert packed(one)[1].digest != packed(two)[1].digest
    assert archive.content_key(folder.collect(one), None) != archive.content_key(folder.collect(two), None)


def test_an_archive_is_as_the_runtime_reads_it(tmp_path: Path) -> None:
    root = files(tmp_path / "fn", {"main.py": "1", "lib/a.py": "22"})
    unused = ("bin/tool", ".lock", "__pycache__/x.py", "pillow/__pycache__/init.pyc", "pillow/a.pyc")
    installed = files(tmp_path / "installed", {"pillow/init.py": "3", "pillow/bin/x": "4"} | dict.fromkeys(unused, ""))
    packages = Packages(installed, Platform("3.12", "aarch64", "musl"), ["pillow==12.0.0"], "k")
    data, known = packed(root, packages)
    assert known.size == len(data)
    assert data[4:8] == b"\0\0\0\0"  # no time in the gzip header
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as tar:
        entries = {entry.name: entry for entry in tar}
        texts = {name: tar.extractfile(entry).read() for name, entry in entries.items()}  # type: ignore[union-attr]
    manifest = msgspec.json.decode(texts.pop("faas-archive.json"))
    assert manifest == {
        "version": 1,
        "python": "3.12",
        "arch": "aarch64",
        "libc": "musl",
        "packages": ["pillow==12.0.0"],
    }
    assert texts == {
        "code/lib/a.py": b"22",
        "code/main.py": b"1",
        "packages/pillow/init.py": b"3",
        "packages/pillow/bin/x": b"4",
    }
    for entry in entries.values():
        assert (entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname, entry.mode) == (0, 0, 0, "", "", 0o644)


def test_without_requirements_any_platform_will_do(tmp_path: Path) -> None:
    data, _ = packed(files(tmp_path, {"main.py": "1"}))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        manifest = msgspec.json.decode(tar.extractfile("faas-archive.json").read())  # type: ignore[union-attr]
    assert manifest == {"version": 1, "python": "any", "arch": "any", "libc": "any", "packages": []}


def test_archives_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAAS_CACHE", str(tmp_path / "cache"))
    assert archive.recall("k") is None
    archive.remember("k", archive.Known("d", 3))
    assert archive.recall("k") == archive.Known("d", 3)
    (tmp_path / "cache" / "archives" / "k").write_bytes(b"{")
    assert archive.recall("k") is None


def test_the_cache_fills_a_folder_once_and_never_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAAS_CACHE", str(tmp_path))
    filled = []

    def fill(draft: Path) -> None:
        filled.append(draft)
        (draft / "x").write_text("1")

    def fail(draft: Path) -> None:
        (draft / "x").write_text("half")
        raise Failure("no")

    with pytest.raises(Failure):
        cache.folder("packages", "k", fail)
    assert list((tmp_path / "packages").iterdir()) == []
    assert cache.folder("packages", "k", fill) == cache.folder("packages", "k", fill) == tmp_path / "packages" / "k"
    assert len(filled) == 1

    def lose_the_race(draft: Path) -> None:
        cache.folder("packages", "other", fill)
        (draft / "x").write_text("2")

    assert (cache.folder("packages", "other", lose_the_race) / "x").read_text() == "1"
    assert sorted(path.name for path in (tmp_path / "packages").iterdir()) == ["k", "other"]


def test_platforms() -> None:
    assert chosen(None, None, None) == here()
    assert chosen("3.13", "aarch64", "musl") == Platform("3.13", "aarch64", "musl")
    assert uv_name(Platform("3.13", "aarch64", "musl")) == "aarch64-unknown-linux-musl"
    assert uv_name(Platform("3.11", "x86_64", "glibc")) == "x86_64-unknown-linux-gnu"
    for wrong in (("3", None, None), ("3.x", None, None), (None, "i386", None), (None, None, "uclibc")):
        with pytest.raises(Failure):
            chosen(*wrong)


def test_a_rules_file_must_be_text(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"\xff\n")
    with pytest.raises(Failure, match=r"\.gitignore is not UTF-8 text"):
        rules_of(tmp_path)
