"""The interpreter and machine that requirements are unpacked for."""

import os
import platform
import sys
from typing import NamedTuple

from cli.output import usage

ARCHITECTURES = ("x86_64", "aarch64")
LIBCS = ("glibc", "musl")


class Platform(NamedTuple):
    """CPython's minor version (``3.11``), the architecture and the C library; an archive records them."""

    python: str
    arch: str
    libc: str

    def __str__(self) -> str:
        return f"Python {self.python} on {self.arch} with {self.libc}"


def here() -> Platform:
    """This interpreter's: on one machine, functions run by the same."""
    libc = "glibc" if "CS_GNU_LIBC_VERSION" in os.confstr_names and os.confstr("CS_GNU_LIBC_VERSION") else "musl"
    return Platform(f"{sys.version_info.major}.{sys.version_info.minor}", platform.machine(), libc)


def chosen(python: str | None, arch: str | None, libc: str | None) -> Platform:
    """This machine's with what the options say instead. Raises Failure (usage)."""
    if python is not None and (len(parts := python.split(".")) != 2 or not all(part.isdecimal() for part in parts)):
        raise usage(f"--python: {python[:20]!a} is not a minor version: write for example 3.12")
    if arch is not None and arch not in ARCHITECTURES:
        raise usage(f"--arch: {arch[:20]!a} is unknown: {' or '.join(ARCHITECTURES)}")
    if libc is not None and libc not in LIBCS:
        raise usage(f"--libc: {libc[:20]!a} is unknown: {' or '.join(LIBCS)}")
    own = here()
    return Platform(python or own.python, arch or own.arch, libc or own.libc)


def uv_name(target: Platform) -> str:
    """uv's name of a platform (its option --python-platform)."""
    return f"{target.arch}-unknown-linux-{'gnu' if target.libc == 'glibc' else 'musl'}"
