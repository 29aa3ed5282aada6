"""The scheduler's whole job where there is one node: each Pod gets it, when it is created or once there is a node."""

import logging
from typing import Any

from cli.local.apiserver.errors import StatusError
from cli.local.apiserver.options import WriteOptions
from cli.local.apiserver.registry import ResourceType
from cli.local.apiserver.store import Store
from cli.local.apiserver.writes import Writer

log = logging.getLogger(__name__)
Json = dict[str, Any]


def only_node(store: Store) -> str:
    """The node that Pods go to; empty when there is none, more than one, or it takes no Pods."""
    if store.count("nodes") != 1:
        return ""
    node = store.select("nodes")[0]
    return "" if node.obj.get("spec", {}).get("unschedulable") else node.name


def bind_waiting(store: Store, writer: Writer, pods: ResourceType) -> None:
    """Give the only node to every Pod that has none: they were created before it, or while it took none."""
    node = only_node(store)
    for stored in store.select("pods") if node else ():
        if not stored.obj["spec"].get("nodeName") and not stored.obj["metadata"].get("deletionTimestamp"):
            try:
                writer.update(pods, stored.key, lambda pod: assign(pod, node), WriteOptions(), "binding")
            except StatusError as error:
                log.error("Pod %s/%s cannot be bound to %s: %s", *stored.key, node, error)


def assign(pod: Json, node: str) -> Json:
    """A Pod on this node."""
    pod["spec"]["nodeName"] = node
    return pod
