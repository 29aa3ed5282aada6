"""Errors: which try catches one, and whether it tries again."""

from typing import Any

import msgspec

from services.contracts.workflow.calls import Call
from services.contracts.workflow.data import Retry
from services.contracts.workflow.durations import MAX_SECONDS
from services.contracts.workflow.errors import as_written
from services.contracts.workflow.expressions import Expression
from services.contracts.workflow.tasks import TryTask
from services.workflow.engine import records as r
from services.workflow.engine.chance import draw
from services.workflow.engine.errors import Raised, complete, matches
from services.workflow.engine.session import Session
from services.workflow.engine.state import Frame


def fault(session: Session, frame: Frame, raised: Raised, *, within: bool = False) -> None:
    """An error of a task: goes up to the innermost try that catches it, or faults the run.

    ``within``: it comes from inside ``frame`` itself, a try, which may catch it (its attempt took too long).
    """
    error = complete(raised.error, frame.pointer or "/")
    candidate = frame.id if within else frame.parent
    while candidate is not None:
        above = session.state.frames[candidate]
        task = session.task(above)
        if isinstance(task, TryTask) and not above.catching:
            try:
                if _caught(session, above, task, error, frame.id):
                    return
            except Raised as another:  # the catch clause itself fails: that is an error of the try
                fault(session, above, another)
                return
        candidate = above.parent
    session.record(r.RunFaulted(at=session.now, error=error, frame=frame.id))


def _caught(session: Session, frame: Frame, task: TryTask, error: dict[str, Any], origin: int) -> bool:
    """Records the catch if the clause wants this error. Raises Raised."""
    catch, scope = task.catch, session.scope(frame)
    with_ = catch.errors.with_ if catch.errors is not None else None
    if with_ is not None:
        of_call = isinstance(session.task(session.state.frames[origin]), Call)
        if not matches(error, msgspec.structs.asdict(with_), of_call=of_call):
            return False
        error = error | {"type": as_written(error["type"], with_.type)}
    known: dict[str, Any] = {catch.as_: error}
    if not scope.holds(catch.when, frame.input, more=known):
        return False
    if catch.except_when is not None and scope.holds(catch.except_when, frame.input, more=known):
        return False
    policy = session.plan.definition.retry_of(catch.retry)
    retry_at = None if policy is None else _retry_at(session, frame, policy, known)
    if policy is not None and retry_at is None and not catch.do and catch.then is None:
        return False  # nothing is left to be done about it: whoever is outside may
    session.record(
        r.ErrorCaught(at=session.now, frame=frame.id, origin=origin, error=error, variable=catch.as_, retry_at=retry_at)
    )
    return True


def _retry_at(session: Session, frame: Frame, policy: Retry, known: dict[str, Any]) -> float | None:
    """When the try is attempted again; None when it is not."""
    scope, data = session.scope(frame), frame.input
    if not scope.holds(policy.when, data, more=known):
        return None
    if policy.except_when is not None and scope.holds(policy.except_when, data, more=known):
        return None
    count, limit = policy.limit.attempt.count, policy.limit.duration
    if count is not None and frame.attempt > count:
        return None

    def seconds(duration: float | Expression) -> float:
        return session.seconds(duration, scope, data, known)

    delay = seconds(policy.delay) * _growth(policy.backoff, frame.attempt)
    if policy.jitter is not None:
        least, most = seconds(policy.jitter.from_), seconds(policy.jitter.to)
        delay += least + (most - least) * draw(session.state.seed, f"{frame.id}.{frame.attempt}")
    delay = min(delay, MAX_SECONDS)
    since = session.now if frame.failed_at is None else frame.failed_at
    if limit is not None and session.now + delay > since + seconds(limit):
        return None
    return session.now + delay


def _growth(backoff: str, retry: int) -> float:
    """The factor of retry 1, 2, 3 …; exponents are bounded, a delay of 2**60 s has no use."""
    if backoff == "exponential":
        return float(2 ** min(retry - 1, 60))
    return float(retry) if backoff == "linear" else 1.0
