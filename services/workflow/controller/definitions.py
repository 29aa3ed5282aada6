"""The definitions that runs start with: those of the Workflows that there are, and older versions of them."""

import asyncio
import logging
import time
from collections.abc import Callable

import msgspec

from services.common.kube import ApiError, KubeClient
from services.common.watch import Change, WatchCache
from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef, parse_ref
from services.contracts.resources import API_VERSION, Workflow
from services.contracts.workflow import parse
from services.workflow.controller.judge import Accepted, Documents, Judge, Refused, Verdict
from services.workflow.controller.status import is_accepted

__all__ = ["Accepted", "Definitions", "Refused"]

log = logging.getLogger("workflow")

_TRIES, _PAUSE = 5, 0.5
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds before what is elsewhere is looked for again."""
LATEST = ("", "latest")
Listener = Callable[[FunctionRef, Accepted | None], None]


def path_of(ref: FunctionRef) -> str:
    """Path of a Workflow at the API server."""
    return f"/apis/{API_VERSION}/namespaces/{ref.namespace}/workflows/{ref.name}"


class _Judged:
    """The verdict on one spec of one Workflow; None until there is one. One that may pass is in doubt from ``until``
    (monotonic) on."""

    def __init__(self, workflow: Workflow) -> None:
        self.spec = _spec_of(workflow)
        self.lock = asyncio.Lock()
        self.verdict: Verdict | None = None
        self.until = 0.0
        self._wait = FIRST_WAIT
        self._seen = ""

    def is_wanting(self, workflow: Workflow) -> bool:
        """Whether a verdict is to be found: there is none, or it may have passed, as another service's says."""
        if not isinstance(self.verdict, Refused):
            return self.verdict is None
        told = is_accepted(workflow) and workflow.metadata.resource_version != self._seen
        return self.verdict.passing and (told or time.monotonic() >= self.until)

    def note(self, workflow: Workflow, verdict: Verdict) -> None:
        """A verdict was found."""
        self.verdict, self._seen = verdict, workflow.metadata.resource_version
        self.until = time.monotonic() + self._wait
        self._wait = min(LONGEST_WAIT, 2 * self._wait)


class Definitions:
    """The Workflows of all namespaces and what is thought of them. ``run`` it.

    ``changed`` is called with the key of each Workflow that came, changed or went; ``listen`` adds somebody who is told
    what new runs take.
    """

    def __init__(
        self,
        kube: KubeClient,
        judge: Judge,
        documents: Documents,
        changed: Callable[[str], None] = lambda key: None,
    ) -> None:
        self._kube = kube
        self._judge = judge
        self._documents = documents
        self._changed = changed
        self._judged: dict[str, _Judged] = {}
        self._told: dict[str, Accepted] = {}
        self._listeners: list[Listener] = []
        self._cache = WatchCache(kube, f"/apis/{API_VERSION}/workflows", Workflow, on_change=self._on_change)
        self.synced = self._cache.synced

    async def run(self) -> None:
        """Watches until cancelled."""
        await self._cache.run()

    def listen(self, listener: Listener) -> None:
        """Has ``listener`` called with the definition that new runs of a Workflow take, whenever that is another one;
        None: it is gone, or its present one is refused. Those that are known now are told at once."""
        self._listeners.append(listener)
        for key, accepted in self._told.items():
            listener(parse_ref(key), accepted)

    async def get(self, namespace: str, name: str, version: str = "") -> Accepted | Refused | None:
        """What a run of this Workflow starts with; None when there is no such Workflow, or no such version of it.

        ``version`` empty or ``latest``: the present one. Raises FaasError ``api_unavailable`` for one that is not known
        here while the API server is away, and what checker and store raise.
        """
        ref = FunctionRef(namespace, name)
        workflow = self.workflow(ref) or await self._read(ref)
        if workflow is None:
            return None
        if version not in LATEST:
            return await self._version(workflow, version)
        return await self.verdict(workflow)

    async def settled(self) -> None:
        """Returns when there is a verdict on every Workflow that there was at the start, and who listens was told."""
        await self.synced.wait()
        async with asyncio.TaskGroup() as tasks:  # one whose schema is at a slow server must not keep others waiting
            for key in self._cache.objects:
                tasks.create_task(self._settle(key))

    async def _settle(self, key: str) -> None:
        for _ in range(_TRIES):
            workflow = self._cache.objects.get(key)
            try:
                if workflow is not None:
                    await self.verdict(workflow)
                break
            except Exception as error:  # the controller says what is wrong; it must not keep the others waiting
                log.info("workflow %s is not judged yet: %s", key, error)
                await asyncio.sleep(_PAUSE)

    def workflow(self, ref: FunctionRef) -> Workflow | None:
        """A Workflow as last told by the API server."""
        return self._cache.objects.get(str(ref))

    async def verdict(self, workflow: Workflow) -> Verdict:
        """What is thought of a Workflow's present spec; each is judged once, or again and again, with growing pauses,
        while it is refused for what is elsewhere. Raises what checker and store raise."""
        key = _key(workflow)
        judged = self._judged.get(key)
        if judged is None or judged.spec != _spec_of(workflow):
            judged = self._judged[key] = _Judged(workflow)
        async with judged.lock:
            if judged.is_wanting(workflow):
                verdict = await self._judge.verdict(workflow, judged.verdict)
                judged.note(workflow, verdict)
                if self._judged.get(key) is judged:
                    self._tell(key, verdict)
            assert judged.verdict is not None
            return judged.verdict

    def in_doubt(self, workflow: Workflow) -> float | None:
        """Seconds until a refusal may have passed; None for a verdict that stays."""
        judged = self._judged.get(_key(workflow))
        if judged is None or not isinstance(judged.verdict, Refused) or not judged.verdict.passing:
            return None
        return max(0.0, judged.until - time.monotonic())

    async def _version(self, workflow: Workflow, version: str) -> Accepted | Refused | None:
        present = await self.verdict(workflow)
        if isinstance(present, Accepted) and present.definition.document.version == version:
            return present
        digest = next((each.definition for each in workflow.status.versions if each.version == version), "")
        document = await self._documents.get(digest) if digest else None
        if document is None:
            return None
        definition = await asyncio.to_thread(lambda: parse(msgspec.json.decode(document)))
        return Accepted(definition, digest, document)

    async def _read(self, ref: FunctionRef) -> Workflow | None:
        """Asks the API server itself: a watch may be a moment behind whoever has just deployed."""
        try:
            return await self._kube.get(path_of(ref), Workflow)
        except ApiError as error:
            if error.status == 404:
                return None
            raise FaasError(
                Code.API_UNAVAILABLE, f"workflow {ref} cannot be read now: {error}", retry_after=1
            ) from None

    def _on_change(self, change: Change[Workflow]) -> None:
        if change.type == "DELETED" and self._judged.pop(change.key, None) is not None:
            self._tell(change.key, None)
        self._changed(change.key)

    def _tell(self, key: str, verdict: Verdict | None) -> None:
        accepted = verdict if isinstance(verdict, Accepted) else None
        before = self._told.pop(key, None)
        if accepted is not None:
            self._told[key] = accepted
        if (before and before.digest) != (accepted and accepted.digest):
            for listener in self._listeners:
                listener(parse_ref(key), accepted)


def _key(workflow: Workflow) -> str:
    return f"{workflow.metadata.namespace}/{workflow.metadata.name}"


def _spec_of(workflow: Workflow) -> tuple[str, int]:
    """What identifies a spec: another Workflow of the same name has another uid."""
    return workflow.metadata.uid, workflow.metadata.generation
