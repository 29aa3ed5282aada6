"""One Pod: a task that asks `lifecycle.decide` what to do and does it, until the Pod is gone."""

import asyncio
import logging
import time
from typing import Any

from cli.local.kubelet import lifecycle, procfs, store
from cli.local.kubelet.addresses import NoAddress, free_address
from cli.local.kubelet.admission import refusal
from cli.local.kubelet.containers import ContainerRun
from cli.local.kubelet.events import Reference
from cli.local.kubelet.launcher import Host, NotMade, launch, prepare
from cli.local.kubelet.lifecycle import Action, Finish, Kill, Start, Terminate
from cli.local.kubelet.processes import StartError
from cli.local.kubelet.record import PodRecord
from cli.local.kubelet.reporter import LAST_ATTEMPTS, StatusReporter
from cli.local.kubelet.resources import Container, Pod, decode_pod
from cli.local.kubelet.status import backoff_message, pod_status
from cli.local.kubelet.volumes import PodPaths
from services.common.kube import ApiError, retry_pause

log = logging.getLogger("kubelet.pod")

DEFAULT_PORT = 8080


class PodWorker:
    """Owns one Pod on this node. `update`, `stop` and `gone` may be called at any time; `run` returns when nothing is
    left to do."""

    def __init__(self, host: Host, document: dict[str, Any], record: PodRecord | None) -> None:
        self.host = host
        self.document = document
        self.pod: Pod = decode_pod(document)
        meta = self.pod.metadata
        self.adopted = record is not None
        self.record = record or PodRecord(
            uid=meta.uid, namespace=meta.namespace, name=meta.name, boot_id=procfs.boot_id(), started_at=time.time()
        )
        self.paths = PodPaths(host.settings.directory, meta.uid)
        self.runs: dict[str, ContainerRun] = {}
        self.refusal = refusal(document, self.pod)
        self.forgotten = False
        self.closing = False
        self._wake = asyncio.Event()
        self.reporter = StatusReporter(
            host.client, self._path, meta.uid, self._status, lambda: self.pod.status, self.gone
        )
        if record is None and self.pod.status.get("phase") in ("Succeeded", "Failed"):
            self.record.finished = True  # ended under an earlier kubelet whose memory is lost
        self._take_deletion()

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.pod.metadata.namespace}/pods/{self.pod.metadata.name}"

    # --- what others tell it --------------------------------------------------------------------------------------

    def update(self, document: dict[str, Any]) -> None:
        """The API server has a newer state of the Pod."""
        self.document, self.pod = document, decode_pod(document)
        self._take_deletion()

    def _take_deletion(self) -> None:
        if self.pod.metadata.deletion_timestamp is not None:
            self.stop(lifecycle.DELETED, "the Pod was deleted", lifecycle.grace_of(self.pod))

    def gone(self) -> None:
        """The API server no longer has the Pod: it ends, and nobody is told."""
        self.forgotten = True
        if self.record.stop_reason != lifecycle.DELETED:
            self.stop(lifecycle.DELETED, "the Pod is no longer known to the API server", lifecycle.grace_of(self.pod))
        self._wake.set()

    def stop(self, reason: str, message: str, grace: float) -> None:
        """End the Pod's processes within `grace` seconds."""
        if self.record.stop_reason == reason and self.record.grace <= grace:
            return
        lifecycle.stop(self.record, reason, message, grace)
        lifecycle.hasten(self.record, time.time())
        self.changed(urgent=reason != lifecycle.DELETED)  # whoever watches has seen the deletion itself

    def shut_down(self, grace: float) -> None:
        """The node is being stopped: end the processes, keep the Pod for the next kubelet."""
        self.closing = True
        self.stop(lifecycle.NODE_SHUTDOWN, "the node is being stopped", grace)

    def changed(self, urgent: bool = True) -> None:
        """Something happened: decide again, keep it, report it."""
        self._wake.set()
        self.reporter.changed(urgent)

    def _status(self) -> dict[str, Any]:
        return pod_status(self.pod, self.record, self.host.settings.host, time.time())

    def event(self, reason: str, message: str, container: str = "", warning: bool = False) -> None:
        """Record an Event about this Pod."""
        meta = self.pod.metadata
        field_path = f"spec.containers{{{container}}}" if container else ""
        about = Reference("Pod", meta.namespace, meta.name, meta.uid, field_path=field_path)
        self.host.events.record(about, reason, message, warning)

    # --- the loop -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Bring the Pod to its end. After a node shutdown its directory stays for the next kubelet; else nothing is
        left."""
        self.paths.create()
        async with asyncio.TaskGroup() as tasks:
            reporting = tasks.create_task(self.reporter.run())
            for spec in (*self.pod.spec.init_containers, *self.pod.spec.containers):
                self.runs[spec.name] = ContainerRun(self, spec, tasks)
            if self.adopted:
                await self._adopt()
            self.reporter.changed(urgent=self.adopted)
            while not await self._step():
                pass
            reporting.cancel()
        self.host.addresses.discard(self.record.ip)

    async def _step(self) -> bool:
        """One round; True when the Pod needs no more."""
        self._wake.clear()
        now = time.time()
        if self.refusal and not self.record.stop_reason:
            await self._wait_refused(now)
            return False
        decision = lifecycle.decide(self.pod, self.record, now)
        for action in decision.actions:
            if await self._do(action):
                return True
        if not decision.actions:
            self.save()
            await self._sleep(decision.wake_at)
        return False

    async def _sleep(self, until: float | None) -> None:
        if until is None:
            await self._wake.wait()
            return
        try:
            async with asyncio.timeout(max(0.0, until - time.time())):
                await self._wake.wait()
        except TimeoutError:
            self.reporter.changed(urgent=False)

    async def _do(self, action: Action) -> bool:
        match action:
            case Start(name):
                await self._start(name)
            case Terminate(name, grace):
                self.event("Killing", f"Stopping container {name}", name)
                self.runs[name].terminate(grace)
            case Kill(name):
                await self.runs[name].kill()
            case Finish():
                return await self._finish()
        return False

    def save(self) -> None:
        """Keep the record for the next kubelet."""
        store.save(self.paths.state, store.Saved(self.document, self.record))

    async def _adopt(self) -> None:
        if self.record.stop_reason == lifecycle.NODE_SHUTDOWN:
            self.record.stop_reason = self.record.stop_message = ""
            self.record.finished = False
        same_boot = self.record.boot_id == procfs.boot_id()
        for run in self.runs.values():
            await run.adopt(same_boot)
        self.record.boot_id = procfs.boot_id()
        if self.record.ip:
            self.host.addresses.add(self.record.ip)

    async def _wait_refused(self, now: float) -> None:
        for spec in self.pod.spec.containers:
            container = self.record.container(spec.name)
            container.waiting_reason, container.waiting_message = "CreateContainerConfigError", self.refusal or ""
        self.event("Failed", f"Error: {self.refusal}", warning=True)
        self.reporter.changed()
        await self._sleep(None)

    # --- actions --------------------------------------------------------------------------------------------------

    async def _start(self, name: str) -> None:
        spec, container, run = self._spec(name), self.record.container(name), self.runs[name]
        before = (container.waiting_reason, container.waiting_message)
        try:
            self._take_address()
            prepared = await prepare(self.host, self.pod, spec, self.record.ip, self.paths)
            lifecycle.begin_start(container, time.time())
            self.save()  # before the process is made: see ContainerRecord.starting
            log_path = self.paths.log(name, container.restarts)
            process = await launch(self.host, spec, prepared, log_path, run.mark)
        except StartError as error:
            lifecycle.start_failed(container, str(error), time.time())
            self.event("Failed", f"Error: {error}", name, warning=True)
        except NotMade as error:
            lifecycle.not_made(container, error.reason, str(error), time.time())
            if before != (container.waiting_reason, container.waiting_message):
                self.event("Failed", f"Error: {container.waiting_message}", name, warning=True)
        else:
            run.began(process, prepared)
            self.save()
            self.event("Started", "Started container " + name, name)
        self.changed(urgent=container.ready or not container.running)

    def _spec(self, name: str) -> Container:
        return next(spec for spec in (*self.pod.spec.init_containers, *self.pod.spec.containers) if spec.name == name)

    def _take_address(self) -> None:
        if self.record.ip:
            return
        ports = {port.container_port for spec in self.pod.spec.containers for port in spec.ports}
        try:
            self.record.ip = free_address(self.host.addresses, ports or {DEFAULT_PORT})
        except NoAddress as error:
            raise NotMade("CreateContainerError", str(error)) from None
        self.host.addresses.add(self.record.ip)

    def container_ended(self, name: str) -> None:
        """A container's run is over and recorded."""
        last = self.record.container(name).exit
        if (
            last is not None
            and last.code
            and not self.record.stop_reason
            and lifecycle.restart_at(self.record.container(name)) > time.time()
        ):
            self.event("BackOff", backoff_message(name, self.pod, self.record), name, warning=True)
        self.changed()

    async def _finish(self) -> bool:
        """Report the end; remove what is deleted. True when the worker is done."""
        self.record.finished = True
        self.save()
        if self.record.stop_reason == lifecycle.NODE_SHUTDOWN:
            await self.reporter.report_last()
            return True
        self.reporter.changed()
        if self.record.stop_reason != lifecycle.DELETED:
            return False
        if await self._delete():
            await asyncio.to_thread(self.paths.remove)
        return True

    async def _delete(self) -> bool:
        """Report the last status, then have the object removed; asked again until the API server has done it.

        False: the node is being stopped and the API server is away; the next kubelet will do it.
        """
        attempt = 0
        while not self.forgotten:
            try:
                await self.reporter.report()
                options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.record.uid}}
                await self.host.client.delete(self._path, body=options)
                break
            except ApiError as error:
                if error.status in (404, 409):  # gone already, or another Pod of this name
                    break
                attempt += 1
                if self.closing and attempt >= LAST_ATTEMPTS:
                    return False
                log.warning("%s: its deletion is not taken (attempt %d): %s", self.pod.key, attempt, error)
                await retry_pause(attempt)
        return True
