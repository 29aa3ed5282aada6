"""The ReplicaSet controller's I/O: watches, creations, deletions, adoption, status."""

import asyncio
import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from cli.local.controllers.expectations import EXPIRY_SECONDS, Expectations
from cli.local.controllers.queue import WorkQueue
from cli.local.controllers.replicas import Plan, plan, status
from cli.local.controllers.resources import OwnerReference, Pod, ReplicaSet, ReplicaSetStatus
from cli.local.controllers.selectors import matches
from cli.local.kubelet.events import EventRecorder, Reference
from services.common.kube import ApiError, KubeClient
from services.common.watch import Change, WatchCache

log = logging.getLogger("controllers.replicaset")

WORKERS = 8
STATUS_PATIENCE = 0.03
"""Seconds that a status is held back when no readiness has changed: a Pod just created starts undisturbed."""


class ReplicaSetController:
    """`on_replica_set` and `on_pod` take changes of the two caches; `run` owns the work."""

    def __init__(
        self, client: KubeClient, sets: WatchCache[ReplicaSet], pods: WatchCache[Pod], events: EventRecorder
    ) -> None:
        self._client, self._sets, self._pods, self._events = client, sets, pods, events
        self._expectations = Expectations()
        self._queue: WorkQueue[str] = WorkQueue("ReplicaSet", self._sync, WORKERS)
        self._statuses: WorkQueue[str] = WorkQueue("status of ReplicaSet", self._report, WORKERS)
        self._failures: dict[str, str] = {}

    async def run(self) -> None:
        """Work until cancelled, beginning when both caches are complete."""
        await self._sets.synced.wait()
        await self._pods.synced.wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._queue.run())
            tasks.create_task(self._statuses.run())

    # --- changes seen ---------------------------------------------------------------------------------------------

    def on_replica_set(self, change: Change[ReplicaSet]) -> None:
        """A ReplicaSet has changed."""
        if change.type == "DELETED" or (change.old and change.old.metadata.uid != change.new.metadata.uid):
            gone = change.old or change.new
            self._expectations.forget(gone.metadata.uid)
            self._failures.pop(gone.metadata.uid, None)
        self._queue.add(change.key)

    def on_pod(self, change: Change[Pod]) -> None:
        """A Pod has changed: its ReplicaSet looks again, or those that might adopt it."""
        meta, controller = change.new.metadata, change.new.metadata.controller
        replaced = change.old is not None and change.old.metadata.uid != meta.uid
        if replaced and change.old is not None:
            self._pod_left(change.old)
        if controller is not None and controller.kind == "ReplicaSet":
            if change.type == "ADDED" or replaced:
                self._expectations.created(controller.uid)
            if change.type == "DELETED" or meta.deletion_timestamp is not None:
                self._expectations.deleted(controller.uid, meta.uid)
            self._queue.add(f"{meta.namespace}/{controller.name}")
        if controller is None or (change.old is not None and change.old.metadata.controller != controller):
            self._wake_claimants(change.new)
            if change.old is not None:
                self._pod_left(change.old)

    def _pod_left(self, pod: Pod) -> None:
        if controller := pod.metadata.controller:
            self._expectations.deleted(controller.uid, pod.metadata.uid)
            self._queue.add(f"{pod.metadata.namespace}/{controller.name}")

    def _wake_claimants(self, pod: Pod) -> None:
        for key, candidate in self._sets.objects.items():
            same = candidate.metadata.namespace == pod.metadata.namespace
            if same and matches(candidate.spec.selector, pod.metadata.labels):
                self._queue.add(key)

    # --- the work -------------------------------------------------------------------------------------------------

    async def _sync(self, key: str) -> None:
        replica_set = self._sets.objects.get(key)
        if replica_set is None:
            return
        uid = replica_set.metadata.uid
        settled = self._expectations.satisfied(uid, time.monotonic())
        todo = plan(replica_set, self._pods_of(replica_set), settled)
        try:
            await self._carry_out(replica_set, todo)
            if settled:
                self._failures.pop(uid, None)
        except ApiError as error:
            self._failures[uid] = error.message or str(error)
            raise
        finally:
            self._statuses.add(key)

    def _pods_of(self, replica_set: ReplicaSet) -> Iterable[Pod]:
        namespace = replica_set.metadata.namespace
        return (pod for pod in self._pods.objects.values() if pod.metadata.namespace == namespace)

    async def _carry_out(self, replica_set: ReplicaSet, todo: Plan) -> None:
        if todo.create:
            await self._create(replica_set, todo.create)
        if todo.delete:
            await _all_of(self._delete(replica_set, pod) for pod in todo.delete)
        for pod in todo.release:
            await self._set_owners(
                pod, [owner for owner in pod.metadata.owner_references if owner.uid != replica_set.metadata.uid]
            )
        if todo.adopt:
            await self._adopt(replica_set, todo.adopt)

    async def _create(self, replica_set: ReplicaSet, count: int) -> None:
        """In batches of 1, 2, 4, …: a refusal (quota, bad template) ends it after few requests instead of hundreds."""
        uid, batch, left = replica_set.metadata.uid, 1, count
        self._expectations.expect_creations(uid, count, time.monotonic())
        self._queue.add_after(_key(replica_set), EXPIRY_SECONDS + 0.1)
        body = _pod_body(replica_set)
        try:
            while left:
                size = min(batch, left)
                left -= size
                await _all_of(self._create_one(replica_set, body) for _ in range(size))
                batch *= 2
        finally:
            for _ in range(left):
                self._expectations.created(uid)

    async def _create_one(self, replica_set: ReplicaSet, body: dict[str, Any]) -> None:
        try:
            answer = await self._client.create(f"/api/v1/namespaces/{replica_set.metadata.namespace}/pods", body)
        except ApiError as error:
            self._expectations.created(replica_set.metadata.uid)
            self._event(replica_set, "FailedCreate", f"Error creating: {error.message or error}", warning=True)
            raise
        name = msgspec.json.decode(answer, type=Pod).metadata.name
        self._event(replica_set, "SuccessfulCreate", f"Created pod: {name}")

    async def _delete(self, replica_set: ReplicaSet, pod: Pod) -> None:
        meta, owner = pod.metadata, replica_set.metadata.uid
        self._expectations.expect_deletion(owner, meta.uid, time.monotonic())
        self._queue.add_after(_key(replica_set), EXPIRY_SECONDS + 0.1)
        try:
            await self._client.delete(_pod_path(pod), body={"preconditions": {"uid": meta.uid}})
        except ApiError as error:
            self._expectations.deleted(owner, meta.uid)
            if error.status in (404, 409):
                return
            self._event(replica_set, "FailedDelete", f"Error deleting: {error.message or error}", warning=True)
            raise
        self._event(replica_set, "SuccessfulDelete", f"Deleted pod: {meta.name}")

    async def _adopt(self, replica_set: ReplicaSet, pods: list[Pod]) -> None:
        """Asks the API server first: a ReplicaSet deleted a moment ago must not take Pods with it."""
        live = await self._client.get(replica_set.path, ReplicaSet)
        if live.metadata.uid != replica_set.metadata.uid or live.metadata.deletion_timestamp is not None:
            return
        reference = msgspec.convert(replica_set.reference(), OwnerReference)
        for pod in pods:
            await self._set_owners(pod, [*pod.metadata.owner_references, reference])

    async def _set_owners(self, pod: Pod, owners: list[OwnerReference]) -> None:
        meta = pod.metadata
        change = {"uid": meta.uid, "resourceVersion": meta.resource_version, "ownerReferences": owners or None}
        try:
            await self._client.patch(_pod_path(pod), {"metadata": change})
        except ApiError as error:
            if error.status != 404:
                raise

    def _event(self, replica_set: ReplicaSet, reason: str, message: str, warning: bool = False) -> None:
        meta = replica_set.metadata
        about = Reference("ReplicaSet", meta.namespace, meta.name, meta.uid, api_version="apps/v1")
        self._events.record(about, reason, message, warning)

    # --- status ---------------------------------------------------------------------------------------------------

    async def _report(self, key: str) -> None:
        found = self._status(key)
        if found is None:
            return
        if found.ready_replicas == self._sets.objects[key].status.ready_replicas:
            await asyncio.sleep(STATUS_PATIENCE)
            found = self._status(key)
        if found is not None:
            path = self._sets.objects[key].path
            try:
                await self._client.patch(f"{path}/status", {"status": found})
            except ApiError as error:
                if error.status != 404:
                    raise

    def _status(self, key: str) -> ReplicaSetStatus | None:
        """The status to report; None: there is nothing new."""
        replica_set = self._sets.objects.get(key)
        if replica_set is None:
            return None
        failure, now = self._failures.get(replica_set.metadata.uid), time.time()
        text = datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        found, pause = status(replica_set, self._pods_of(replica_set), failure, now, text)
        if pause is not None:
            self._statuses.add_after(key, pause + 0.01)
        return None if found == replica_set.status else found


async def _all_of(works: Iterable[Any]) -> None:
    """All at once; the first ApiError, once all are over."""
    for result in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def _key(replica_set: ReplicaSet) -> str:
    return f"{replica_set.metadata.namespace}/{replica_set.metadata.name}"


def _pod_path(pod: Pod) -> str:
    return f"/api/v1/namespaces/{pod.metadata.namespace}/pods/{pod.metadata.name}"


def _pod_body(replica_set: ReplicaSet) -> dict[str, Any]:
    template = replica_set.spec.template
    meta = template.get("metadata") or {}
    kept = {key: meta[key] for key in ("labels", "annotations", "finalizers") if meta.get(key)}
    names = {"generateName": f"{replica_set.metadata.name}-", "ownerReferences": [replica_set.reference()]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": kept | names, "spec": template.get("spec") or {}}
