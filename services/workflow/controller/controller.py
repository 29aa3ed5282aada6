"""Looks at each Workflow that came or changed: judges it, says so in its status, starts the run that it asks for."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import UNSET

from services.common.kube import ApiError, KubeClient
from services.contracts.errors import FaasError
from services.contracts.names import FunctionRef, parse_ref
from services.contracts.resources import Workflow, WorkflowStatus
from services.contracts.runs import StartRun
from services.workflow.controller.definitions import Definitions, path_of
from services.workflow.controller.functions import Functions
from services.workflow.controller.judge import Accepted, Checker, Documents, Judge
from services.workflow.controller.resources import Fetch, Resources
from services.workflow.controller.secrets import Secrets
from services.workflow.controller.status import is_accepted, run_id, status_of
from services.workflow.store.jetstream import Refused, Unavailable

log = logging.getLogger("workflow")

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 30.0
"""Seconds before a Workflow is looked at again after something was in the way."""

Start = Callable[[FunctionRef, StartRun], Awaitable[object]]
"""Starts a run of a Workflow; the same id again is the same run."""


class Controller:
    """What the workflow service knows from the API server. ``run`` it; any number of instances may.

    Each instance judges for itself, since it needs the definitions anyway, and they come to the same end: a status that
    says it already is left alone, and of two that write at once the API server refuses one.
    """

    def __init__(self, kube: KubeClient, checker: Checker, documents: Documents, fetch: Fetch) -> None:
        self.functions = Functions(kube)
        self.secrets = Secrets(kube)
        judge = Judge(checker, documents, Resources(fetch, checker.evaluate, self.secrets))
        self.definitions = Definitions(kube, judge, documents, self._look_again)
        self._kube = kube
        self._under_way: set[str] = set()
        self._again: set[str] = set()
        self._said: dict[str, tuple[str, int, str]] = {}
        self._later: dict[str, asyncio.TimerHandle] = {}
        self._written: dict[str, tuple[Workflow, set[str]]] = {}

    def missing(self) -> str | None:
        """What is missing for runs to start; None when nothing is."""
        known = self.definitions.synced.is_set() and self.functions.synced.is_set()
        return None if known else "the API server has not told what there is"

    @property
    def pending(self) -> int:
        """How many Workflows are being looked at."""
        return len(self._under_way)

    async def run(self, start: Start) -> None:
        """Works until cancelled. ``start`` starts the runs that Workflows ask for by their ``spec.input``."""
        self._start = start
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self.definitions.run())
                tasks.create_task(self.functions.run())
        finally:
            for timer in self._later.values():
                timer.cancel()

    def _look_again(self, key: str) -> None:
        if key in self._under_way:
            self._again.add(key)
            return
        self._under_way.add(key)
        self._tasks.create_task(self._look_until_done(key))

    async def _look_until_done(self, key: str) -> None:
        pause = FIRST_PAUSE
        try:
            while not await self._looked_at(key) or key in self._again:
                if key in self._again:
                    self._again.discard(key)
                    pause = FIRST_PAUSE
                else:
                    await asyncio.sleep(pause)
                    pause = min(LONGEST_PAUSE, 2 * pause)
        finally:
            self._under_way.discard(key)

    async def _looked_at(self, key: str) -> bool:
        """Whether there is nothing left to do for now."""
        self._again.discard(key)
        try:
            await self._look(key)
        except ApiError as error:
            # 409 is the ordinary outcome of a race: the watch brings the newer state
            level = logging.INFO if error.status in (404, 409) else logging.WARNING
            log.log(level, "the status of workflow %s was refused: %s", key, error)
            return error.status == 404
        except (FaasError, Refused, Unavailable) as error:
            log.warning("workflow %s: %s", key, error)
            return False
        except Exception:  # whatever it is, it must not end the service for all other workflows: it is tried again
            log.exception("workflow %s could not be looked at", key)
            return False
        return True

    async def _look(self, key: str) -> None:
        ref = parse_ref(key)
        workflow = self.definitions.workflow(ref)
        if workflow is None:
            self._said.pop(key, None)
            self._written.pop(key, None)
            self._put_off(key, None)
            return
        workflow = self._newest(key, workflow)
        verdict = await self.definitions.verdict(workflow)
        wanted = status_of(workflow, verdict, time.time())
        if not self._says(workflow, wanted):
            workflow = await self._write(ref, workflow, wanted)
            log.info("workflow %s: %s", ref, workflow.status.conditions[0].reason)
        self._said[key] = _what(workflow, wanted)
        self._put_off(key, self.definitions.in_doubt(workflow))
        if isinstance(verdict, Accepted) and workflow.spec.input is not UNSET and not workflow.status.run:
            await self._start_run(ref, workflow)

    def _newest(self, key: str, told: Workflow) -> Workflow:
        """What the API server last answered to a write, as long as its watch tells what was there before."""
        written, replaced = self._written.get(key, (told, set()))
        if told.metadata.resource_version in replaced:
            return written
        self._written.pop(key, None)
        return told

    def _says(self, workflow: Workflow, wanted: WorkflowStatus) -> bool:
        """Whether the status needs no change. What this process has said of a spec it says once: an older and a newer
        version of the service side by side may differ, and must not correct each other for ever. What is elsewhere
        and could not be had here another service has had, when the status says that the spec is accepted."""
        status, meta = workflow.status, workflow.metadata
        if status == wanted or status.observed_generation != meta.generation:
            return status == wanted
        if is_accepted(workflow) and self.definitions.in_doubt(workflow) is not None:
            return True
        return self._said.get(f"{meta.namespace}/{meta.name}") == _what(workflow, wanted)

    def _put_off(self, key: str, seconds: float | None) -> None:
        """Looks at a Workflow again after that time, and not when a time was set before; None: no more."""
        timer = self._later.pop(key, None)
        if timer is not None:
            timer.cancel()
        if seconds is not None:
            self._later[key] = asyncio.get_running_loop().call_later(seconds, self._look_again, key)

    async def _start_run(self, ref: FunctionRef, workflow: Workflow) -> None:
        """Started before it is written down, under an id that is the same for whoever tries it again."""
        given = msgspec.Raw(msgspec.json.encode(workflow.spec.input))
        run = run_id(workflow)
        await self._start(ref, StartRun(input=given, id=run))
        await self._write(ref, workflow, msgspec.structs.replace(workflow.status, run=run))
        log.info("workflow %s: started the run %s that its spec asks for", ref, run)

    async def _write(self, ref: FunctionRef, workflow: Workflow, status: WorkflowStatus) -> Workflow:
        """The Workflow with its new status. Raises ApiError 409 when it has changed meanwhile."""
        body = {"metadata": {"resourceVersion": workflow.metadata.resource_version}, "status": status}
        answer = await self._kube.patch(f"{path_of(ref)}/status", body)
        written = msgspec.json.decode(answer, type=Workflow)
        _, replaced = self._written.get(str(ref), (written, set()))
        self._written[str(ref)] = written, replaced | {workflow.metadata.resource_version}
        return written


def _what(workflow: Workflow, wanted: WorkflowStatus) -> tuple[str, int, str]:
    """What is said by a status, and of which spec."""
    return workflow.metadata.uid, workflow.metadata.generation, wanted.conditions[0].message
