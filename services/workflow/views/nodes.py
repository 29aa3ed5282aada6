"""The nodes of a trace as they are kept: by frame, with old ones left out once there are too many."""

from collections import deque
from typing import Any

from msgspec import UNSET

from services.contracts.runs import Attempt, TraceNode, Wait
from services.contracts.workflow.calls import Call
from services.contracts.workflow.expressions import Template
from services.contracts.workflow.tasks import EmitTask, ForTask, ListenTask, RunTask, TryTask
from services.workflow.engine.plan import Plan
from services.workflow.engine.state import ROOT, Frame, State
from services.workflow.views.bounds import MAX_BYTES, MAX_NODES, MAX_STEPS, PREVIEW, cut, cut_error

Error = dict[str, Any] | None


class Nodes:
    """``live``: of frames that are there, by number. Ended ones stay in the tree until there are too many."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.live: dict[int, TraceNode] = {}
        self.root: TraceNode
        """The workflow itself, once it has started; never left out."""
        self.truncated = False
        self._parents: dict[int, TraceNode] = {}
        self._ended: deque[TraceNode] = deque()
        """In the order of their ends, so that a task always stands behind those inside it."""
        self._sizes: dict[int, int] = {}
        self._bytes = 0

    def create(self, frame: Frame, round: int | None = None, attempt: int | None = None) -> TraceNode:
        """A node for a new frame, inside its parent's."""
        task = self._plan.task(frame.pointer)
        name = self._plan.definition.document.name if task is None else task.name
        node = TraceNode(
            frame=frame.id, pointer=frame.pointer, name=name, kind=kind_of(task), status="pending",
            target=target_of(task), branch=frame.branch, round=round, attempt=attempt,
        )  # fmt: skip
        self.live[frame.id] = node
        self._sizes[frame.id] = 0
        if frame.parent is None:
            self.root = node
        else:
            parent = self._parents[frame.id] = self.live[frame.parent]
            parent.children.append(node)
        self._leave_out()
        return node

    def restore(self, state: State) -> None:
        """Nodes for the frames of a snapshot; what ended before it is not known."""
        self.truncated = True
        for number in sorted(state.frames):
            frame = state.frames[number]
            parent = None if frame.parent is None else state.frames[frame.parent]
            in_rounds = parent is not None and isinstance(self._plan.task(parent.pointer), ForTask | ListenTask)
            node = self.create(frame, round=parent.index if parent is not None and in_rounds else None)
            if frame.phase == "new":
                continue
            self.start(node, frame)
            if frame.waits:
                add_wait(node, Wait(frame.waits, frame.started_at, frame.wait_until))

    def start(self, node: TraceNode, frame: Frame) -> None:
        """Its task began."""
        node.started_at, node.status = frame.started_at, "running"
        task = self._plan.task(frame.pointer)
        given = frame.input
        if given is UNSET and isinstance(task, Call) and (task.input is None or task.input.from_ is None):
            given = frame.raw  # not made by an expression, so without a secret; UNSET inside a function of ``use``
        if given is not UNSET:
            node.input = self._kept(node, given)
        if isinstance(task, TryTask):
            add_attempt(node, Attempt(frame.attempt, frame.started_at))

    def end(
        self, number: int, status: str, at: float, output: Any = UNSET, error: dict[str, Any] | None = None
    ) -> None:
        """A frame is gone: how its task ended."""
        node = self.live.pop(number)
        node.status, node.ended_at = status, at
        if output is not UNSET:
            node.output = self._kept(node, output)
        if error is not None:
            node.error = cut_error(error)
        end_wait(node, at)
        end_attempt(node, at, error)
        if number != ROOT:
            self._ended.append(node)

    def _kept(self, node: TraceNode, value: Any) -> Any:
        shown, size = cut(value) if self._bytes < MAX_BYTES else cut(value, PREVIEW)
        self._sizes[node.frame] += size
        self._bytes += size
        self._leave_out()
        return shown

    def _leave_out(self) -> None:
        """The oldest ended tasks, as many as are too many."""
        while self._ended and (len(self._sizes) > MAX_NODES or self._bytes > MAX_BYTES):
            node = self._ended.popleft()
            self._bytes -= self._sizes.pop(node.frame)
            parent = self._parents.pop(node.frame)
            parent.children.remove(node)
            parent.omitted += 1 + node.omitted
            self.truncated = True


def add_wait(node: TraceNode, wait: Wait) -> None:
    """It waits from now on."""
    node.waits = [*node.waits[1 - MAX_STEPS :], wait]


def end_wait(node: TraceNode, at: float) -> None:
    """What it waited for came, or is no longer wanted."""
    if node.waits and node.waits[-1].ended_at is None:
        node.waits[-1].ended_at = at


def add_attempt(node: TraceNode, attempt: Attempt) -> None:
    """A try begins an attempt."""
    node.attempts = [*node.attempts[1 - MAX_STEPS :], attempt]


def end_attempt(node: TraceNode, at: float, error: Error) -> None:
    """The attempt under way, if there is one, ended."""
    if node.attempts and node.attempts[-1].ended_at is None:
        last = node.attempts[-1]
        shown = None if error is None else cut_error(error)
        node.attempts[-1] = Attempt(last.number, last.started_at, at, shown)


def kind_of(task: Any) -> str:
    """A task's kind by the word of the language: ``set``, ``call`` …; the workflow's own is ``workflow``."""
    if task is None:
        return "workflow"
    return "call" if isinstance(task, Call) else type(task).__name__.removesuffix("Task").lower()


def target_of(task: Any) -> str:
    """What a task calls, runs or emits, when the definition says it."""
    if isinstance(task, Call):
        return task.call
    if isinstance(task, RunTask):
        return f"{task.run.workflow.namespace}/{task.run.workflow.name}"
    if isinstance(task, EmitTask):
        type_ = task.emit.event.with_.get("type")
        return type_.value if isinstance(type_, Template) and isinstance(type_.value, str) else ""
    return ""
