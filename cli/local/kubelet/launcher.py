"""Making a container's process: what it needs is looked up, its directory filled, then it is forked or executed."""

import asyncio
import os
from pathlib import Path

import msgspec

from cli.local.kubelet import procfs
from cli.local.kubelet.admission import PYTHON_IMAGE, image_name, image_refusal
from cli.local.kubelet.config import Settings
from cli.local.kubelet.environment import (
    MissingReference,
    Place,
    Sources,
    container_environment,
    expand,
    object_data,
    references,
)
from cli.local.kubelet.events import EventRecorder
from cli.local.kubelet.forkclient import ForkFailed, ForkServer
from cli.local.kubelet.logs import LogKeeper
from cli.local.kubelet.processes import Process, open_log, spawn
from cli.local.kubelet.resources import Container, Pod
from cli.local.kubelet.volumes import PodPaths, mount
from services.common.kube import ApiError, KubeClient


class Host(msgspec.Struct, frozen=True):
    """What all Pods of the node share."""

    settings: Settings
    client: KubeClient
    forks: ForkServer
    events: EventRecorder
    logs: LogKeeper
    addresses: set[str]
    """Addresses of the Pods of this node."""


class NotMade(Exception):
    """The container can't be made now; `reason` and the message go into its waiting state."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Prepared(msgspec.Struct, frozen=True):
    """A container ready to be made."""

    environment: dict[str, str]
    directory: Path


def base_environment(home: Path, temporary: Path) -> dict[str, str]:
    """The only variables of the kubelet's own environment that a Pod sees, with a home of its own."""
    kept = {"PATH": os.environ.get("PATH", os.defpath), "LANG": os.environ.get("LANG", "C.UTF-8")}
    return kept | {"HOME": str(home), "TMPDIR": str(temporary)}


async def prepare(host: Host, pod: Pod, container: Container, ip: str, paths: PodPaths) -> Prepared:
    """Look up Secrets and ConfigMaps, fill volumes, compute the environment. Raises NotMade."""
    if reason := image_refusal(container):
        raise NotMade("ErrImagePull", reason)
    try:
        sources = await _sources(host.client, pod, container)
        mount(pod, container, sources, paths)
        place = Place(pod.spec.node_name or host.settings.node_name, host.settings.host, ip)
        fixed = {"HOST": ip, "FAAS_CACHE_DIR": str(host.settings.cache), "FAAS_POD_DIR": str(paths.home)}
        defaults = base_environment(paths.home, paths.temporary)
        environment = container_environment(pod, container, sources, place, defaults, fixed)
    except MissingReference as error:
        raise NotMade("CreateContainerConfigError", str(error)) from None
    except ApiError as error:
        raise NotMade("CreateContainerConfigError", f"Secrets and ConfigMaps can't be read now: {error}") from None
    except OSError as error:
        raise NotMade("CreateContainerError", f"the Pod's directory: {error}") from None
    return Prepared(environment, Path(container.working_dir or paths.home))


async def _sources(client: KubeClient, pod: Pod, container: Container) -> Sources:
    secrets, config_maps = references(pod, container)
    sources = Sources()
    for kind, names, found in (("secrets", secrets, sources.secrets), ("configmaps", config_maps, sources.config_maps)):
        for name in sorted(names):
            try:
                document = await client.get(f"/api/v1/namespaces/{pod.metadata.namespace}/{kind}/{name}", dict)
            except ApiError as error:
                if error.status != 404:
                    raise
                found[name] = None
            else:
                found[name] = object_data(document, secret=kind == "secrets")
    return sources


async def launch(host: Host, container: Container, prepared: Prepared, log: Path, mark: int) -> Process:
    """Make the process. Raises processes.StartError (the command's fault) or NotMade (the node's)."""
    if image_name(container.image) == PYTHON_IMAGE:
        return await _fork(host, prepared, log, mark)
    command = [expand(word, prepared.environment) for word in (*container.command, *container.args)]
    return spawn(command, prepared.environment, prepared.directory, log, mark)


async def _fork(host: Host, prepared: Prepared, log: Path, mark: int) -> Process:
    os.close(open_log(log))
    try:
        pid = await host.forks.fork(prepared.environment, prepared.directory, log, mark)
    except ForkFailed as error:
        # it may have forked before it failed: no second process may come beside the first
        await asyncio.to_thread(procfs.kill_marked, mark, frozenset({host.forks.pid}))
        raise NotMade("CreateContainerError", str(error)) from None
    return Process(pid, ask_exit=lambda: host.forks.exit_status(pid))
