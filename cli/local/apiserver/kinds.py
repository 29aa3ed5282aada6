"""The strategies of the built-in kinds, by resource."""

import time
from typing import Any

from cli.local.apiserver import crds
from cli.local.apiserver.registry import Registry
from cli.local.apiserver.store import Store
from cli.local.apiserver.strategies import Strategy

Json = dict[str, Any]


def make_strategies(registry: Registry, store: Store) -> dict[str, Strategy]:
    """Strategies by resource; those that are missing have no rules of their own."""
    return {
        "namespaces": Strategy(_prepare_namespace),
        crds.KEY: crds.strategy(registry, time.time),
    }


def _prepare_namespace(obj: Json, old: Json | None) -> None:
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"]["name"]
    obj["spec"] = (old or {}).get("spec") or {"finalizers": ["kubernetes"]}
    if old is None:
        obj["status"] = {"phase": "Active"}
