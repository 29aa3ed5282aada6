"""A cache of one resource kind, kept by list and watch (Kubernetes API concepts: "efficient detection of changes")."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Generic, Literal, NamedTuple, TypeVar

import msgspec

from services.common.kube import ApiError, KubeClient, retry_pause

log = logging.getLogger("watch")
T = TypeVar("T")


class Change(NamedTuple, Generic[T]):
    """One change of one object. ``new`` of a DELETED change is the object's last state."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    key: str
    new: T
    old: T | None


class _Meta(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""


class _Any(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)
    code: int = 0
    reason: str = ""
    message: str = ""


class _List(msgspec.Struct):
    metadata: _Meta
    items: list[msgspec.Raw] = []


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Expired(Exception):
    """The resourceVersion to go on from is no longer known (410): list again."""


_RESUME_SECONDS = 0.05
"""Before a watch that ended is taken up again, so that a server that ends each at once is not asked without a pause."""
_decode_any = msgspec.json.Decoder(_Any).decode
_decode_list = msgspec.json.Decoder(_List).decode
_decode_event = msgspec.json.Decoder(_Event).decode


class WatchCache(Generic[T]):
    """Objects of one kind by ``namespace/name``, as the API server last told them.

    ``on_change`` is called in order, in the event loop, for each change, after ``objects`` has it. After a gap (410, a
    restarted API server) the cache lists again and calls it for the differences, deletions included. ``synced`` is set
    once the first list is in. Objects of the watch that ``type_`` cannot read are logged and left out.
    """

    WATCH_SECONDS = 240
    """How long one watch request is asked to last; spread by a quarter so that many do not end together."""

    def __init__(
        self,
        client: KubeClient,
        path: str,
        type_: type[T],
        *,
        label_selector: str = "",
        field_selector: str = "",
        on_change: Callable[[Change[T]], None] = lambda change: None,
    ) -> None:
        self.objects: dict[str, T] = {}
        self.synced = asyncio.Event()
        self._client = client
        self._path = path
        self._decode = msgspec.json.Decoder(type_).decode
        self._selectors = {
            name: text for name, text in (("labelSelector", label_selector), ("fieldSelector", field_selector)) if text
        }
        self._on_change = on_change

    async def run(self) -> None:
        """Lists and watches until cancelled; an API server that is away is asked again and again."""
        attempt, version = 0, ""
        while True:
            try:
                if not version:
                    version = await self._list()
                    self.synced.set()
                version = await self._watch(version)
                attempt = 0
            except _Expired:
                version = ""
            except ApiError as error:
                attempt += 1
                log.warning("watch of %s broke off: %s", self._path, error)
                await retry_pause(attempt)
                if error.status != 0:
                    version = ""

    async def _list(self) -> str:
        answer = _decode_list(await self._client.request("GET", self._path, query=self._selectors, timeout=30.0))
        seen = set()
        for raw in answer.items:
            seen.add(key := _key(_decode_any(raw).metadata))
            self._put(key, raw, listed=True)
        for key in [key for key in self.objects if key not in seen]:
            self._remove(key)
        return answer.metadata.resource_version

    async def _watch(self, version: str) -> str:
        heard, seconds = False, int(self.WATCH_SECONDS * random.uniform(1.0, 1.25))
        query = self._selectors | {
            "watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds),
        }  # fmt: skip
        try:
            async for line in self._client.stream(self._path, query, silence=seconds + 10.0):
                version, heard = self._apply(_decode_event(line)) or version, True
        except ApiError as error:
            if error.status == 410:
                raise _Expired from None
            if error.status != 0 or not heard:
                raise
            log.info("watch of %s is resumed from %s: %s", self._path, version, error)
        # it ended, or the connection broke: going on from the last version seen misses nothing
        await asyncio.sleep(_RESUME_SECONDS)
        return version

    def _apply(self, event: _Event) -> str:
        about = _decode_any(event.object)
        if event.type == "ERROR":
            if about.code == 410:
                raise _Expired
            raise ApiError(about.code, about.reason, about.message)
        if event.type == "DELETED":
            self._put(_key(about.metadata), event.object, deleted=True)
        elif event.type != "BOOKMARK":
            self._put(_key(about.metadata), event.object)
        return about.metadata.resource_version

    def _put(self, key: str, raw: msgspec.Raw, deleted: bool = False, listed: bool = False) -> None:
        try:
            new = self._decode(raw)
        except msgspec.ValidationError as error:
            log.error("%s %s cannot be read and is left out: %s", self._path, key, error)
            self._remove(key)
            return
        old = self.objects.get(key)
        if deleted:
            self.objects.pop(key, None)
            self._on_change(Change("DELETED", key, new, old))
            return
        if listed and old == new:
            return
        self.objects[key] = new
        self._on_change(Change("ADDED" if old is None else "MODIFIED", key, new, old))

    def _remove(self, key: str) -> None:
        old = self.objects.pop(key, None)
        if old is not None:
            self._on_change(Change("DELETED", key, old, old))


def _key(meta: _Meta) -> str:
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
