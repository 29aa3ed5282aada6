"""Which Pods a process kubelet can run, and why not the others. Pure.

A process sees this machine's file system, network and users. What asks to be kept apart a little (read-only root,
dropped capabilities, a user id) is let through, since every process here has the rights of the user who started the
platform and no more; what asks for more than a process has, or for a file system of its own, is refused.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from cli.local.kubelet.quantities import parse_quantity
from cli.local.kubelet.resources import Container, Pod, Probe

PYTHON_IMAGE = "faas-python"
PROCESS_IMAGE = "faas-process"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_VOLUMES = ("emptyDir", "configMap", "secret")
_POD_PRIVILEGES = ("hostNetwork", "hostPID", "hostIPC")


def image_name(image: str) -> str:
    """The last path component of an image reference, without tag and digest."""
    return image.split("@", 1)[0].rsplit("/", 1)[-1].split(":", 1)[0]


def image_refusal(container: Container) -> str | None:
    """Why this image can't be run, or None."""
    name = image_name(container.image)
    if name == PYTHON_IMAGE:
        if container.command or container.args:
            return f"image {container.image!r} has a fixed entry point here; leave command and args out"
        return None
    if name == PROCESS_IMAGE:
        return (
            None
            if container.command
            else f"image {container.image!r} runs a command of this machine; give one in command"
        )
    return (
        f"image {container.image!r} can't be run on this node, which runs processes, not containers: "
        f"only images named {PYTHON_IMAGE} (Python functions) and {PROCESS_IMAGE} (a command of this machine)"
    )


def refusal(document: Mapping[str, Any], pod: Pod) -> str | None:
    """Why this Pod can't be run on a process node, or None. `document` is the Pod as the API server gave it."""
    spec = document.get("spec") or {}
    for privilege in _POD_PRIVILEGES:
        if spec.get(privilege):
            return f"spec.{privilege} can't be had on a process node, which has no namespaces to open"
    for volume in spec.get("volumes") or []:
        if reason := _volume_refusal(volume):
            return reason
    for container in [*pod.spec.init_containers, *pod.spec.containers]:
        if reason := _container_refusal(container, {volume.name for volume in pod.spec.volumes}):
            return f"container {container.name}: {reason}"
    if any(container.restart_policy for container in pod.spec.init_containers):
        return "init containers with a restartPolicy (sidecars) are not run on a process node"
    return None


def _volume_refusal(volume: Mapping[str, Any]) -> str | None:
    name = str(volume.get("name", ""))
    kinds = [kind for kind, value in volume.items() if kind != "name" and value is not None]
    if not _NAME.fullmatch(name):
        return f"volume name {name!r} is not a DNS-1123 label"
    for kind in kinds:
        if kind not in _VOLUMES:
            hint = " (set automountServiceAccountToken: false)" if kind == "projected" else ""
            return f"volume {name}: {kind} can't be had on a process node, only {', '.join(_VOLUMES)}{hint}"
    return None


def _container_refusal(container: Container, volumes: set[str]) -> str | None:
    if not _NAME.fullmatch(container.name):
        return "its name is not a DNS-1123 label"
    context = container.security_context or {}
    if context.get("privileged"):
        return "securityContext.privileged can't be had on a process node"
    if added := (context.get("capabilities") or {}).get("add"):
        return f"securityContext.capabilities.add {added} can't be had on a process node"
    if container.lifecycle:
        return "lifecycle hooks are not run on a process node; handle SIGTERM instead"
    if container.volume_devices:
        return "volumeDevices can't be had on a process node"
    for mount in container.volume_mounts:
        if mount.name not in volumes:
            return f"volumeMounts: there is no volume {mount.name!r}"
        for path in (mount.mount_path, mount.sub_path):
            if ".." in PurePosixPath(path).parts:
                return f"volumeMounts: {path!r} leaves the Pod's directory"
        if not mount.mount_path.strip("/"):
            return "volumeMounts: mountPath / would hide the Pod's directory"
    for probe in (container.readiness_probe, container.liveness_probe, container.startup_probe):
        if probe is not None and (reason := _probe_refusal(probe)):
            return reason
    try:
        parse_quantity(container.resources.limits.get("memory", 1))
    except ValueError as error:
        return f"resources.limits.memory: {error}"
    return None


def _probe_refusal(probe: Probe) -> str | None:
    if probe.grpc is not None:
        return "grpc probes are not made by this node; use httpGet, tcpSocket or exec"
    if sum(action is not None for action in (probe.http_get, probe.tcp_socket, probe.exec)) != 1:
        return "a probe needs exactly one of httpGet, tcpSocket, exec"
    if probe.http_get is not None and probe.http_get.scheme == "HTTPS":
        return "httpGet probes over HTTPS are not made by this node; use HTTP or tcpSocket"
    return None
