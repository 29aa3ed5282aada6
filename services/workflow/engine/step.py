"""One step of a run: a stimulus in, records and commands out."""

from collections.abc import Set
from typing import Any

import msgspec

from services.contracts.workflow.tasks import ListenTask
from services.workflow.engine import commands as c
from services.workflow.engine import flow, listening, subscribing, tasks
from services.workflow.engine import records as r
from services.workflow.engine import stimuli as s
from services.workflow.engine.environment import Environment
from services.workflow.engine.errors import Raised, standard
from services.workflow.engine.faults import fault
from services.workflow.engine.outstanding import Outstanding, commands, difference, due_at, prepare
from services.workflow.engine.plan import Plan
from services.workflow.engine.session import Session
from services.workflow.engine.state import Frame, State

MAX_RECORDS = 500
"""After so many records a step stops and asks to be continued: a transition is one message, and a workflow that loops
without ever waiting must not keep a worker to itself."""
_ANSWERED = ("call", "emit", "child", "spawn")
"""What CallEnded ends."""
CLOCK_SKEW = 1.0
"""Seconds that a timer may seem to fire early, since not every clock is the same."""


class Transition(msgspec.Struct, frozen=True):
    """What a step made: records to store first, then commands to carry out, and the state after it."""

    records: list[r.Record]
    commands: list[c.Command]
    state: State


def step(
    plan: Plan, state: State | None, stimulus: s.Stimulus, now: float, environment: Environment | None = None
) -> Transition:
    """The transition of a run by a stimulus at ``now`` (epoch seconds, not before that of the last one).

    Pure: the given state stays as it is, and the new one is what ``apply`` makes of the records. A stimulus that no
    longer means anything (a timer of a task that has ended) gives a transition without records.
    """
    old = None if isinstance(stimulus, s.Recovered) else state
    session = Session(plan, State() if state is None else state.copy(), environment or Environment(), now)
    _take(session, stimulus, state is None)
    more = _run(session)
    before, after = difference(old, session.state)
    while prepare(session, before, after):
        more = _run(session) or more
        before, after = difference(old, session.state)
    _over(before, stimulus)
    made = session.events + commands(session, before, after, _waited(state, stimulus))
    if more:
        made.append(c.Continue())
    return Transition(session.records, made, session.state)


def _over(before: Outstanding, stimulus: s.Stimulus) -> None:
    """What a stimulus says is over needs not be dropped."""
    if isinstance(stimulus, s.TimerFired):
        before.pop(("timer", stimulus.timer), None)
    elif isinstance(stimulus, s.CallEnded):
        for waits in _ANSWERED:
            before.pop((waits, str(stimulus.task)), None)


def _waited(state: State | None, stimulus: s.Stimulus) -> Set[int]:
    """The frames of which what they wait for may have been started by an earlier owner, or before the run faulted."""
    again = state is not None and isinstance(stimulus, s.Recovered | s.Retry)
    return {frame.id for frame in state.frames.values() if frame.waits} if state is not None and again else frozenset()


def _run(session: Session) -> bool:
    """Goes on with what is ready; whether some of it is left."""
    while session.state.ready and session.state.status == "running":
        if len(session.records) >= MAX_RECORDS or (session.records and session.environment.enough()):
            return True
        frame = session.state.frames[session.state.ready[0]]
        try:
            _advance(session, frame)
        except Raised as raised:
            fault(session, frame, raised)
    return False


def _advance(session: Session, frame: Frame) -> None:
    if frame.phase == "new":
        flow.enter(session, frame)
    elif frame.phase == "running":
        tasks.start(session, frame)
    elif frame.phase == "next":
        tasks.follow(session, frame)
    elif frame.phase == "answered":
        tasks.answered(session, frame)
    else:
        flow.finish(session, frame, frame.data)


def _take(session: Session, stimulus: s.Stimulus, new: bool) -> None:
    """Records what a stimulus says by itself; what follows from it comes after."""
    state, now = session.state, session.now
    if isinstance(stimulus, s.Start):
        if new:
            session.record(r.RunStarted(at=now, id=stimulus.id, seed=stimulus.seed, input=stimulus.input))
    elif isinstance(stimulus, s.Retry):
        if state.status == "faulted":
            session.record(r.RunRetried(at=now))
    elif state.open:
        _take_open(session, stimulus)


def _take_open(session: Session, stimulus: s.Stimulus) -> None:
    status, now = session.state.status, session.now
    if isinstance(stimulus, s.CallEnded):
        _call_ended(session, stimulus)
    elif isinstance(stimulus, s.TimerFired):
        _timer_fired(session, stimulus.timer)
    elif isinstance(stimulus, s.EventArrived):
        _event_arrived(session, stimulus)
    elif isinstance(stimulus, s.MessageArrived):
        _message_arrived(session, stimulus)
    elif isinstance(stimulus, s.Cancel):
        session.record(r.RunCancelled(at=now))
    elif isinstance(stimulus, s.Pause) and status == "running":
        session.record(r.RunSuspended(at=now))
    elif isinstance(stimulus, s.Resume) and status == "suspended":
        session.record(r.RunResumed(at=now))


def _call_ended(session: Session, ended: s.CallEnded) -> None:
    frame = session.state.frames.get(ended.task)
    if frame is None or frame.waits not in ("call", "emit", "child", "spawn", "messages"):
        return
    if ended.error is not None:
        fault(session, frame, Raised(ended.error))
        return
    if frame.waits == "messages":
        return
    output: Any = msgspec.UNSET if frame.waits == "emit" else ended.output
    session.record(r.TaskAnswered(at=session.now, frame=frame.id, output=output))


def _timer_fired(session: Session, timer: str) -> None:
    """A timer that comes twice, or too late, is no longer outstanding and does nothing. One that comes early, which is
    that of a deadline since put off, is wanted again."""
    number, kind = timer.split(".")[:2]
    frame = session.state.frames.get(int(number))
    due = None if frame is None else due_at(frame, timer)
    if frame is None or due is None:
        return
    if due > session.now + CLOCK_SKEW:
        session.events.append(c.StartTimer(timer=timer, at=due))
        return
    if kind == "wait":
        session.record(r.TaskAnswered(at=session.now, frame=frame.id))
    elif kind == "enough":
        subscribing.time_over(session, frame)
    elif kind == "retry":
        _retry(session, frame)
    else:
        what = "an attempt of the task" if kind == "attempt" else "the task" if frame.pointer else "the workflow"
        fault(session, frame, standard("timeout", f"{what} took too long"), within=kind == "attempt")


def _retry(session: Session, frame: Frame) -> None:
    scope = session.scope(frame)
    try:
        until = flow.attempt_until(session, session.task(frame), scope, frame.input)
    except Raised as raised:
        fault(session, frame, raised)
        return
    session.record(r.TaskRetried(at=session.now, frame=frame.id, attempt_until=until))


def _event_arrived(session: Session, arrived: s.EventArrived) -> None:
    frame = session.state.frames.get(arrived.task)
    task = None if frame is None else session.task(frame)
    if frame is None or frame.waits != "events" or not isinstance(task, ListenTask):
        return
    if 0 < arrived.sequence <= frame.last_event:  # delivered again, since nobody knew that it was consumed
        return
    try:
        listening.consume(session, frame, task, arrived.event, arrived.sequence)
    except Raised as raised:
        fault(session, frame, raised)


def _message_arrived(session: Session, arrived: s.MessageArrived) -> None:
    frame = session.state.frames.get(arrived.task)
    subscription = None if frame is None else subscribing.subscription_of(session.task(frame))
    if frame is None or frame.waits != "messages" or subscription is None:
        return
    try:
        subscribing.consume(session, frame, subscription, arrived.message)
    except Raised as raised:
        fault(session, frame, raised)
