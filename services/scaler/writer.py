"""Carries actions out at the API server, each in a task of its own, at most one at a time on an object.

Nothing is queued: while a write on an object is under way, later plans for it are dropped, and when it ends the
Function is looked at again, so the latest state wins. A refused write waits a little before that look.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from services.common.kube import MERGE_PATCH, ApiError, KubeClient
from services.contracts.events import Scaled
from services.contracts.resources import API_VERSION, Function
from services.scaler import metrics
from services.scaler.actions import Action, CreateReplicaSet, DeleteReplicaSet, PatchStatus, ScaleReplicaSet
from services.scaler.objects import ReplicaSet
from services.scaler.view import View

log = logging.getLogger("scaler")

TIMEOUT = 5.0
"""Seconds of one request; with the renew deadline before it, less than a Lease lasts."""
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 2.0
_decode_function = msgspec.json.Decoder(Function).decode
_decode_replica_set = msgspec.json.Decoder(ReplicaSet).decode


def replica_sets_path(namespace: str, name: str = "") -> str:
    """Path of a namespace's ReplicaSets, or of one."""
    return f"/apis/apps/v1/namespaces/{namespace}/replicasets" + (f"/{name}" if name else "")


def function_path(namespace: str, name: str) -> str:
    """Path of a Function."""
    return f"/apis/{API_VERSION}/namespaces/{namespace}/functions/{name}"


class Writer:
    """``look_again`` is called with a Function's key once a write on one of its objects has ended; ``scaled`` with the
    key and a unique id after each accepted change of replicas."""

    def __init__(
        self,
        client: KubeClient,
        view: View,
        tasks: asyncio.TaskGroup,
        may_write: Callable[[], bool],
        look_again: Callable[[str], None],
        scaled: Callable[[str, str, Scaled], Awaitable[None]],
    ) -> None:
        self._client = client
        self._view = view
        self._tasks = tasks
        self._may_write = may_write
        self._look_again = look_again
        self._scaled = scaled
        self._busy: set[tuple[str, str, str]] = set()
        self._refusals: dict[tuple[str, str, str], int] = {}
        self._running: set[asyncio.Task[None]] = set()

    def carry_out(self, key: str, actions: list[Action]) -> None:
        """Starts what can be started now. ``key`` is the Function's."""
        for action in actions:
            slot = ("status" if isinstance(action, PatchStatus) else "scale", action.namespace, action.name)
            if slot not in self._busy and self._may_write():
                self._busy.add(slot)
                task = self._tasks.create_task(self._run(key, slot, action))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    def cancel(self) -> None:
        """Gives up what is under way: whoever leads next makes it good."""
        for task in self._running:
            task.cancel()

    async def _run(self, key: str, slot: tuple[str, str, str], action: Action) -> None:
        kind = type(action).__name__
        try:
            await self._write(key, action)
        except ApiError as error:
            metrics.WRITES.labels(kind, error.reason or str(error.status)).inc()
            refusals = self._refusals[slot] = self._refusals.get(slot, 0) + 1
            # a conflict is the ordinary outcome of a race: the watch brings the newer state, and a new plan
            level = logging.INFO if error.status in (404, 409) and refusals < 5 else logging.WARNING
            log.log(level, "%s %s/%s was refused: %s", kind, action.namespace, action.name, error)
            await asyncio.sleep(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(refusals - 1, 10)))
        else:
            metrics.WRITES.labels(kind, "ok").inc()
            self._refusals.pop(slot, None)
        finally:
            self._busy.discard(slot)
        self._look_again(key)

    async def _write(self, key: str, action: Action) -> None:
        if isinstance(action, CreateReplicaSet):
            answer = await self._send("POST", replica_sets_path(action.namespace), action.body)
            log.info("created ReplicaSet %s/%s", action.namespace, action.name)
            replicas = action.body["spec"]["replicas"]
            await self._wrote(key, answer, Scaled(replicas, 0, "new revision"))
        elif isinstance(action, ScaleReplicaSet):
            body = {"metadata": {"resourceVersion": action.resource_version}, "spec": {"replicas": action.replicas}}
            answer = await self._send("PATCH", replica_sets_path(action.namespace, action.name), body)
            change = Scaled(action.replicas, action.previous, action.reason)
            log.info(
                "scaled %s/%s from %d to %d: %s",
                *(action.namespace, action.name, action.previous, action.replicas, action.reason),
            )
            await self._wrote(key, answer, change)
        elif isinstance(action, PatchStatus):
            body = {"metadata": {"resourceVersion": action.resource_version}, "status": action.status}
            answer = await self._send("PATCH", function_path(action.namespace, action.name) + "/status", body)
            self._view.wrote_function(_decode_function(answer))
        else:
            await self._delete(action)

    async def _wrote(self, key: str, answer: bytes, change: Scaled) -> None:
        written = _decode_replica_set(answer)
        self._view.wrote_replica_set(written)
        if change.replicas != change.previous:
            await self._scaled(key, f"{written.metadata.name}-{written.metadata.resource_version}", change)

    async def _delete(self, action: DeleteReplicaSet) -> None:
        if action.orphan_of is not None and await self._exists(action.namespace, *action.orphan_of):
            raise ApiError(409, "HasOwner", "its Function exists, though the watch does not show it")
        options = {"preconditions": {"uid": action.uid}, "propagationPolicy": "Background"}
        try:
            await self._send("DELETE", replica_sets_path(action.namespace, action.name), options)
            log.info("deleted ReplicaSet %s/%s", action.namespace, action.name)
        except ApiError as error:
            if error.status != 404:
                raise
        self._view.deleted_replica_set(action.namespace, action.name)

    async def _exists(self, namespace: str, name: str, uid: str) -> bool:
        """Asks the API server itself: a watch may be behind, and what it cannot read it leaves out."""
        try:
            found = msgspec.json.decode(await self._send("GET", function_path(namespace, name)))
        except ApiError as error:
            if error.status != 404:
                raise
            return False
        return bool(not uid or found["metadata"]["uid"] == uid)

    async def _send(self, method: str, path: str, body: Any = None) -> bytes:
        content_type = MERGE_PATCH if method == "PATCH" else "application/json"
        return await self._client.request(method, path, body=body, content_type=content_type, timeout=TIMEOUT)
