"""One transition of a run: a worker makes it, the store takes it. Whoever drives a run does nothing that is not in
its history yet."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from services.contracts.names import FunctionRef
from services.workflow.controller.secrets import Secrets
from services.workflow.driver.documents import Documents
from services.workflow.driver.link import Link
from services.workflow.driver.ownership import Owner
from services.workflow.driver.run import Run
from services.workflow.store.heads import Head
from services.workflow.store.jetstream import TOO_LARGE, Outrun, Refused, Unavailable
from services.workflow.store.runs import EMPTY, RunStore
from services.workflow.worker.protocol import Failed, History, Look, Looked, Missing, Step, Stepped, Wanted

log = logging.getLogger("workflow")

_PAUSE = 1.0
"""Seconds before a store that said no (a full disk, no quorum) is asked again."""
_FAILURES = 3
"""Of workers, which may be about the machine and not about the run, before a stimulus is given up."""
_TRIES = 4
"""Of a worker that lacks something; it needs two, or three when it was replaced meanwhile."""
FOREVER = float("inf")


class Workers(Protocol):
    """The worker pool."""

    async def step(self, request: Step, /) -> Stepped | Missing | Failed: ...

    async def look(self, request: Look, /) -> Looked | Missing | Failed: ...

    def forget(self, run: str, /) -> None: ...


class Broken(Exception):
    """A worker could not take a stimulus: a defect, or a history that does not fit its definition."""


class Transitions:
    """Makes and stores them."""

    def __init__(
        self, me: Owner, store: RunStore, workers: Workers, documents: Documents, secrets: Secrets, link: Link
    ) -> None:
        self.owner = str(me)
        self.store, self.workers, self.documents, self.link = store, workers, documents, link
        self._secrets = secrets

    async def make(self, run: Run, stimuli: list[Wanted]) -> Stepped:
        """What the stimuli make of the run; nothing is stored. Raises Broken; Outrun when another drives it."""
        document = await self.documents.get(run.definition)
        request = Step(run.name, run.definition, stimuli, time.time(), run.history, new=run.last == 0)
        run.history = None
        if document.secrets:
            request.secrets = await self._secrets.get(run.ref.namespace, document.secrets)
        failures = 0
        while True:
            answer = await self.workers.step(request)
            if isinstance(answer, Stepped):
                return answer
            if isinstance(answer, Failed):
                failures += 1
                if failures == _FAILURES:
                    raise Broken(answer.message)
                log.warning("run %s: a worker failed, trying again: %s", run.name, answer.message)
                self.workers.forget(run.name)
                await asyncio.sleep(_PAUSE)
                continue
            if answer.document:
                request.document = document.data
            if answer.history:
                request.history = await self._history(run, answer.whole)

    async def _history(self, run: Run, whole: bool) -> History:
        stored = await self.store.read(run.ref, run.last, whole)
        if stored is None or stored.last != run.last:
            raise Outrun(f"run {run.name} was written by another")
        return stored.history

    async def store_it(self, run: Run, stepped: Stepped, unsent: frozenset[int]) -> None:
        """Appends a transition, however long that takes. Raises Outrun when another has written meanwhile."""
        if stepped.blobs:
            await self.until_done(lambda: self.store.put_blobs(run.ref, stepped.blobs))
        ended = stepped.ended_at or None
        run.started = stepped.started_at
        head = run.head(self.owner, stepped.status, ended, unsent)
        run.last = await self.append(run.ref, stepped.message, head, run.last)
        run.status, run.ended, run.unsent = stepped.status, ended, unsent

    async def fence(self, run: Run) -> None:
        """Makes this instance the owner. Raises Outrun."""
        head = run.head(self.owner, run.status, run.ended, run.unsent)
        run.last = await self.append(run.ref, EMPTY, head, run.last)

    async def append(self, ref: FunctionRef, message: bytes, head: Head, expected: int) -> int:
        """The new transition's sequence. Asks until it is known whether it was stored, whatever the store says
        meanwhile: a transition that is there must not be made a second time. Raises Outrun; Broken for one that fits
        into no message."""
        while True:
            try:
                return await self.store.append(ref, message, head, expected, FOREVER)
            except Unavailable as error:
                if isinstance(error, Refused) and error.code == TOO_LARGE:
                    raise Broken(str(error)) from None
                log.error("run %s: JetStream did not take a transition, trying again: %s", ref, error)
            await asyncio.sleep(_PAUSE)

    async def until_done(self, action: Callable[[], Awaitable[object]]) -> None:
        """Does what may be done twice until the store has taken it."""
        while True:
            await self.link.up.wait()
            try:
                await action()
                return
            except Unavailable as error:
                log.warning("the store did not answer, trying again: %s", error)
                await asyncio.sleep(_PAUSE / 4)

    async def look(self, ref: FunctionRef, definition: str, driven: bool) -> Looked:
        """How a run is. ``driven``: here, so that a worker may have its state. Raises Broken; Unavailable."""
        request = Look(f"{ref.namespace}/{ref.name}", definition)
        if not driven:
            request.history = await self._stored(ref)
        for _ in range(_TRIES):
            answer = await self.workers.look(request)
            if isinstance(answer, Looked):
                return answer
            if isinstance(answer, Failed):
                raise Broken(answer.message)
            if answer.document:
                request.document = (await self.documents.get(definition)).data
            if answer.history:
                request.history = await self._stored(ref, answer.whole)
        raise Broken("the worker did not take the run's history")

    async def _stored(self, ref: FunctionRef, whole: bool = False) -> History:
        stored = await self.store.read(ref, whole=whole)
        if stored is None:
            raise Broken(f"run {ref} is gone")
        return stored.history
