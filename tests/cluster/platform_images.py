"""The images of deploy/images without a container daemon: the same parts on a small Debian, for level 2."""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from uv import find_uv_bin

from cli.local.topology import nats_server
from tests.cluster.build import BuildError, cache_directory, exclusive
from tests.cluster.image import DEFAULT_PATH, Image, Layer
from tests.cluster.rootfs import NOT_NEEDED, debian

ROOT = Path(__file__).parents[2]
PLATFORM, PYTHON = "localhost/faas-platform:0.1.0", "localhost/faas-python:0.1.0"
NATS = "docker.io/library/nats:2.15.1-alpine"
"""Names that the manifests use, so that they are applied as they are."""
DEBIAN_PYTHON = "3.11"  # the one of bookworm: functions with requirements are deployed for it
LIMIT = 200_000_000
NOBODY = "65532:65532"

# What of Debian no Python program of ours reads. Compiled modules stay: a read-only root can't keep new ones.
WITHOUT = (
    *NOT_NEEDED, "usr/bin/perl*", "usr/share/perl*", "usr/lib/x86_64-linux-gnu/perl*", "usr/share/info/*",
    "usr/lib/x86_64-linux-gnu/gconv/*", "usr/lib/apt/*", "usr/bin/apt*", "usr/lib/x86_64-linux-gnu/libapt*",
    "usr/share/lintian/*", "usr/share/keyrings/*", "usr/share/common-licenses/*", "var/lib/dpkg/*",
)  # fmt: skip
ENVIRONMENT = (
    DEFAULT_PATH, "PYTHONPATH=/app:/app/packages", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "HOME=/tmp",
)  # fmt: skip


def platform_image() -> Image:
    """The services and the installer."""
    code = compiled("platform", [ROOT / "services", ROOT / "deploy"])
    return _python_image(PLATFORM, "platform", code, ["python3", "-m"], "/app")


def python_image() -> Image:
    """The Python runtime of functions."""
    code = compiled("python", [ROOT / "faas_runtime"])
    return replace(_python_image(PYTHON, "python", code, ["python3", "-m", "faas_runtime"], "/tmp"), volumes=["/tmp"])


def nats_image() -> Image:
    """nats-server of the wheel in place of the official image."""
    server = Layer(Path(nats_server()), "/usr/local/bin/nats-server")
    return Image(NATS, [Layer(debian(), "/", WITHOUT), server], entrypoint=["nats-server"])


def _python_image(name: str, kind: str, code: Path, entrypoint: list[str], workdir: str) -> Image:
    layers = [Layer(debian(), "/", WITHOUT), Layer(packages(kind), "/app/packages", ()), Layer(code, "/app", ())]
    return Image(name, layers, entrypoint=entrypoint, environment=ENVIRONMENT, user=NOBODY, workdir=workdir)


def packages(kind: str) -> Path:
    """The packages of an image's lock, compiled, from the cache. Raises BuildError."""
    lock = ROOT / "deploy/images" / kind / "requirements.lock"
    folder = cache_directory() / f"packages-{kind}-{file_hash(lock)}"
    if not folder.exists():
        with exclusive(cache_directory() / "packages.lock"):
            if not folder.exists():
                _install(lock, folder)
    return folder


def _install(lock: Path, folder: Path) -> None:
    unfinished = folder.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [find_uv_bin(), "pip", "install", "-q", "--target", str(unfinished), "--require-hashes", "-r", str(lock)]
    command += ["--only-binary", ":all:", "--link-mode", "copy", "--python", sys.executable]
    command += ["--python-version", DEBIAN_PYTHON, "--python-platform", "x86_64-manylinux_2_36"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    compile_all(unfinished, "-b")
    for source in [*unfinished.rglob("*.py"), *unfinished.rglob("*.pyi"), *unfinished.rglob("*.pyx")]:
        source.unlink()
    unfinished.rename(folder)


def file_hash(*files: Path) -> str:
    """A hash over the names and contents of files."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def compiled(kind: str, sources: list[Path]) -> Path:
    """A copy of our own code with its compiled modules."""
    folder = cache_directory() / f"code-{kind}"
    files = [file for source in sources for file in sorted(source.rglob("*.py"))]
    stamp = file_hash(*files)
    with exclusive(cache_directory() / "code.lock"):
        if not (folder / "stamp").exists() or (folder / "stamp").read_text() != stamp:
            shutil.rmtree(folder, ignore_errors=True)
            for file in files:
                copy = folder / file.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, copy)
            compile_all(folder, "--invalidation-mode=unchecked-hash")
            (folder / "stamp").write_text(stamp)
    return folder


def compile_all(folder: Path, *options: str) -> None:
    """Compiles with Debian's own Python, whose version the modules must be of: in its root, seen by nobody else."""
    root = debian()
    command = ["unshare", "--mount", "sh", "-ec"]
    command += [
        'mount --bind "$1" "$2/mnt"; root="$2"; shift 2; exec chroot "$root" python3 -m compileall -q "$@" /mnt'
    ]
    done = subprocess.run(
        [*command, "sh", str(folder), str(root), *options], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BuildError(f"compiling {folder} failed:\n{(done.stdout + done.stderr)[-2000:]}")
