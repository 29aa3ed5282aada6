"""How a run goes on: into a task, from one to the next, and out of it, with the data flow of the specification."""

from typing import Any

from msgspec import UNSET

from services.contracts.workflow.calls import Call, CallFunction
from services.contracts.workflow.data import Export
from services.contracts.workflow.task import Task
from services.contracts.workflow.tasks import DoTask, ForkTask, ForTask, TryTask
from services.workflow.engine import records as r
from services.workflow.engine.scope import More, Scope
from services.workflow.engine.session import Session
from services.workflow.engine.state import Frame


def enter(session: Session, frame: Frame) -> None:
    """``if``, ``input`` and the timeout of a task that is about to run; the workflow's own likewise."""
    task, scope = session.task(frame), session.scope(frame)
    if task is not None and not scope.holds(task.if_, scope.raw(), given=False):
        skip(session, frame, task)
        return
    input_, _ = session.plan.data_flow(frame.pointer)
    raw = scope.raw()
    if input_ is not None:
        scope.check(input_.schema, raw, "input")
    shaped = raw if input_ is None or input_.from_ is None else scope.fill(input_.from_, raw, given=False)
    owner: Any = task or session.plan.definition
    secret = isinstance(task, Call)
    session.record(
        r.TaskStarted(
            at=session.now,
            frame=frame.id,
            input=UNSET if secret or shaped is raw else shaped,
            timeout_at=session.deadline(owner.timeout, scope, shaped),
            attempt_until=attempt_until(session, task, scope, shaped),
            secret=secret,
        )
    )


def attempt_until(session: Session, task: Task | None, scope: Scope, data: Any) -> float | None:
    """When an attempt of a try that begins now has taken too long."""
    policy = session.plan.definition.retry_of(task.catch.retry) if isinstance(task, TryTask) else None
    if policy is None or policy.limit.attempt.duration is None:
        return None
    return session.now + session.seconds(policy.limit.attempt.duration, scope, data, {"input": data})


def skip(session: Session, frame: Frame, task: Task) -> None:
    """A task whose ``if`` does not hold: its raw input is its output, and the next one in order follows."""
    raw = None if frame.raw is UNSET else frame.raw  # what may carry secrets is not kept
    _end(session, frame, raw, directive=None, skipped=True)


def begin(session: Session, frame: Frame, tasks: list[Task], **more: Any) -> None:
    """The first task of a list inside a task; a list of none has come to its end at once."""
    if tasks:
        create(session, frame, tasks[0].pointer, **more)
    else:
        finish(session, frame, frame.data)


def create(session: Session, parent: Frame, pointer: str, **more: Any) -> None:
    """A task inside another."""
    session.record(
        r.TaskCreated(at=session.now, frame=session.state.next_id, parent=parent.id, pointer=pointer, **more)
    )


def finish(session: Session, frame: Frame, raw: Any, directive: str | None = None) -> None:
    """A task's work is done: ``output``, ``export``, and what follows. ``directive`` overrides the task's own."""
    scope = session.scope(frame)
    task = session.task(frame)
    _, output = session.plan.data_flow(frame.pointer)
    shaped = raw
    scope.raw_output = raw
    if output is not None:
        shaped = raw if output.as_ is None else scope.fill(output.as_, raw)
        scope.check(output.schema, shaped, "output")
    if task is None:
        session.record(r.RunCompleted(at=session.now, output=UNSET if shaped is frame.data else shaped))
        return
    context = export(task.export, scope, shaped)
    _end(session, frame, shaped, "end" if frame.ending else directive or task.then, context=context)


def export(export_: Export | None, scope: Scope, shaped: Any, more: More = None) -> Any:
    """The new context by ``export.as``; UNSET when it stays."""
    if export_ is None:
        return UNSET
    if export_.as_ is None:  # as if it were $context
        scope.check(export_.schema, scope.context, "context")
        return UNSET
    context = scope.fill(export_.as_, shaped, more=(more or {}) | {"output": shaped})
    scope.check(export_.schema, context, "context")
    return context


def _end(
    session: Session, frame: Frame, output: Any, directive: str | None, context: Any = UNSET, skipped: bool = False
) -> None:
    """Records a task's end, and where its list goes on."""
    assert frame.parent is not None
    fork = _place_in_fork(session, frame, skipped)
    follows = "" if fork else session.plan.after(frame.pointer, directive)
    ending = directive == "end" and _ends_with(session, session.state.frames[frame.parent])
    session.record(
        r.TaskEnded(
            at=session.now,
            frame=frame.id,
            output=UNSET if output is (frame.raw if skipped else frame.data) else output,
            context=context,
            next=follows,
            ending=ending,
            end=directive == "end" and not ending,
            skipped=skipped,
            fork=fork,
        )
    )


def _ends_with(session: Session, around: Frame) -> bool:
    """Whether a task whose inside ends the workflow gives the output of that: it is the raw output of ``do``, ``for``,
    ``try`` and functions. ``fork`` and ``listen`` would give what others made, so there everything ends at once."""
    return isinstance(session.task(around), DoTask | ForTask | TryTask | CallFunction)


def _place_in_fork(session: Session, frame: Frame, skipped: bool) -> Any:
    """What a branch's end is to its fork. One that was skipped did not take part: it wins only when all were."""
    assert frame.parent is not None
    parent = session.state.frames[frame.parent]
    task = session.task(parent)
    if not isinstance(task, ForkTask):
        return ""
    last = len(parent.outputs) + 1 == len(task.fork.branches)
    if task.fork.compete:
        return "won" if last or not skipped else "more"
    return "all" if last else "more"
