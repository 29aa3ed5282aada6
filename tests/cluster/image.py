"""OCI images from plain folders, without a container daemon or a registry.

An image is a tar file that containerd imports (OCI image layout 1.0): layers, each the tar of some folder placed
somewhere in the container, and a configuration. Layers are kept in the cache and made again only when a file changed.
"""

import fnmatch
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.build import cache_directory

MEDIA = "application/vnd.oci.image"
DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BLOCK = 1 << 20


@dataclass(frozen=True)
class Layer:
    """A folder or file of this machine, and its place in the container; names that match `without` are left out."""

    source: Path
    target: str = "/"
    without: tuple[str, ...] = ("__pycache__",)


@dataclass(frozen=True)
class Image:
    """What an image consists of. `name` with its tag, such as `localhost/faas-python:1`."""

    name: str
    layers: Sequence[Layer]
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    environment: Sequence[str] = (DEFAULT_PATH,)
    user: str = ""
    workdir: str = "/"
    labels: dict[str, str] = field(default_factory=dict)
    volumes: Sequence[str] = ()


@dataclass(frozen=True)
class Blob:
    """A layer in the cache."""

    path: Path
    digest: str

    def descriptor(self, media: str) -> dict[str, Any]:
        return {"mediaType": f"{MEDIA}.{media}", "digest": self.digest, "size": self.path.stat().st_size}


def write_image(image: Image, archive: Path) -> None:
    """Writes the image to a tar file, ready for `ctr images import`."""
    blobs = [layer_blob(layer) for layer in image.layers]
    config = canonical(configuration(image, blobs))
    manifest = canonical(
        {
            "schemaVersion": 2,
            "mediaType": f"{MEDIA}.manifest.v1+json",
            "config": described(config, "config.v1+json"),
            "layers": [blob.descriptor("layer.v1.tar") for blob in blobs],
        }
    )
    named = {"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": image.name.rpartition(":")[2]}
    index = {"schemaVersion": 2, "manifests": [{**described(manifest, "manifest.v1+json"), "annotations": named}]}
    with tarfile.open(archive, "w") as tar:
        add_bytes(tar, "oci-layout", canonical({"imageLayoutVersion": "1.0.0"}))
        add_bytes(tar, "index.json", canonical(index))
        for content in (config, manifest):
            add_bytes(tar, f"blobs/sha256/{hashlib.sha256(content).hexdigest()}", content)
        for path in {blob.path for blob in blobs}:
            tar.add(path, f"blobs/sha256/{path.name}")


def configuration(image: Image, blobs: Sequence[Blob]) -> dict[str, Any]:
    run = {
        "Entrypoint": list(image.entrypoint),
        "Cmd": list(image.command),
        "Env": list(image.environment),
        "User": image.user,
        "WorkingDir": image.workdir,
        "Labels": image.labels,
        "Volumes": {path: {} for path in image.volumes},
    }
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    diff_ids = [blob.digest for blob in blobs]  # the layers are not compressed, so both digests are the same
    return {
        "architecture": machine,
        "os": "linux",
        "config": {key: value for key, value in run.items() if value},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }


def layer_blob(layer: Layer) -> Blob:
    """Returns the layer's tar from the cache, made first where a file of it is new or changed."""
    folder = cache_directory() / "layers"
    folder.mkdir(exist_ok=True)
    entries = list(files(layer))
    key = hashlib.sha256(f"{layer}\n".encode())
    for path, name in entries:
        status = path.lstat()
        size = 0 if path.is_dir() and not path.is_symlink() else status.st_size
        key.update(f"{name} {status.st_mode} {size} {status.st_mtime_ns}\n".encode())
    known = folder / f"{key.hexdigest()[:32]}.key"
    if not known.exists() or not (folder / known.read_text()).exists():
        unfinished = folder / f"{os.getpid()}.new"
        write_layer(entries, layer.target, unfinished)
        digest = file_digest(unfinished)
        unfinished.rename(folder / digest)
        known.write_text(digest)
    digest = known.read_text()
    return Blob(folder / digest, f"sha256:{digest}")


def files(layer: Layer) -> Iterator[tuple[Path, str]]:
    """Yields each file and folder of the layer with its name relative to the source, parents first."""
    yield layer.source, ""
    if layer.source.is_file():
        return
    for folder, subfolders, names in os.walk(layer.source):
        here = Path(folder)
        subfolders[:] = sorted(each for each in subfolders if not left_out(here / each, layer))
        for name in sorted([*subfolders, *(each for each in names if not left_out(here / each, layer))]):
            yield here / name, str((here / name).relative_to(layer.source))


def left_out(path: Path, layer: Layer) -> bool:
    relative = str(path.relative_to(layer.source))
    return any(fnmatch.fnmatch(relative, each) or fnmatch.fnmatch(path.name, each) for each in layer.without)


def write_layer(entries: Sequence[tuple[Path, str]], target: str, archive: Path) -> None:
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for parent in reversed(Path(target.strip("/")).parents):  # what extracts it makes no parents by itself
            if parent.name:
                add_folder(tar, str(parent))
        for path, relative in entries:
            name = str(Path(target.strip("/")) / relative) if relative else target.strip("/")
            if name:
                entry = tar.gettarinfo(path, name)
                if entry is not None:  # a socket has none
                    add_owned_by_root(tar, entry, path)


def add_owned_by_root(tar: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> None:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    if entry.isreg():
        with path.open("rb") as content:
            tar.addfile(entry, content)
    else:
        tar.addfile(entry)


def add_folder(tar: tarfile.TarFile, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(entry)


def add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def described(content: bytes, media: str) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"mediaType": f"{MEDIA}.{media}", "digest": digest, "size": len(content)}


def file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
