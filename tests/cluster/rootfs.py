"""A small Debian with Python as a folder in the cache: the bottom layer of the images that level 2 runs."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.cluster.build import BuildError, cache_directory, exclusive
from tests.cluster.image import Layer

RELEASE = "bookworm"
INCLUDED = ["ca-certificates", "python3"]
NOT_NEEDED = ("var/cache/*", "var/lib/apt/*", "var/log/*", "usr/share/doc/*", "usr/share/locale/*", "usr/share/man/*")


def debian() -> Path:
    """Returns the folder, which is downloaded and unpacked first where it is missing; needs root, raises BuildError."""
    folder = cache_directory() / f"debian-{RELEASE}-{'-'.join(INCLUDED)}"
    if not folder.exists():
        with exclusive(cache_directory() / "debian.lock"):
            if not folder.exists():
                bootstrap(folder)
    return folder


def debian_layer() -> Layer:
    """Returns it as a layer, without what containers do not read."""
    return Layer(debian(), "/", ("__pycache__", *NOT_NEEDED))


def bootstrap(folder: Path) -> None:
    unfinished = folder.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(INCLUDED)}", RELEASE, str(unfinished)]
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}  # it calls chroot and ldconfig
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if made.returncode:
        raise BuildError(f"{' '.join(command)} failed:\n{(made.stdout + made.stderr)[-2000:]}")
    unfinished.rename(folder)
