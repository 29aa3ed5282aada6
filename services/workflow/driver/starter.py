"""Starts runs: by request, as children, by schedules, for Workflows that ask for one. The same id is the same run."""

import secrets
import time
from typing import NamedTuple

import msgspec

from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.contracts.runs import StartRun, new_run_id
from services.workflow.controller.definitions import Accepted, Definitions
from services.workflow.driver.documents import Documents
from services.workflow.driver.run import Run
from services.workflow.driver.runs import Moved, Runs
from services.workflow.engine.stimuli import Continue
from services.workflow.store.heads import Head
from services.workflow.store.jetstream import Outrun
from services.workflow.store.runs import RunStore
from services.workflow.worker.protocol import Begin

_SEED_BYTES = 16


class Started(NamedTuple):
    """A run, and whether it is new. ``head``: as of its start, or of now when it was there."""

    ref: FunctionRef
    head: Head
    new: bool


class Starter:
    """``owner``: in whose name."""

    def __init__(self, runs: Runs, store: RunStore, definitions: Definitions, documents: Documents, owner: str) -> None:
        self._runs, self._store, self._definitions = runs, store, definitions
        self._documents, self._owner = documents, owner

    async def start(self, workflow: FunctionRef, asked: StartRun, *, parent: str = "", version: str = "") -> Started:
        """Starts a run of a Workflow; returns when it is in the store. Raises FaasError; Unavailable."""
        ref = FunctionRef(workflow.namespace, asked.id or new_run_id(workflow.name))
        if ref in self._runs.open:
            return await self._open(workflow, ref, self._runs.open[ref])
        accepted = await self._accepted(workflow, version)
        if ref in self._runs.open:  # by another request for the same run, meanwhile
            return await self._open(workflow, ref, self._runs.open[ref])
        self._documents.add(accepted.digest, accepted.document)
        head = Head(
            owner=self._owner, status="running", workflow=workflow.name, definition=accepted.digest,
            version=accepted.definition.document.version, started=time.time(), parent=parent,
        )  # fmt: skip
        given = b"{}" if isinstance(asked.input, msgspec.UnsetType) else bytes(asked.input)
        try:
            await self._runs.begin(ref, head, Begin(ref.name, secrets.token_hex(_SEED_BYTES), given))
        except (Outrun, Moved):
            return await self._stored(workflow, ref)
        return Started(ref, head, True)

    async def _open(self, workflow: FunctionRef, ref: FunctionRef, run: Run) -> Started:
        try:
            await self._runs.ask(run, Continue())  # it may be on its way into the store
        except (Outrun, Moved):
            return await self._stored(workflow, ref)
        return self._found(workflow, ref, run.head(self._owner, run.status, run.ended, run.unsent))

    async def _stored(self, workflow: FunctionRef, ref: FunctionRef) -> Started:
        found = await self._store.head(ref)
        if found is None:
            raise FaasError(Code.DRAINING, f"run {ref} is not there; try again", retry_after=1)
        return self._found(workflow, ref, found[0])

    def _found(self, workflow: FunctionRef, ref: FunctionRef, head: Head) -> Started:
        if head.workflow != workflow.name:
            raise FaasError(Code.CONFLICT, f"the run {ref} is one of the workflow {head.workflow}: give another id")
        return Started(ref, head, False)

    async def _accepted(self, workflow: FunctionRef, version: str) -> Accepted:
        found = await self._definitions.get(workflow.namespace, workflow.name, version)
        if found is None:
            of = f" with the version {version}" if version else ""
            raise FaasError(Code.WORKFLOW_NOT_FOUND, f"there is no workflow {workflow}{of}")
        if not isinstance(found, Accepted):
            raise FaasError(
                Code.WORKFLOW_NOT_ACCEPTED,
                f"the definition of workflow {workflow} was not accepted",
                details=[str(problem) for problem in found.problems],
            )
        return found
