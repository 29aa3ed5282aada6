"""Events (core/v1) about Pods: told to the API server in the background, repeated ones counted instead of repeated."""

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


class _Note(msgspec.Struct, frozen=True):
    """One thing to tell."""

    about: tuple[str, str, str]  # namespace, name, uid of the Pod
    container: str
    type: str
    reason: str
    message: str


class EventRecorder:
    """`record` never waits and never fails; `run` owns the telling. What the API server can't be told is logged and
    dropped."""

    def __init__(self, client: KubeClient, node_name: str) -> None:
        self._client, self._node_name = client, node_name
        self._waiting: asyncio.Queue[tuple[float, _Note]] = asyncio.Queue(_WAITING_LIMIT)
        self._told: OrderedDict[_Note, _Told] = OrderedDict()

    def record(
        self,
        namespace: str,
        name: str,
        uid: str,
        reason: str,
        message: str,
        *,
        container: str = "",
        warning: bool = False,
    ) -> None:
        """Note an event about a Pod, or about one of its containers."""
        note = _Note((namespace, name, uid), container, "Warning" if warning else "Normal", reason, message[:1000])
        try:
            self._waiting.put_nowait((time.time(), note))
        except asyncio.QueueFull:
            log.warning("too many events are waiting; dropped: %s %s/%s: %s", reason, namespace, name, message)

    async def run(self) -> None:
        """Tell events until cancelled."""
        while True:
            when, note = await self._waiting.get()
            await asyncio.sleep(max(0.0, when + DELAY_SECONDS - time.time()))
            try:
                await self._tell(note, when)
            except ApiError as error:
                log.warning("event %s about %s/%s is lost: %s", note.reason, *note.about[:2], error)

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
        collection = f"/api/v1/namespaces/{note.about[0]}/events"
        body = _event(note, when, self._node_name)
        await self._client.create(collection, body)
        self._told[note] = _Told(f"{collection}/{body['metadata']['name']}", 1)
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)


def _event(note: _Note, when: float, node_name: str) -> dict[str, Any]:
    namespace, name, uid = note.about
    about = {"apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": name, "uid": uid}
    if note.container:
        about["fieldPath"] = f"spec.containers{{{note.container}}}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name[:230]}.{secrets.token_hex(8)}", "namespace": namespace},
        "involvedObject": about,
        "type": note.type,
        "reason": note.reason,
        "message": note.message,
        "count": 1,
        "firstTimestamp": rfc3339(when),
        "lastTimestamp": rfc3339(when),
        "source": {"component": "kubelet", "host": node_name},
        "reportingComponent": "kubelet",
        "reportingInstance": node_name,
    }
