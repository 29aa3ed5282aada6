"""Garbage collection's I/O: what `graph.decide` asks for, done at the API server."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from cli.local.controllers.graph import (
    ORPHAN,
    Action,
    Delete,
    DropFinalizer,
    DropOwners,
    Graph,
    Kind,
    Node,
    Orphan,
    OwnerState,
    decide,
)
from cli.local.controllers.queue import WorkQueue
from cli.local.controllers.resources import Meta, Object, OwnerReference
from services.common.kube import ApiError, KubeClient

log = logging.getLogger("controllers.gc")

WORKERS = 4
_ABSENT_LIMIT = 500
UNKNOWN_KIND_SECONDS = 5.0
"""An owner of a kind that the API server does not (yet) serve is asked for again after this."""


class KindUnknown(Exception):
    """The API server serves no such kind now: whether the owner is there can't be said."""


class GarbageCollector:
    """`on_change` and `on_removed` take what the monitors see; `run` owns the work."""

    def __init__(self, client: KubeClient, find_kind: Callable[[str, str], Kind | None]) -> None:
        self._client, self._find_kind = client, find_kind
        self._graph = Graph()
        self._absent: OrderedDict[str, None] = OrderedDict()
        self._queue: WorkQueue[str] = WorkQueue("garbage collection of", self._look, WORKERS)

    async def run(self) -> None:
        """Work until cancelled; begin when every monitor has listed its kind."""
        await self._queue.run()

    def on_change(self, kind: Kind, meta: Meta) -> None:
        """An object was added or changed."""
        self._add_all(self._graph.put(kind, meta))

    def on_removed(self, uid: str) -> None:
        """An object is gone."""
        self._remember_absent(uid)
        self._add_all(self._graph.remove(uid))

    def _add_all(self, uids: set[str]) -> None:
        for uid in uids:
            self._queue.add(uid)

    def _remember_absent(self, uid: str) -> None:
        """uids are never used again, so what is absent stays absent."""
        self._absent[uid] = None
        if len(self._absent) > _ABSENT_LIMIT:
            self._absent.popitem(last=False)

    async def _look(self, uid: str) -> None:
        node = self._graph.nodes.get(uid)
        if node is None:
            return
        try:
            states = {owner.uid: await self._state_of(owner, node) for owner in node.owners}
        except KindUnknown as error:
            log.info("%s: %s", node.path, error)
            self._queue.add_after(uid, UNKNOWN_KIND_SECONDS)
            return
        action = decide(self._graph, uid, lambda owner: states.get(owner.uid, "solid"))
        if action is not None:
            await self._carry_out(node, action)

    async def _state_of(self, owner: OwnerReference, dependent: Node) -> OwnerState:
        known = self._graph.nodes.get(owner.uid)
        if known is not None:
            return "dying" if known.waits_for_dependents else "solid"
        if owner.uid in self._absent:
            return "absent"
        kind = self._find_kind(owner.api_version, owner.kind)
        if kind is None:
            raise KindUnknown(
                f"its owner {owner.name} is of kind {owner.api_version} {owner.kind}, which is not served"
            )
        try:
            found = await self._client.get(kind.path(dependent.meta.namespace, owner.name), Object)
        except ApiError as error:
            if error.status != 404:
                raise
            found = None
        if found is None or found.metadata.uid != owner.uid:
            self._remember_absent(owner.uid)
            return "absent"
        return "dying" if Node(kind, found.metadata).waits_for_dependents else "solid"

    async def _carry_out(self, node: Node, action: Action) -> None:
        began = time.monotonic()
        try:
            match action:
                case Delete(policy):
                    await self._delete(node, policy)
                case DropOwners(uids):
                    await self._drop_owners(node, uids)
                case DropFinalizer(finalizer):
                    await self._drop_finalizer(node, finalizer)
                case Orphan(dependents):
                    for dependent in dependents:
                        if (other := self._graph.nodes.get(dependent)) is not None:
                            await self._drop_owners(other, frozenset({node.meta.uid}))
                    await self._drop_finalizer(node, ORPHAN)
        except ApiError as error:
            if error.status != 404:
                raise
        log.info("%s: %s, %.0f ms", node.path, action, (time.monotonic() - began) * 1000)

    async def _delete(self, node: Node, policy: str) -> None:
        conditions = {"uid": node.meta.uid, "resourceVersion": node.meta.resource_version}
        await self._client.delete(node.path, body={"propagationPolicy": policy, "preconditions": conditions})

    async def _drop_owners(self, node: Node, uids: frozenset[str]) -> None:
        await self._change(node, {"ownerReferences": [owner for owner in node.owners if owner.uid not in uids] or None})

    async def _drop_finalizer(self, node: Node, finalizer: str) -> None:
        await self._change(node, {"finalizers": [one for one in node.meta.finalizers if one != finalizer] or None})

    async def _change(self, node: Node, fields: dict[str, Any]) -> None:
        """Conditional: on a list that has changed meanwhile the decision is made anew (409)."""
        same = {"uid": node.meta.uid, "resourceVersion": node.meta.resource_version}
        await self._client.patch(node.path, {"metadata": same | fields})
