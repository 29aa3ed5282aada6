"""A function's requirements, resolved and unpacked by uv for one platform; no Pod ever runs an installer."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cli.output import Failure, usage
from cli.packing import cache
from cli.packing.platforms import Platform, here, uv_name

UV_SECONDS = 600.0
LOCK = "requirements.lock"
_INCLUDE = re.compile(r"(?m)^[ \t]*(?:-r|-c|--requirements?|--constraints?)[ \t=]*(\S+)")
_NO_WHEEL = re.compile(r"(?:all versions of )?([A-Za-z0-9._-]+)\S* ha(?:s|ve) no (?:usable )?wheels")
_PINNED = re.compile(r"(?m)^([A-Za-z0-9._-]+==[^\s;\\]+)")


class Requirements(NamedTuple):
    """What a folder asks for, in the format of pip's requirements files, and which of its files says so."""

    text: str
    origin: str
    folder: Path


class Packages(NamedTuple):
    """Requirements unpacked as in a site-packages folder, for ``platform``; ``pinned`` are ``name==version``."""

    folder: Path
    platform: Platform
    pinned: list[str]
    key: str
    """The hash of the resolved requirements and the platform."""


def find(folder: Path) -> Requirements | None:
    """The folder's requirements: of requirements.txt, else the dependencies in pyproject.toml; None without any."""
    plain, project = folder / "requirements.txt", folder / "pyproject.toml"
    if plain.is_file():
        text = _read(plain)
        found = Requirements(text, plain.name, folder)
    elif project.is_file():
        try:
            dependencies = tomllib.loads(_read(project)).get("project", {}).get("dependencies", [])
            text = "".join(f"{requirement}\n" for requirement in dependencies)
        except (tomllib.TOMLDecodeError, AttributeError, TypeError) as error:
            raise usage(f"{project}: {error}") from None
        found = Requirements(text, project.name, folder)
    else:
        return None
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return found if any(lines) else None


def resolve(wanted: Requirements, platform: Platform, upgrade: bool = False) -> str:
    """The requirements as exact versions with their hashes. Resolved once; ``upgrade`` looks for newer ones."""
    name = cache.key(*_all_texts(wanted), *platform)
    if upgrade:
        shutil.rmtree(cache.root() / "resolved" / name, ignore_errors=True)

    def fill(draft: Path) -> None:
        # with the indexes that the requirements name, since they are installed from the lock alone
        options = ["--generate-hashes", "--no-header", "--no-annotate", "--emit-index-url", "--emit-find-links"]
        output = ["--output-file", str(draft / LOCK), "-"]
        _uv(["pip", "compile", *_only(platform), *options, *output], wanted.text, wanted, platform)

    return (cache.folder("resolved", name, fill) / LOCK).read_text(encoding="utf-8")


def unpack(lock: str, wanted: Requirements, platform: Platform) -> Packages:
    """The resolved requirements, installed into a folder of their own. Installed once for each content."""
    name = cache.key(lock, *platform)

    def fill(draft: Path) -> None:
        options = ["--no-deps", "--require-hashes", "--target", str(draft), "-r", "-"]
        _uv(["pip", "install", *_only(platform), *options], lock, wanted, platform)

    return Packages(cache.folder("packages", name, fill), platform, _PINNED.findall(lock), name)


def _only(platform: Platform) -> list[str]:
    """uv's options for wheels of one platform alone; the own one is not named, so that all its tags count."""
    options = ["--quiet", "--no-progress", "--only-binary", ":all:", "--python", sys.executable]
    if platform != here():
        options += ["--python-version", platform.python, "--python-platform", uv_name(platform)]
    return options


def _uv(arguments: list[str], text: str, wanted: Requirements, platform: Platform) -> None:
    try:
        from uv import find_uv_bin

        command = [find_uv_bin(), *arguments]
    except (ImportError, FileNotFoundError):
        raise Failure("uv is not installed beside faas", f"{sys.executable} -m pip install uv") from None
    try:
        done = subprocess.run(
            command, input=text, cwd=wanted.folder, capture_output=True, text=True, timeout=UV_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"the requirements of {wanted.origin} were not there after {UV_SECONDS:g} s") from None
    if done.returncode != 0:
        raise _explained(done.stderr, wanted, platform)


def _explained(said: str, wanted: Requirements, platform: Platform) -> Failure:
    """uv's reason in one sentence; a package that has no wheel for the platform is named as such."""
    lines = [re.sub(r"^[\s×╰─▶├│]+", "", line) for line in said.splitlines()]
    reason = " ".join(line.removeprefix("cause: ").removeprefix("error: ") for line in lines if line[:5] != "hint:")
    reason = re.sub(r",? ?(so|and|we) [^,]*we can conclude .*|, we can conclude .*", "", reason).strip()
    reason = reason.removeprefix("No solution found when resolving dependencies").lstrip(": ")
    without = _NO_WHEEL.search(reason)
    if without is not None:
        message = f"{wanted.origin}: {without[1]} has no wheel for {platform}, and nothing is built from source"
        return Failure(
            message, "choose a version that has one, or another package; --python, --arch, --libc for another target"
        )
    return Failure(f"{wanted.origin} cannot be resolved for {platform}: {reason[:500] or 'uv gave no reason'}")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise usage(f"{file} is not UTF-8 text") from None


def _all_texts(wanted: Requirements) -> Iterator[str]:
    """The requirements and the files that they include (``-r``, ``-c``), each once."""
    waiting, seen = [(wanted.text, wanted.folder)], set()
    while waiting:
        text, folder = waiting.pop()
        yield text
        for name in _INCLUDE.findall(text):
            file = (folder / name).resolve()
            if file.is_file() and file not in seen:
                seen.add(file)
                waiting.append((_read(file), file.parent))
