"""A watch of every kind that the API server can list, watch and delete, for garbage collection."""

import asyncio
import logging
from typing import Any

import msgspec

from cli.local.controllers.collector import GarbageCollector
from cli.local.controllers.graph import Kind
from cli.local.controllers.resources import Object
from services.common.kube import ApiError, KubeClient, retry_pause
from services.common.watch import Change, WatchCache
from services.contracts.resources import Resource

log = logging.getLogger("controllers.monitors")

REDISCOVER_SECONDS = 30.0
IGNORED = {"events"}
"""Plurals without owners worth following; events are many and expire by themselves."""
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class _Resource(Resource):
    name: str
    kind: str
    namespaced: bool = False
    verbs: list[str] = msgspec.field(default_factory=list)


class _ResourceList(Resource):
    resources: list[_Resource] = msgspec.field(default_factory=list)


class _Version(Resource):
    group_version: str


class _Group(Resource):
    preferred_version: _Version


class _GroupList(Resource):
    groups: list[_Group] = msgspec.field(default_factory=list)


class Monitors:
    """`run` keeps one cache a kind; kinds come and go with CustomResourceDefinitions.

    `shared` collections are watched elsewhere, and told by `changed`.
    """

    def __init__(self, client: KubeClient, shared: dict[str, WatchCache[Any]]) -> None:
        self._client, self._shared = client, shared
        self.collector = GarbageCollector(client, self.find)
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._running: dict[Kind, tuple[WatchCache[Any], asyncio.Task[None] | None]] = {}
        self._rediscover = asyncio.Event()

    def find(self, api_version: str, kind: str) -> Kind | None:
        """A kind that the API server serves."""
        return self._kinds.get((api_version, kind))

    async def run(self) -> None:
        """Watch and collect until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            await self._discover(tasks)
            for cache, _ in list(self._running.values()):
                await cache.synced.wait()
            tasks.create_task(self.collector.run())
            while True:
                try:
                    async with asyncio.timeout(REDISCOVER_SECONDS):
                        await self._rediscover.wait()
                except TimeoutError:
                    pass  # now and then anyway: aggregated APIs come without a CustomResourceDefinition
                self._rediscover.clear()
                await self._discover(tasks)

    def changed(self, path: str, change: Change[Any]) -> None:
        """A change in a cache of the collection at `path`."""
        kind = next((known for known in self._kinds.values() if f"{known.prefix}/{known.plural}" == path), None)
        if kind is not None:
            self._apply(kind, change)

    def _apply(self, kind: Kind, change: Change[Any]) -> None:
        meta, old = change.new.metadata, change.old.metadata if change.old else None
        if old is not None and old.uid != meta.uid:
            self.collector.on_removed(old.uid)
        if change.type == "DELETED":
            self.collector.on_removed(meta.uid)
        else:
            self.collector.on_change(kind, meta)
        if kind.kind == "CustomResourceDefinition":
            self._rediscover.set()

    async def _discover(self, tasks: asyncio.TaskGroup) -> None:
        attempt = 0
        while True:
            try:
                kinds = await discover(self._client)
                break
            except ApiError as error:
                attempt += 1
                log.warning("kinds can't be listed: %s", error)
                await retry_pause(attempt)
        self._kinds = {(kind.api_version, kind.kind): kind for kind in kinds}
        for kind in kinds:
            if kind not in self._running:
                self._running[kind] = self._begin(kind, tasks)
        for kind in [kind for kind in self._running if kind not in kinds]:
            self._end(kind)

    def _begin(self, kind: Kind, tasks: asyncio.TaskGroup) -> tuple[WatchCache[Any], asyncio.Task[None] | None]:
        path = f"{kind.prefix}/{kind.plural}"
        if (shared := self._shared.get(path)) is not None:
            for known in shared.objects.values():  # what it had seen before this kind was known here
                self.collector.on_change(kind, known.metadata)
            return shared, None
        cache: WatchCache[Object] = WatchCache(
            self._client, path, Object, on_change=lambda change: self._apply(kind, change)
        )
        return cache, tasks.create_task(cache.run())

    def _end(self, kind: Kind) -> None:
        cache, task = self._running.pop(kind)
        if task is not None:
            task.cancel()
        for known in cache.objects.values():
            self.collector.on_removed(known.metadata.uid)


async def discover(client: KubeClient) -> list[Kind]:
    """Every kind that can be listed, watched and deleted, each in its group's preferred version. Raises ApiError."""
    groups = await client.get("/apis", _GroupList)
    versions = ["v1", *(group.preferred_version.group_version for group in groups.groups)]
    found = []
    for version in versions:
        prefix = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        try:
            listing = await client.get(prefix, _ResourceList)
        except ApiError as error:
            if error.status not in (404, 503):  # a group going, or an aggregated one that is down
                raise
            continue
        found += [
            Kind(version, resource.kind, resource.name, prefix, resource.namespaced)
            for resource in listing.resources
            if "/" not in resource.name
            and resource.name not in IGNORED
            and {"list", "watch", "delete"} <= set(resource.verbs)
        ]
    return found
