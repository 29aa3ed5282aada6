"""Events (core/v1): told to the API server in the background, repeated ones counted instead of repeated."""

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from typing import Any

import msgspec

from cli.local.kubelet.status import rfc3339
from services.common.kube import ApiError, KubeClient

log = logging.getLogger("kubelet.events")

DELAY_SECONDS = 0.25
"""An event is told this much later, so that it does not compete with the status of the same Pod for the API server."""
_WAITING_LIMIT = 1000
_REMEMBERED = 500


class _Told(msgspec.Struct):
    path: str
    count: int


class Reference(msgspec.Struct, frozen=True, rename="camel"):
    """The object that an event is about; `field_path` names a part of it."""

    kind: str
    namespace: str
    name: str
    uid: str
    api_version: str = "v1"
    field_path: str = ""


class _Note(msgspec.Struct, frozen=True):
    """One thing to tell."""

    about: Reference
    type: str
    reason: str
    message: str


class EventRecorder:
    """`record` never waits and never fails; `run` owns the telling. What the API server can't be told is logged and
    dropped."""

    def __init__(self, client: KubeClient, component: str, host: str = "") -> None:
        self._client, self._component, self._host = client, component, host
        self._waiting: asyncio.Queue[tuple[float, _Note]] = asyncio.Queue(_WAITING_LIMIT)
        self._told: OrderedDict[_Note, _Told] = OrderedDict()

    def record(self, about: Reference, reason: str, message: str, warning: bool = False) -> None:
        """Note an event about an object."""
        note = _Note(about, "Warning" if warning else "Normal", reason, message[:1000])
        try:
            self._waiting.put_nowait((time.time(), note))
        except asyncio.QueueFull:
            log.warning(
                "too many events are waiting; dropped: %s %s/%s: %s", reason, about.namespace, about.name, message
            )

    async def run(self) -> None:
        """Tell events until cancelled."""
        while True:
            when, note = await self._waiting.get()
            await asyncio.sleep(max(0.0, when + DELAY_SECONDS - time.time()))
            try:
                await self._tell(note, when)
            except ApiError as error:
                log.warning(
                    "event %s about %s/%s is lost: %s", note.reason, note.about.namespace, note.about.name, error
                )

    async def _tell(self, note: _Note, when: float) -> None:
        if told := self._told.get(note):
            self._told.move_to_end(note)
            told.count += 1
            try:
                await self._client.patch(told.path, {"count": told.count, "lastTimestamp": rfc3339(when)})
                return
            except ApiError as error:
                if error.status != 404:  # events expire on a real API server
                    raise
        collection = f"/api/v1/namespaces/{note.about.namespace}/events"
        body = self._event(note, when)
        await self._client.create(collection, body)
        self._told[note] = _Told(f"{collection}/{body['metadata']['name']}", 1)
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)

    def _event(self, note: _Note, when: float) -> dict[str, Any]:
        about = note.about
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{about.name[:230]}.{secrets.token_hex(8)}", "namespace": about.namespace},
            "involvedObject": {key: value for key, value in msgspec.to_builtins(about).items() if value},
            "type": note.type,
            "reason": note.reason,
            "message": note.message,
            "count": 1,
            "firstTimestamp": rfc3339(when),
            "lastTimestamp": rfc3339(when),
            "source": {"component": self._component} | ({"host": self._host} if self._host else {}),
            "reportingComponent": self._component,
            "reportingInstance": self._host or self._component,
        }
