"""A run that this instance drives: what is kept of it in memory while it is open."""

import asyncio
from sys import intern
from typing import Any

from services.contracts.names import FunctionRef
from services.contracts.runs import ENDED
from services.workflow.store.heads import Head
from services.workflow.worker.protocol import History, Wanted

Handed = tuple[Wanted, "asyncio.Future[None] | None"]
"""A stimulus, and what is told once it is in the history, if anybody asked."""


_NO_CHILDREN: dict[int, FunctionRef] = {}


class Run:
    """``last``: the sequence of its last transition; 0 for one that is yet to be stored. Small: one that waits has no
    task, and its state is in the workers' cache or in the store."""

    __slots__ = (
        "busy", "calls", "cautious", "children", "definition", "ended", "held", "history", "last", "listens",
        "parent", "queue", "ref", "started", "status", "timers", "unsent", "version", "waiters", "workflow",
    )  # fmt: skip

    def __init__(self, ref: FunctionRef, head: Head, last: int) -> None:
        self.ref = FunctionRef(intern(ref.namespace), ref.name)  # thousands of runs share these texts
        self.workflow, self.version = intern(head.workflow), intern(head.version)
        self.definition = intern(head.definition)
        self.parent = head.parent
        self.started, self.ended, self.status = head.started, head.ended, head.status
        self.unsent: frozenset[int] = head.unsent
        self.last = last
        self.queue: list[Handed] = []
        self.busy = False
        """Whether a task works through the queue."""
        self.cautious = False
        """Whether it takes the stimuli one by one, since of several together one could not be taken."""
        self.history: History | None = None
        """Read already, for the worker that is about to ask."""
        self.calls: dict[int, asyncio.Task[None]] = {}
        """Calls under way, by task of the workflow."""
        self.timers: dict[str, asyncio.TimerHandle | float] = {}
        """Timers in this process, or when those in the stream are due."""
        self.children = _NO_CHILDREN
        """By task; replaced, never changed."""
        self.listens: tuple[int, ...] = ()
        """Tasks that wait for events."""
        self.held: frozenset[int] = frozenset()
        """Tasks for which no more events and messages are to come for now."""
        self.waiters: list[asyncio.Future[Any]] = []
        """Told when the run has ended here, or is driven elsewhere."""

    @property
    def name(self) -> str:
        """``namespace/id``."""
        return f"{self.ref.namespace}/{self.ref.name}"

    @property
    def open(self) -> bool:
        """Whether anything can still happen by itself."""
        return self.status not in ENDED

    def head(self, owner: str, status: str, ended: float | None, unsent: frozenset[int]) -> Head:
        """What the headers of a transition say."""
        return Head(
            owner=owner, status=status, workflow=self.workflow, version=self.version, definition=self.definition,
            started=self.started, ended=ended, parent=self.parent, unsent=unsent,
        )  # fmt: skip

    def release(self) -> None:
        """Ends all that waits for something on behalf of this run."""
        for call in self.calls.values():
            call.cancel()
        for timer in self.timers.values():
            if not isinstance(timer, float):  # uvloop's handles are no asyncio.TimerHandle
                timer.cancel()
        self.calls, self.timers = {}, {}
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)
        self.waiters = []
