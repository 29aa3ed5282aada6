"""What a run waits for outside, and the commands that make it so."""

from collections.abc import Set
from typing import Any

from services.contracts.workflow.calls import Call
from services.contracts.workflow.tasks import ListenTask, RunTask
from services.workflow.engine import commands as c
from services.workflow.engine.arguments import arguments_of
from services.workflow.engine.errors import Raised
from services.workflow.engine.faults import fault
from services.workflow.engine.matching import types_of
from services.workflow.engine.session import Session
from services.workflow.engine.state import Frame, State

Outstanding = dict[tuple[str, str], float | None]
"""By kind (``timer``, or what a frame waits for) and id; the value is a timer's time."""


def outstanding(state: State | None) -> Outstanding:
    """All that an open run waits for. Timers are named ``<frame>.<wait|timeout|enough>`` or
    ``<frame>.<retry|attempt>.<attempt>``."""
    found: Outstanding = {}
    if state is None or not state.open:
        return found
    for frame in state.frames.values():
        if frame.waits in ("timer", "retry"):
            name = f"{frame.id}.wait" if frame.waits == "timer" else f"{frame.id}.retry.{frame.attempt}"
            found["timer", name] = frame.wait_until
        elif frame.waits:
            found[frame.waits, str(frame.id)] = None
        if frame.waits == "messages" and frame.wait_until is not None:
            found["timer", f"{frame.id}.enough"] = frame.wait_until
        if frame.timeout_at is not None:
            found["timer", f"{frame.id}.timeout"] = frame.timeout_at
        if frame.attempt_until is not None:
            found["timer", f"{frame.id}.attempt.{frame.attempt}"] = frame.attempt_until
    return found


def commands(session: Session, before: Outstanding, repeated: Set[int]) -> list[c.Command]:
    """Starts what is new since ``before`` and drops what is gone. ``repeated``: frames whose waits began earlier."""
    after = outstanding(session.state)
    made: list[c.Command] = []
    for (kind, name), at in before.items():
        if (kind, name) in after and after[kind, name] == at:
            continue
        if kind == "timer":
            made.append(c.CancelTimer(timer=name))
        elif kind not in ("emit", "spawn"):  # those are over once done, whoever asked for them
            made.append(c.Drop(task=int(name), waits=kind))
    for (kind, name), at in after.items():
        if (kind, name) in before and before[kind, name] == at:
            continue
        if kind == "timer":
            assert at is not None
            made.append(c.StartTimer(timer=name, at=at))
        else:
            made.append(_start(session, session.state.frames[int(name)], int(name) in repeated))
    return made


def _start(session: Session, frame: Frame, repeated: bool) -> c.Command:
    task: Any = session.task(frame)
    if frame.waits == "emit":
        return c.Emit(task=frame.id, event=frame.data, repeated=repeated)
    if isinstance(task, ListenTask):
        return c.Subscribe(
            task=frame.id, types=types_of(task.listen.to), since=frame.started_at, after=frame.last_event
        )
    arguments = session.arguments[frame.id]
    if isinstance(task, RunTask):
        process = task.run.workflow
        return c.RunWorkflow(
            task=frame.id,
            namespace=process.namespace,
            name=process.name,
            version=process.version,
            input=arguments,
            wait=task.run.await_,
            repeated=repeated,
        )
    assert isinstance(task, Call)
    return c.StartCall(task=frame.id, call=task, arguments=arguments, repeated=repeated)


def prepare(session: Session, before: Outstanding) -> bool:
    """Makes the arguments of each call that is to be started; whether one could not be, which faulted its task."""
    for kind, name in outstanding(session.state).keys() - before.keys():
        frame = session.state.frames[int(name)] if kind in ("call", "child", "spawn", "messages") else None
        if frame is not None and frame.id not in session.arguments:
            try:
                session.arguments[frame.id] = arguments_of(session, frame)
            except Raised as raised:
                fault(session, frame, raised)
                return True
    return False
