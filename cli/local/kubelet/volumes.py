"""A Pod's directory: home, temporary files, and its volumes under their mount paths.

    <root>/pods/<uid>/state.json            the kubelet's record (store.py)
    <root>/pods/<uid>/logs/<container>/     log files (logs.py)
    <root>/pods/<uid>/volumes/<name>/       volumes
    <root>/pods/<uid>/dir/                  FAAS_POD_DIR = HOME = working directory; dir/tmp is TMPDIR
    <root>/pods/<uid>/dir/<mountPath>       link to a volume

A process can't have its own file system, so `mountPath: /etc/app` is found at `$FAAS_POD_DIR/etc/app`.
"""

import contextlib
import os
import re
import shutil
from pathlib import Path, PurePosixPath

from cli.local.kubelet.environment import MissingReference, Sources
from cli.local.kubelet.resources import Container, KeyedVolume, Pod, Volume

_UID = re.compile(r"[A-Za-z0-9-]{1,128}")


class PodPaths:
    """Where the parts of one Pod are kept. Raises ValueError for a uid that would lead elsewhere."""

    def __init__(self, root: Path, uid: str) -> None:
        if not _UID.fullmatch(uid):
            raise ValueError(f"{uid!r} is not the uid of a Pod")
        self.base = root / "pods" / uid
        self.home = self.base / "dir"
        self.temporary = self.home / "tmp"
        self.state = self.base / "state.json"
        self.volumes = self.base / "volumes"

    def log(self, container: str, restarts: int) -> Path:
        """The log file of one run of a container."""
        return self.base / "logs" / container / f"{restarts}.log"

    def create(self) -> None:
        """Make the directories, readable by their owner alone."""
        for directory in (self.base.parent, self.base, self.home, self.temporary, self.volumes):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def remove(self) -> None:
        """Remove everything of the Pod. Raises OSError when something can't be removed."""
        if self.base.exists():
            shutil.rmtree(self.base)


def mount(pod: Pod, container: Container, sources: Sources, paths: PodPaths) -> None:
    """Fill the container's volumes and link them under the Pod's directory.

    Raises MissingReference for a missing object or key, OSError when the disk refuses.
    """
    volumes = {volume.name: volume for volume in pod.spec.volumes}
    for wanted in container.volume_mounts:
        directory = paths.volumes / wanted.name
        _fill(volumes[wanted.name], directory, sources)
        link = paths.home.joinpath(*PurePosixPath(wanted.mount_path.lstrip("/")).parts)
        target = directory / wanted.sub_path if wanted.sub_path else directory
        if wanted.sub_path and volumes[wanted.name].empty_dir is not None:
            target.mkdir(parents=True, exist_ok=True)
        _link(link, target)


def _fill(volume: Volume, directory: Path, sources: Sources) -> None:
    directory.mkdir(mode=0o700, exist_ok=True)
    if volume.secret is not None:
        _write_keys(volume.secret, sources.secrets, volume.secret.secret_name, "secret", directory)
    elif volume.config_map is not None:
        _write_keys(volume.config_map, sources.config_maps, volume.config_map.name, "configmap", directory)


def _write_keys(
    volume: KeyedVolume, objects: dict[str, dict[str, bytes] | None], name: str, kind: str, directory: Path
) -> None:
    data = objects.get(name)
    if data is None:
        if volume.optional:
            return
        raise MissingReference(f'{kind} "{name}" not found')
    wanted = {item.key: item.path for item in volume.items} or {key: key for key in data}
    for key, path in wanted.items():
        relative = PurePosixPath(path)
        if relative.is_absolute() or ".." in relative.parts or not relative.parts:
            raise MissingReference(f"{kind} {name}: path {path!r} leaves the volume")
        if key in data:
            _write(directory.joinpath(*relative.parts), data[key])
        elif not volume.optional:
            raise MissingReference(f"{kind} {name} has no key {key!r}")


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: a container of the Pod may be reading the file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if link.is_symlink():
        if link.readlink() == target:
            return
        link.unlink()
    elif link.is_dir():  # dir/tmp mounted on: the fresh directory makes way for the volume
        link.rmdir()
    link.symlink_to(target)
