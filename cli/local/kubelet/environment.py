"""A container's environment and command line, from its spec and the Secrets and ConfigMaps it names. Pure."""

import math
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cli.local.kubelet.quantities import parse_quantity
from cli.local.kubelet.resources import Container, EnvVarSource, KeySelector, Pod

DEFAULT_PORT = "8080"
_REFERENCE = re.compile(r"\$(?:\$|\(([^()]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class MissingReference(Exception):
    """A Secret, ConfigMap, key or field that the container needs is not there; the message names it."""


class Sources(msgspec.Struct):
    """The Pod's Secrets and ConfigMaps by name: their keys as bytes; None: no such object."""

    secrets: dict[str, dict[str, bytes] | None] = {}
    config_maps: dict[str, dict[str, bytes] | None] = {}


class Place(msgspec.Struct, frozen=True):
    """What a fieldRef may ask of the node and the Pod's place on it."""

    node_name: str
    host_ip: str
    pod_ip: str


def object_data(document: Mapping[str, Any], secret: bool) -> dict[str, bytes]:
    """The keys of a Secret (base64) or ConfigMap (text, and binaryData in base64) as bytes."""
    data = document.get("data") or {}
    if secret:
        return {key: b64decode(value or "") for key, value in data.items()}
    binary = document.get("binaryData") or {}
    return {key: value.encode() for key, value in data.items()} | {
        key: b64decode(value) for key, value in binary.items()
    }


def references(pod: Pod, container: Container) -> tuple[set[str], set[str]]:
    """Names of the Secrets and of the ConfigMaps that this container's environment and the Pod's volumes need."""
    secrets = {source.secret_ref.name for source in container.env_from if source.secret_ref}
    maps = {source.config_map_ref.name for source in container.env_from if source.config_map_ref}
    for variable in container.env:
        if variable.value_from and (selector := variable.value_from.secret_key_ref):
            secrets.add(selector.name)
        if variable.value_from and (selector := variable.value_from.config_map_key_ref):
            maps.add(selector.name)
    mounted = {mount.name for mount in container.volume_mounts}
    for volume in pod.spec.volumes:
        if volume.name in mounted and volume.secret:
            secrets.add(volume.secret.secret_name)
        if volume.name in mounted and volume.config_map:
            maps.add(volume.config_map.name)
    return secrets, maps


def container_environment(
    pod: Pod,
    container: Container,
    sources: Sources,
    place: Place,
    defaults: Mapping[str, str],
    fixed: Mapping[str, str],
) -> dict[str, str]:
    """The full environment: `defaults`, envFrom, env (each may override what is before it), and `fixed`, which wins.

    Raises MissingReference.
    """
    environment = {"PORT": DEFAULT_PORT, "HOSTNAME": pod.metadata.name, **defaults, **fixed}
    for source in container.env_from:
        for selector, objects, kind in (
            (source.config_map_ref, sources.config_maps, "configmap"),
            (source.secret_ref, sources.secrets, "secret"),
        ):
            if selector is not None:
                data = _object(objects, selector.name, selector.optional, kind)
                environment |= {
                    source.prefix + key: _text(value, kind, selector.name, key) for key, value in data.items()
                }
    for variable in container.env:
        if variable.value_from is None:
            environment[variable.name] = expand(variable.value, environment)
        elif (value := _from_source(variable.value_from, pod, container, sources, place)) is not None:
            environment[variable.name] = value
    return {**environment, **fixed}


def _object(objects: Mapping[str, dict[str, bytes] | None], name: str, optional: bool, kind: str) -> dict[str, bytes]:
    data = objects.get(name)
    if data is None and not optional:
        raise MissingReference(f'{kind} "{name}" not found')
    return data or {}


def _from_source(source: EnvVarSource, pod: Pod, container: Container, sources: Sources, place: Place) -> str | None:
    if source.field_ref is not None:
        return field_value(source.field_ref.field_path, pod, place)
    if source.resource_field_ref is not None:
        return _resource(source.resource_field_ref.resource, source.resource_field_ref.divisor, container)
    if source.secret_key_ref is not None:
        return _key(source.secret_key_ref, sources.secrets, "Secret", pod)
    if source.config_map_key_ref is not None:
        return _key(source.config_map_key_ref, sources.config_maps, "ConfigMap", pod)
    raise MissingReference("valueFrom names none of fieldRef, resourceFieldRef, secretKeyRef, configMapKeyRef")


def _key(selector: KeySelector, objects: Mapping[str, dict[str, bytes] | None], kind: str, pod: Pod) -> str | None:
    data = _object(objects, selector.name, selector.optional, kind.lower())
    if selector.key in data:
        return _text(data[selector.key], kind, selector.name, selector.key)
    if selector.optional:
        return None
    raise MissingReference(f"couldn't find key {selector.key} in {kind} {pod.metadata.namespace}/{selector.name}")


def _text(value: bytes, kind: str, name: str, key: str) -> str:
    if b"\0" in value:
        raise MissingReference(f"key {key} of {kind} {name} has a NUL byte, which no environment variable can hold")
    return value.decode(errors="surrogateescape")


def field_value(path: str, pod: Pod, place: Place) -> str:
    """The value of a downward API field. Raises MissingReference when the path is unknown."""
    meta = pod.metadata
    fields: dict[str, Callable[[], str]] = {
        "metadata.name": lambda: meta.name,
        "metadata.namespace": lambda: meta.namespace,
        "metadata.uid": lambda: meta.uid,
        "spec.nodeName": lambda: place.node_name,
        "spec.serviceAccountName": lambda: pod.spec.service_account_name,
        "status.hostIP": lambda: place.host_ip,
        "status.hostIPs": lambda: place.host_ip,
        "status.podIP": lambda: place.pod_ip,
        "status.podIPs": lambda: place.pod_ip,
    }
    if path in fields:
        return fields[path]()
    if match := _SUBSCRIPT.fullmatch(path):
        return (meta.labels if match[1] == "labels" else meta.annotations).get(match[2], "")
    raise MissingReference(f"fieldRef {path!r} is not a field of a Pod that an environment variable can hold")


def _resource(resource: str, divisor: str | int | float, container: Container) -> str:
    kind, _, name = resource.partition(".")
    amounts = {"limits": container.resources.limits, "requests": container.resources.requests}.get(kind)
    if amounts is None or name not in amounts:
        raise MissingReference(f"resourceFieldRef {resource!r}: container {container.name} sets no such resource")
    return str(math.ceil(parse_quantity(amounts[name]) / (parse_quantity(divisor) or 1)))


def expand(text: str, environment: Mapping[str, str]) -> str:
    """`$(NAME)` becomes the variable's value, `$$` a dollar sign; an unknown name stays as it is written."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[1] is None else environment.get(match[1], match[0])

    return _REFERENCE.sub(value, text)
