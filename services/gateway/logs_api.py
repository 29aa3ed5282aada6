"""The logs of a function's Pods, by way of the API server; followed, also those of Pods that come later."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Response

from services.common.kube import ApiError, KubeClient
from services.common.watch import Change, WatchCache
from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.contracts.resources import LABEL_FUNCTION
from services.gateway.errors import of_api_server
from services.gateway.live import Feed, Live, Streams
from services.gateway.request import checked_ref
from services.gateway.resources_api import Name, Namespace, read_function

_TEXT = "text/plain; charset=utf-8"


class _Container(msgspec.Struct):
    name: str = ""


class _Spec(msgspec.Struct):
    containers: list[_Container] = []


class _ContainerStatus(msgspec.Struct, rename="camel"):
    restart_count: int = 0
    state: dict[str, Any] = {}


class _Status(msgspec.Struct, rename="camel"):
    container_statuses: list[_ContainerStatus] = []


class _Meta(msgspec.Struct, rename="camel"):
    name: str
    namespace: str
    uid: str = ""
    creation_timestamp: str = ""


class LogPod(msgspec.Struct):
    """What of a Pod matters for its log."""

    metadata: _Meta
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)

    @property
    def run(self) -> tuple[str, int] | None:
        """Which run of the container has a log now; None before the first."""
        for found in self.status.container_statuses[:1]:
            if "running" in found.state or "terminated" in found.state:
                return self.metadata.uid, found.restart_count
        return None


class _List(msgspec.Struct):
    items: list[LogPod]


class _FunctionGone(Exception):
    """The function was deleted and its last Pod has ended: nothing more can come."""


class LogReader:
    """Reads the logs of one function into a feed."""

    def __init__(self, kube: KubeClient, ref: FunctionRef, query: Mapping[str, str]) -> None:
        self._kube = kube
        self._ref = ref
        self._query = dict(query)
        self._names: set[str] = set()

    @property
    def _pods(self) -> str:
        return f"/api/v1/namespaces/{self._ref.namespace}/pods"

    @property
    def _selector(self) -> str:
        return f"{LABEL_FUNCTION}={self._ref.name}"

    async def pods(self) -> list[LogPod]:
        """The function's Pods, oldest first. Raises ApiError."""
        answer = await self._kube.request("GET", self._pods, query={"labelSelector": self._selector})
        return sorted(msgspec.json.decode(answer, type=_List).items, key=lambda pod: pod.metadata.creation_timestamp)

    async def once(self, feed: Feed, pods: list[LogPod]) -> None:
        """What there is now."""
        self._names = {pod.metadata.name for pod in pods}
        for pod in pods:
            await self._copy(pod, feed, self._query)

    async def follow(self, feed: Feed) -> None:
        """What there is and what comes, until cancelled or the function is gone."""
        try:
            async with asyncio.TaskGroup() as tasks:
                await _Following(self, self._kube, feed, tasks, self._query).run(self._pods, self._selector)
        except* _FunctionGone:
            pass

    async def copy_run(self, pod: LogPod, feed: Feed, query: Mapping[str, str]) -> None:
        """One run of one Pod's container, to its end."""
        self._names.add(pod.metadata.name)
        await self._copy(pod, feed, {**query, "follow": "true"})

    async def _copy(self, pod: LogPod, feed: Feed, query: Mapping[str, str]) -> None:
        name, pending = pod.metadata.name, b""
        query = dict(query)
        if pod.spec.containers:
            query["container"] = pod.spec.containers[0].name
        try:
            async for chunk in self._kube.chunks(f"{self._pods}/{name}/log", query, None):
                *lines, pending = (pending + chunk).split(b"\n")
                if lines:
                    await feed.put(self._printed(name, lines))
        except ApiError as error:
            if error.status != 404:  # a Pod that has just been removed is no news
                lines = [pending] if pending else []
                await feed.put(self._printed(name, [*lines, f"(no log: {error.message})".encode()]))
            return
        if pending:
            await feed.put(self._printed(name, [pending]))

    def _printed(self, name: str, lines: list[bytes]) -> bytes:
        prefix = f"[{name}] ".encode() if len(self._names) > 1 else b""
        return b"".join(b"%b%b\n" % (prefix, line) for line in lines)

    async def function_is_gone(self) -> bool:
        """Whether the function does not exist any more."""
        try:
            await read_function(self._kube, self._ref)
        except FaasError as error:
            return error.code is Code.FUNCTION_NOT_FOUND
        return False


class _Following:
    """The Pods that are followed, kept up to date by a watch."""

    def __init__(
        self, reader: LogReader, kube: KubeClient, feed: Feed, tasks: asyncio.TaskGroup, query: Mapping[str, str]
    ) -> None:
        self._reader = reader
        self._kube = kube
        self._feed = feed
        self._tasks = tasks
        self._query = query
        self._seen: set[tuple[str, int]] = set()
        self._active = 0
        self._cache: WatchCache[LogPod]

    async def run(self, path: str, selector: str) -> None:
        """Watches until cancelled."""
        self._cache = WatchCache(self._kube, path, LogPod, label_selector=selector, on_change=self._on_change)
        await self._cache.run()

    def _on_change(self, change: Change[LogPod]) -> None:
        run = change.new.run
        if change.type == "DELETED":
            self._tasks.create_task(self._end_with_function())
        elif run is not None and run not in self._seen:
            self._seen.add(run)
            self._active += 1
            # --tail is about what was there at first; of later runs every line is new
            query = {} if self._cache.synced.is_set() else self._query
            self._tasks.create_task(self._follow(change.new, query))

    async def _follow(self, pod: LogPod, query: Mapping[str, str]) -> None:
        await self._reader.copy_run(pod, self._feed, query)
        self._active -= 1
        await self._end_with_function()

    async def _end_with_function(self) -> None:
        if not self._active and not self._cache.objects and await self._reader.function_is_gone():
            raise _FunctionGone


def router(kube: KubeClient, streams: Streams) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/api/v1/namespaces/{namespace}/functions/{name}", tags=["functions"])

    @routes.get("/logs", summary="Read the logs of a function's Pods")
    async def read_logs(
        namespace: Namespace,
        name: Name,
        follow: Annotated[bool, Query(description="Go on with what comes, also from new Pods.")] = False,
        tail: Annotated[int | None, Query(ge=0, le=1_000_000, description="Only the last so many lines a Pod.")] = None,
        previous: Annotated[bool, Query(description="Of the container's run before this one; not followed.")] = False,
    ) -> Response:
        ref = checked_ref(namespace, name)
        await read_function(kube, ref)
        query = {"tailLines": str(tail)} if tail is not None else {}
        if previous:
            query["previous"] = "true"
        reader = LogReader(kube, ref, query)
        if follow and not previous:
            return Live(streams, _TEXT, reader.follow)
        try:
            pods = await reader.pods()
        except ApiError as error:
            raise of_api_server(error, f"function {ref}") from None
        return Live(streams, _TEXT, lambda feed: reader.once(feed, pods))

    return routes
