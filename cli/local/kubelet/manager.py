"""All Pods of the node: a worker for each that the API server assigns or an earlier kubelet left, and the tick."""

import asyncio
import logging
from typing import Any

import msgspec

from cli.local.kubelet import lifecycle, store
from cli.local.kubelet.containers import ContainerRun
from cli.local.kubelet.launcher import Host
from cli.local.kubelet.memory import MemoryWatch
from cli.local.kubelet.quantities import parse_quantity
from cli.local.kubelet.worker import PodWorker
from services.common.watch import Change, WatchCache

log = logging.getLogger("kubelet")

TICK_SECONDS = 0.5
"""How often logs are noted and memory is measured."""
_FAILED_PAUSE = 2.0
Document = dict[str, Any]


class Manager:
    """`run` owns the workers. SIGTERM becomes `stop_all`; a kubelet that is killed leaves the Pods to the next one."""

    def __init__(self, host: Host) -> None:
        self.workers: dict[str, PodWorker] = {}
        self._host = host
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self._memory = MemoryWatch()
        self._cache: WatchCache[Document] = WatchCache(
            host.client,
            "/api/v1/pods",
            Document,
            field_selector=f"spec.nodeName={host.settings.node_name}",
            on_change=self._on_change,
        )

    async def run(self) -> None:
        """Run Pods until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for saved in store.load_all(self._host.settings.directory):
                self._add(saved.pod, saved)
            group.create_task(self._cache.run())
            group.create_task(self._tick())
            await self._cache.synced.wait()
            for worker in list(self.workers.values()):
                if self._listed(worker) is None:
                    worker.gone()

    def pods(self) -> list[Document]:
        """The Pods of this node as last seen."""
        return [worker.document for worker in self.workers.values()]

    def find(self, namespace: str, name: str) -> PodWorker | None:
        """The Pod of that name; of two (one being removed) the younger."""
        key = f"{namespace}/{name}"
        return next((worker for worker in reversed(self.workers.values()) if worker.pod.key == key), None)

    # --- what the API server says ---------------------------------------------------------------------------------

    def _listed(self, worker: PodWorker) -> Document | None:
        document = self._cache.objects.get(worker.pod.key)
        return document if document and document["metadata"]["uid"] == worker.record.uid else None

    def _on_change(self, change: Change[Document]) -> None:
        uid = change.new["metadata"]["uid"]
        if change.type == "DELETED":
            self._vanished(uid)
            return
        if change.old is not None and change.old["metadata"]["uid"] != uid:
            self._vanished(change.old["metadata"]["uid"])
        worker = self.workers.get(uid)
        if worker is None and not self._stopping:
            self._add(change.new, None)
        elif worker is not None:
            try:
                worker.update(change.new)
            except msgspec.ValidationError as error:
                log.error("Pod %s: its new state can't be read: %s", change.key, error)

    def _vanished(self, uid: str) -> None:
        if worker := self.workers.get(uid):
            worker.gone()

    def _add(self, document: Document, saved: store.Saved | None) -> None:
        try:
            worker = PodWorker(self._host, document, saved.record if saved else None)
        except (msgspec.ValidationError, ValueError) as error:
            meta = document["metadata"]
            log.error("Pod %s/%s can't be read and is not run: %s", meta.get("namespace"), meta.get("name"), error)
            return
        self.workers[worker.record.uid] = worker
        self._tasks[worker.record.uid] = self._group.create_task(self._own(worker))

    async def _own(self, worker: PodWorker) -> None:
        """One Pod's trouble is not the others': a worker that fails is logged and begun anew from what it has kept."""
        uid = worker.record.uid
        while True:
            try:
                await worker.run()
                break
            except* (OSError, ValueError, RuntimeError, LookupError):
                log.exception("Pod %s: its worker has failed and is begun anew in %g s", worker.pod.key, _FAILED_PAUSE)
            await asyncio.sleep(_FAILED_PAUSE)
            worker = self.workers[uid] = PodWorker(self._host, worker.document, worker.record)
        del self.workers[uid], self._tasks[uid]

    # --- stopping -------------------------------------------------------------------------------------------------

    async def stop_all(self, hurry: asyncio.Event) -> None:
        """SIGTERM to every Pod, SIGKILL after its grace period or once `hurry` is set; returns when all are gone."""
        self._stopping = True
        for worker in self.workers.values():
            worker.shut_down(min(lifecycle.grace_of(worker.pod), self._host.settings.shutdown_grace))
        hurrying = self._group.create_task(self._hurry(hurry))
        await asyncio.gather(*self._tasks.values())
        hurrying.cancel()

    async def _hurry(self, hurry: asyncio.Event) -> None:
        await hurry.wait()
        for worker in self.workers.values():
            worker.shut_down(0.0)

    # --- the tick -------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            runs = [run for worker in self.workers.values() for run in worker.runs.values() if run.record.pid]
            for run in runs:
                self._host.logs.observe(run.log_path)
            limits = {run.mark: limit for run in runs if (limit := _memory_limit(run))}
            if not limits:
                continue
            over = await asyncio.to_thread(self._memory.over_limit, limits, self._host.forks.pid)
            for run in runs:
                if run.mark in over:
                    await run.out_of_memory(over[run.mark], limits[run.mark])


def _memory_limit(run: ContainerRun) -> int:
    """Bytes; 0: no limit."""
    amount = run.spec.resources.limits.get("memory")
    return int(parse_quantity(amount)) if amount is not None else 0
