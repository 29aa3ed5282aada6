"""The runs of one container: its process watched, its probes made, its end recorded."""

import asyncio
import logging
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cli.local.kubelet import lifecycle, procfs
from cli.local.kubelet.launcher import Prepared, base_environment
from cli.local.kubelet.logs import last_lines
from cli.local.kubelet.probes import Prober, probers
from cli.local.kubelet.probing import ProbeFailed, make_probe
from cli.local.kubelet.processes import ExitStatus, Process
from cli.local.kubelet.record import ContainerRecord
from cli.local.kubelet.resources import Container

if TYPE_CHECKING:
    from cli.local.kubelet.worker import PodWorker

log = logging.getLogger("kubelet.container")
KILL_SECONDS = 10.0
"""How long a killed process may take to end (uninterruptible sleep) before the Pod's other matters go on."""
LOST_EXIT = "the exit code is not known: the process ended while its kubelet or forkserver was not running"


class ContainerRun:
    """One container of a Pod; its tasks belong to the worker's task group."""

    def __init__(self, worker: "PodWorker", spec: Container, tasks: asyncio.TaskGroup) -> None:
        self.spec = spec
        self.mark = procfs.mark_of(worker.record.uid, spec.name)
        self._worker, self._tasks = worker, tasks
        self._process: Process | None = None
        self._environment: dict[str, str] = {}
        self._directory = Path(spec.working_dir or worker.paths.home)
        self._watching: asyncio.Task[None] | None = None
        self._probing: list[asyncio.Task[None]] = []

    @property
    def record(self) -> ContainerRecord:
        return self._worker.record.container(self.spec.name)

    @property
    def log_path(self) -> Path:
        """The log file of the present or last run."""
        return self._worker.paths.log(self.spec.name, self.record.restarts)

    @property
    def previous_log_path(self) -> Path | None:
        """The log file of the run before, if there was one."""
        return self._worker.paths.log(self.spec.name, self.record.restarts - 1) if self.record.restarts else None

    def observe(self, path: Path) -> None:
        """Note the times of what has been written to one of the container's logs."""
        self._worker.host.logs.observe(path)

    # --- beginning ------------------------------------------------------------------------------------------------

    def began(self, process: Process, prepared: Prepared) -> None:
        """The process was just made."""
        self._environment, self._directory = prepared.environment, prepared.directory
        has_startup, has_readiness = self.spec.startup_probe is not None, self.spec.readiness_probe is not None
        lifecycle.process_made(self.record, process.pid, process.started, has_startup, has_readiness)
        self._worker.host.logs.remove(self._worker.paths.log(self.spec.name, self.record.restarts - 2))
        self._watch(process)

    async def adopt(self, same_boot: bool) -> None:
        """Take over the process of an earlier kubelet, or record that it has ended meanwhile."""
        record = self.record
        if not record.running:
            return
        if same_boot and record.starting and (pid := procfs.leader(self.mark)):
            probes = self.spec.startup_probe is not None, self.spec.readiness_probe is not None
            lifecycle.process_made(record, pid, procfs.start_time(pid), *probes)
        if same_boot and record.pid and procfs.alive(record.pid, record.pid_started):
            paths = self._worker.paths
            self._environment = base_environment(paths.home, paths.temporary) | {"HOST": self._worker.record.ip}
            self._watch(Process(record.pid))
            return
        await self.sweep()  # what the ended process has left
        if record.starting:
            record.starting, record.runs = False, record.runs - 1  # it was never made
            record.exit, record.last_exit = record.last_exit, None
        else:
            self._ended(ExitStatus(255, known=False))

    def _watch(self, process: Process) -> None:
        self._process = process
        self._watching = self._tasks.create_task(self._until_end(process))
        self._start_probes()

    # --- end ------------------------------------------------------------------------------------------------------

    async def _until_end(self, process: Process) -> None:
        status = await process.wait()
        for task in self._probing:
            task.cancel()
        self._probing = []
        self._process = None
        process.close()
        await self.sweep()
        self._ended(status)

    def _ended(self, status: ExitStatus) -> None:
        self._worker.host.logs.forget(self.log_path)
        message = last_lines(self.log_path)
        if not status.known:
            message = f"{LOST_EXIT}\n{message}".rstrip()
        lifecycle.exited(self.record, status.code, status.signal, message, time.time())
        self._worker.container_ended(self.spec.name)

    def terminate(self, grace: float, exit_reason: str = "") -> None:
        """SIGTERM to the main process; the worker kills when the time is up."""
        lifecycle.terminating(self.record, grace, time.time(), exit_reason)
        if self._process is not None:
            self._process.send(signal.SIGTERM)
        self._worker.changed(urgent=False)

    async def kill(self) -> None:
        """SIGKILL to everything of the container; returns when its end is recorded."""
        await self.sweep()
        if self._watching is not None:
            await asyncio.wait({self._watching}, timeout=KILL_SECONDS)

    async def sweep(self) -> None:
        """Kill every process that carries the container's mark."""
        spare = frozenset({self._worker.host.forks.pid})
        try:
            await asyncio.to_thread(procfs.kill_marked, self.mark, spare)
        except TimeoutError as error:
            log.error("%s container %s: %s", self._worker.pod.key, self.spec.name, error)

    async def out_of_memory(self, used: int, limit: int) -> None:
        """Kill the container for using more memory than its limit."""
        self.record.exit_reason = "OOMKilled"
        message = f"Container {self.spec.name} used {used >> 20} MiB of memory, its limit is {limit >> 20} MiB"
        self._worker.event("OOMKilling", message, self.spec.name, warning=True)
        await self.sweep()

    # --- probes ---------------------------------------------------------------------------------------------------

    def _start_probes(self) -> None:
        began = asyncio.get_running_loop().time()
        self._probing = [
            self._tasks.create_task(self._probe(prober)) for prober in probers(self.spec, began, self.record.started)
        ]

    async def _probe(self, prober: Prober) -> None:
        loop, worker = asyncio.get_running_loop(), self._worker
        await asyncio.sleep(prober.first_delay())
        while True:
            failures = prober.failures
            try:
                await make_probe(
                    prober.probe, self.spec, worker.record.ip, self._environment, self._directory, self.mark
                )
                verdict, message = prober.observe(True, loop.time()), ""
            except ProbeFailed as error:
                verdict, message = prober.observe(False, loop.time()), str(error)
            if prober.failures > failures:
                worker.event("Unhealthy", f"{prober.kind.capitalize()} probe failed: {message}", self.spec.name, True)
            if verdict is not None and self._judged(prober, verdict):
                return
            await asyncio.sleep(prober.next_delay(loop.time()))

    def _judged(self, prober: Prober, healthy: bool) -> bool:
        """Act on a changed verdict; True when this probe has no more to do."""
        record = self.record
        if prober.kind == "readiness":
            if record.ready != healthy:
                record.ready = healthy
                self._worker.changed()
            return False
        if prober.kind == "startup" and healthy:
            record.started, record.ready = True, self.spec.readiness_probe is None
            self._start_probes()
            self._worker.changed(urgent=record.ready)
            return True
        if not healthy and not record.kill_at:
            self._restart(prober)
        return prober.kind == "startup"

    def _restart(self, prober: Prober) -> None:
        asked = prober.probe.termination_grace_period_seconds
        grace = self._worker.pod.spec.termination_grace_period_seconds if asked is None else asked
        message = f"Container {self.spec.name} failed {prober.kind} probe, will be restarted"
        self._worker.event("Killing", message, self.spec.name)
        self.terminate(grace)
