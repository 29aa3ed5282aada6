"""What a run waits for outside, and the commands that make it so."""

from collections.abc import Iterable, Set
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
    return {} if state is None or not state.open else _of(state.frames.values())


def difference(old: State | None, new: State) -> tuple[Outstanding, Outstanding]:
    """What is outstanding in each, without what frames wait for that are the same in both: a step changes few of what
    may be thousands."""
    if old is None or not old.open or not new.open:
        return outstanding(old), outstanding(new)
    was, now = old.frames, new.frames
    return (
        _of([frame for key, frame in was.items() if now.get(key) is not frame]),
        _of([frame for key, frame in now.items() if was.get(key) is not frame]),
    )


def due_at(frame: Frame, timer: str) -> float | None:
    """When a timer of a frame is due; None when it is not wanted."""
    return _of([frame]).get(("timer", timer))


def _of(frames: Iterable[Frame]) -> Outstanding:
    found: Outstanding = {}
    for frame in frames:
        if frame.waits in ("timer", "retry"):
            name = f"{frame.id}.wait" if frame.waits == "timer" else f"{frame.id}.retry.{frame.attempt}"
            found["timer", name] = frame.wait_until
        elif frame.waits:
            found[frame.waits, str(frame.id)] = None
        if frame.waits and frame.held:
            found["held", str(frame.id)] = None
        if frame.waits == "messages" and frame.wait_until is not None:
            found["timer", f"{frame.id}.enough"] = frame.wait_until
        if frame.timeout_at is not None:
            found["timer", f"{frame.id}.timeout"] = frame.timeout_at
        if frame.attempt_until is not None:
            found["timer", f"{frame.id}.attempt.{frame.attempt}"] = frame.attempt_until
    return found


def commands(session: Session, before: Outstanding, after: Outstanding, repeated: Set[int]) -> list[c.Command]:
    """Starts what is new since ``before`` and drops what is gone. ``repeated``: frames whose waits began earlier."""
    made: list[c.Command] = []
    for (kind, name), at in before.items():
        if (kind, name) in after and after[kind, name] == at:
            continue
        if kind == "timer":
            made.append(c.CancelTimer(timer=name))
        elif kind == "held":
            made.append(c.Hold(task=int(name), held=False))
        elif kind not in ("emit", "spawn"):  # those are over once done, whoever asked for them
            made.append(c.Drop(task=int(name), waits=kind))
    for (kind, name), at in after.items():
        if (kind, name) in before and before[kind, name] == at:
            continue
        if kind == "timer":
            assert at is not None
            made.append(c.StartTimer(timer=name, at=at))
        elif kind == "held":
            made.append(c.Hold(task=int(name), held=True))
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


def prepare(session: Session, before: Outstanding, after: Outstanding) -> bool:
    """Makes the arguments of each call that is to be started; whether one could not be, which faulted its task."""
    for kind, name in after.keys() - before.keys():
        frame = session.state.frames[int(name)] if kind in ("call", "child", "spawn", "messages") else None
        if frame is not None and frame.id not in session.arguments:
            try:
                session.arguments[frame.id] = arguments_of(session, frame)
            except Raised as raised:
                fault(session, frame, raised)
                return True
    return False
