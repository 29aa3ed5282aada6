"""What people are shown of runs: read from the store, whoever drives them."""

import asyncio

import msgspec

from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.contracts.runs import (
    HistoryEntry,
    HistoryPage,
    ListRuns,
    ReadHistory,
    RunList,
    RunSummary,
    RunView,
    Trace,
)
from services.contracts.workflow import parse
from services.workflow.driver.keys import child_id
from services.workflow.driver.run import Run
from services.workflow.driver.transitions import Broken, Transitions
from services.workflow.engine.plan import Plan
from services.workflow.engine.records import RunStarted
from services.workflow.store.heads import Head
from services.workflow.views.bounds import MAX_VIEW, fitting
from services.workflow.views.trace import Tracer
from services.workflow.worker import snapshot
from services.workflow.worker.outgoing import key_of
from services.workflow.worker.transition import digests, unpack

_PAGE = 50
"""Transitions that are in memory at once; one has up to a MiB."""
MAX_ENTRIES = 1000
MAX_LIST = 1000
MAX_PAGE = 6 * 1024 * 1024
"""Bytes of transitions in one reply."""


class _Records(msgspec.Struct):
    records: list[msgspec.Raw]


def summary(ref: FunctionRef, head: Head) -> RunSummary:
    """A run as its headers tell."""
    return RunSummary(
        namespace=ref.namespace, id=ref.name, workflow=head.workflow, workflow_version=head.version,
        status=head.status,  # type: ignore[arg-type]  # it is one of them: an instance wrote it
        started_at=head.started, ended_at=head.ended, definition=head.definition, owner=head.owner,
    )  # fmt: skip


def summary_of(run: Run, owner: str) -> RunSummary:
    """As ``summary``, of a run that is driven here."""
    return summary(run.ref, run.head(owner, run.status, run.ended, run.unsent))


class Showing:
    """Answers questions about runs."""

    def __init__(self, transitions: Transitions) -> None:
        self._transitions, self._store = transitions, transitions.store

    async def view(self, run: RunSummary, driven: bool) -> RunView:
        """A run as it is. ``driven``: here. Raises Broken, Unavailable."""
        found = await self._transitions.look(FunctionRef(run.namespace, run.id), run.definition, driven)
        now = msgspec.structs.replace(
            run, status=found.status, started_at=found.started_at, ended_at=found.ended_at or None
        )
        output = fitting(found.output or b"null", MAX_VIEW)
        return RunView(
            run=now,
            input=msgspec.Raw(fitting(found.input or b"null", MAX_VIEW - len(output))),
            output=msgspec.Raw(output),
            error=msgspec.json.decode(found.error) if found.error else None,
            waiting=found.waiting,
        )

    async def list(self, namespace: str, asked: ListRuns) -> RunList:
        """Runs of a namespace, newest first."""
        found = [
            summary(ref, head)
            for ref, head, _ in await self._store.heads(namespace)
            if (not asked.workflow or head.workflow == asked.workflow) and _matches(head.status, asked.status)
        ]
        found.sort(key=lambda run: run.started_at, reverse=True)
        limit = max(1, min(asked.limit, MAX_LIST))
        return RunList(found[:limit], more=len(found) > limit)

    async def history(self, ref: FunctionRef, run: RunSummary, asked: ReadHistory) -> HistoryPage:
        """Transitions from a sequence on, as many as fit into a reply."""
        limit = max(1, min(asked.limit, MAX_ENTRIES))
        entries: list[HistoryEntry] = []
        size, start = 0, asked.start
        while pages := await self._store.page(ref, start, _PAGE):
            for page in pages:
                size += len(page.message)
                if len(entries) == limit or (entries and size > MAX_PAGE):
                    return HistoryPage(run, entries, page.sequence)
                records = msgspec.json.decode(page.message, type=_Records).records
                entries.append(HistoryEntry(page.sequence, page.head.owner, records))
            start = pages[-1].sequence + 1
        return HistoryPage(run, entries)

    async def definition(self, digest: str) -> bytes:
        """The document that runs with this definition go by."""
        return (await self._transitions.documents.get(digest)).data

    async def trace(self, ref: FunctionRef, run: RunSummary) -> Trace:
        """A run as a tree; from its last snapshot on when what lies before is not kept any more."""
        document = await self.definition(run.definition)
        plan = await asyncio.to_thread(lambda: Plan(parse(msgspec.json.decode(document))))
        if await self._is_whole(ref):
            tracer = Tracer(plan)
            await self._add_all(tracer, ref)
            return _with_children(tracer.trace(run))
        stored = await self._store.read(ref)
        if stored is None:
            raise FaasError(Code.RUN_NOT_FOUND, f"there is no run {ref}")
        try:
            tracer = Tracer(plan, snapshot.decode(stored.history.snapshot).state)
        except snapshot.Unreadable as wrong:
            raise Broken(f"the beginning of run {ref} is not kept, and {wrong}") from None
        for message in stored.history.messages:
            for record in unpack(message, stored.history.blobs):
                tracer.add(record)
        return _with_children(tracer.trace(run))

    async def _is_whole(self, ref: FunctionRef) -> bool:
        """Whether the history is kept from its beginning on, which may be a large record."""
        for page in await self._store.page(ref, 1, 1):
            wanted = digests(page.message)
            blobs = await self._store.blobs(ref, wanted) if wanted else {}
            return any(isinstance(record, RunStarted) for record in unpack(page.message, blobs))
        return False

    async def _add_all(self, tracer: Tracer, ref: FunctionRef) -> None:
        start = 1
        while pages := await self._store.page(ref, start, _PAGE):
            for page in pages:
                wanted = digests(page.message)
                blobs = await self._store.blobs(ref, wanted) if wanted else {}
                for record in unpack(page.message, blobs):
                    tracer.add(record)
                await asyncio.sleep(0)  # others' turn: a transition may have hundreds of records
            start = pages[-1].sequence + 1


def _with_children(trace: Trace) -> Trace:
    """The trace with the runs that its tasks have started."""
    nodes = [trace.root]
    while nodes:
        node = nodes.pop()
        nodes += node.children
        if node.kind == "run" and node.waits:
            namespace, _, workflow = node.target.partition("/")
            node.run = f"{namespace}/{child_id(key_of(trace.run.namespace, trace.run.id, node.frame), workflow)}"
    return trace


def _matches(status: str, wanted: str) -> bool:
    return not wanted or status == wanted or (wanted == "open" and status in ("running", "suspended"))
