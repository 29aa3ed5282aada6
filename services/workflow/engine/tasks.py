"""What each kind of task does when it starts, and when what it waited for came."""

from collections.abc import Callable
from typing import Any, TypeVar

from services.contracts.workflow import tasks as t
from services.contracts.workflow.calls import Call, CallAsyncApi, CallFunction
from services.contracts.workflow.events import TEXTS, URIS
from services.contracts.workflow.task import Task
from services.contracts.workflow.walk import foreach_of
from services.workflow.engine import flow, listening, subscribing
from services.workflow.engine import records as r
from services.workflow.engine.arguments import arguments_of, expanded
from services.workflow.engine.chance import new_id
from services.workflow.engine.errors import Raised, standard
from services.workflow.engine.scope import iso
from services.workflow.engine.session import Session
from services.workflow.engine.state import Frame

T = TypeVar("T", bound=Task)
_STARTERS: dict[type[Task], Callable[[Session, Frame, Any], None]] = {}


def start(session: Session, frame: Frame) -> None:
    """Begins the work of a task whose input is ready; the workflow's is its list. Raises Raised."""
    task = session.task(frame)
    if task is None:
        flow.begin(session, frame, session.plan.definition.do)
        return
    kind = next(kind for kind in _STARTERS if isinstance(task, kind))
    _STARTERS[kind](session, frame, task)


def _starts(kind: type[T]) -> Callable[[Callable[[Session, Frame, T], None]], Callable[[Session, Frame, T], None]]:
    def enter(function: Callable[[Session, Frame, T], None]) -> Callable[[Session, Frame, T], None]:
        _STARTERS[kind] = function
        return function

    return enter


def _wait(session: Session, frame: Frame, waits: Any, **more: Any) -> None:
    session.record(r.TaskWaits(at=session.now, frame=frame.id, waits=waits, **more))


@_starts(t.DoTask)
def _do(session: Session, frame: Frame, task: t.DoTask) -> None:
    flow.begin(session, frame, task.do)


@_starts(t.SetTask)
def _set(session: Session, frame: Frame, task: t.SetTask) -> None:
    flow.finish(session, frame, session.scope(frame).fill(task.set, frame.input))


@_starts(t.SwitchTask)
def _switch(session: Session, frame: Frame, task: t.SwitchTask) -> None:
    scope = session.scope(frame)
    chosen = None
    for case in task.switch:
        if case.when is not None and scope.holds(case.when, frame.input):
            chosen = case
            break
    else:
        chosen = next((case for case in task.switch if case.when is None), None)
    flow.finish(session, frame, frame.data, None if chosen is None else chosen.then)


@_starts(t.RaiseTask)
def _raise(session: Session, frame: Frame, task: t.RaiseTask) -> None:
    error, scope = session.plan.definition.error_of(task.raise_.error), session.scope(frame)
    made: dict[str, Any] = {"status": error.status}
    texts = {"type": expanded(error.type, frame.input)} | {
        field: getattr(error, field) for field in ("title", "detail", "instance")
    }
    for field, text in texts.items():
        value = scope.text(text, frame.input)
        if value:
            made[field] = value
    raise Raised(made)


@_starts(t.WaitTask)
def _wait_task(session: Session, frame: Frame, task: t.WaitTask) -> None:
    seconds = session.seconds(task.wait, session.scope(frame), frame.input)
    _wait(session, frame, "timer", until=session.now + seconds)


@_starts(t.ForTask)
def _for(session: Session, frame: Frame, task: t.ForTask) -> None:
    items = session.scope(frame).fill(task.for_.in_, frame.input)
    if not isinstance(items, list):
        raise standard("expression", f"{task.pointer}/for/in: gave no list to iterate over")
    session.record(r.ItemsFound(at=session.now, frame=frame.id, items=items))


def next_round(session: Session, frame: Frame, task: t.ForTask) -> None:
    """The next item of a loop, or its end."""
    index = frame.index + 1
    if index < len(frame.items):
        variables = {task.for_.each: frame.items[index], task.for_.at: index}
        if task.do and session.scope(frame).holds(task.while_, frame.data, more=variables):
            flow.create(session, frame, task.do[0].pointer, variables=variables, round=index)
            return
    flow.finish(session, frame, frame.data)


@_starts(t.ForkTask)
def _fork(session: Session, frame: Frame, task: t.ForkTask) -> None:
    if not task.fork.branches:
        flow.finish(session, frame, None if task.fork.compete else [])
    for number, branch in enumerate(task.fork.branches):
        flow.create(session, frame, branch.pointer, branch=number)


@_starts(t.TryTask)
def _try(session: Session, frame: Frame, task: t.TryTask) -> None:
    flow.begin(session, frame, task.try_)


@_starts(t.EmitTask)
def _emit(session: Session, frame: Frame, task: t.EmitTask) -> None:
    scope, document = session.scope(frame), session.plan.definition.document
    given = {
        key: scope.fill(expanded(template.value, frame.input) if key in URIS else template, frame.input)
        for key, template in task.emit.event.with_.items()
    }
    event = {
        "specversion": "1.0",
        "id": new_id(session.state.seed, f"{frame.id}.event"),
        "source": f"/{document.namespace}/{document.name}/{document.version}",
        "time": iso(session.now),
    } | {key: value for key, value in given.items() if value is not None or key == "data"}
    for name in ("type", *(name for name in event if name in TEXTS)):
        if not isinstance(event.get(name), str) or not event[name]:
            raise standard("validation", f"{task.pointer}/emit/event/with: the event's {name} is no text")
    _wait(session, frame, "emit", event=event)


@_starts(t.ListenTask)
def _listen(session: Session, frame: Frame, task: t.ListenTask) -> None:
    listening.start(session, frame, task)


@_starts(t.RunTask)
def _run(session: Session, frame: Frame, task: t.RunTask) -> None:
    session.arguments[frame.id] = arguments_of(session, frame)
    _wait(session, frame, "child" if task.run.await_ else "spawn")


@_starts(CallFunction)
def _call_function(session: Session, frame: Frame, task: CallFunction) -> None:
    own = session.plan.definition.function(task)
    if isinstance(own, Task):
        if isinstance(own, Call):
            flow.create(session, frame, own.pointer, by_arguments=True)
        else:
            flow.create(session, frame, own.pointer, raw=arguments_of(session, frame))
        return
    _call(session, frame, task)


@_starts(CallAsyncApi)
def _call_asyncapi(session: Session, frame: Frame, task: CallAsyncApi) -> None:
    if task.with_.subscription is not None:
        subscribing.start(session, frame, task.with_.subscription)
    else:
        _call(session, frame, task)


@_starts(Call)
def _call(session: Session, frame: Frame, task: Call) -> None:
    session.arguments[frame.id] = arguments_of(session, frame)
    _wait(session, frame, "call")


def answered(session: Session, frame: Frame) -> None:
    """What a task waited for came. Raises Raised."""
    task = session.task(frame)
    if isinstance(task, t.TryTask):
        flow.begin(session, frame, task.catch.do) if frame.catching and task.catch.do else _begin_again(
            session, frame, task
        )
    elif task is not None and _consumes(task):
        listening.go_on(session, frame, foreach_of(task)[0])
    elif isinstance(task, t.RunTask) and (not task.run.await_ or task.run.return_ == "none"):
        flow.finish(session, frame, frame.input if not task.run.await_ else None)
    else:
        flow.finish(session, frame, frame.data)


def _consumes(task: Task) -> bool:
    """Whether it takes events or messages, one after the other."""
    return isinstance(task, t.ListenTask) or subscribing.subscription_of(task) is not None


def _begin_again(session: Session, frame: Frame, task: t.TryTask) -> None:
    if frame.catching:
        flow.finish(session, frame, frame.data, task.catch.then)
    else:
        flow.begin(session, frame, task.try_)


def follow(session: Session, frame: Frame) -> None:
    """A task inside ended: the next one in its list, or what comes after the list. Raises Raised."""
    task = session.task(frame)
    if frame.next:
        flow.create(session, frame, frame.next)
    elif isinstance(task, t.ForTask):
        next_round(session, frame, task)
    elif task is not None and (foreach := foreach_of(task)[0]) is not None:
        listening.round_ended(session, frame, foreach)
    elif isinstance(task, t.TryTask) and frame.catching:
        flow.finish(session, frame, frame.data, task.catch.then)
    else:
        flow.finish(session, frame, frame.data)
