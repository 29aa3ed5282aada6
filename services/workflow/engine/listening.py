"""The task ``listen``: consuming events until its strategy is satisfied, and what is done with each of them."""

from typing import Any

from msgspec import UNSET

from services.contracts.workflow.events import EventStrategy
from services.contracts.workflow.expressions import Expression
from services.contracts.workflow.tasks import ListenTask
from services.workflow.engine import flow
from services.workflow.engine import records as r
from services.workflow.engine.matching import correlated, filters_of
from services.workflow.engine.session import Session
from services.workflow.engine.state import Frame


def start(session: Session, frame: Frame, task: ListenTask) -> None:
    """Waits for events; ``all`` of none is satisfied at once."""
    if task.listen.to.all == []:
        flow.finish(session, frame, [])
        return
    session.record(r.TaskWaits(at=session.now, frame=frame.id, waits="events"))


def consume(session: Session, frame: Frame, task: ListenTask, event: dict[str, Any]) -> None:
    """Takes an event if the strategy wants it. Raises Raised."""
    strategy = task.listen.to
    found = _match(session, frame, strategy, event, frame.matched)
    if found is not None:
        index, correlations = found
        _record(session, frame, task, event, index, correlations)
        return
    if isinstance(strategy.until, EventStrategy):
        until = _match(session, frame, strategy.until, event, frame.until_matched)
        if until is not None:
            total = len(filters_of(strategy.until)) if strategy.until.all is not None else 1
            session.record(
                r.EventConsumed(
                    at=session.now,
                    frame=frame.id,
                    until_matched=until[0],
                    correlations=until[1],
                    complete=len(frame.until_matched) + 1 >= total,
                )
            )


def _record(
    session: Session, frame: Frame, task: ListenTask, event: dict[str, Any], index: int, correlations: dict[str, Any]
) -> None:
    strategy = task.listen.to
    item = event.get("data") if task.listen.read in ("data", "raw") else event
    if strategy.all is not None:
        complete = len(frame.matched) + 1 >= len(strategy.all)
    elif isinstance(strategy.until, Expression):
        complete = session.scope(frame).holds(strategy.until, [*frame.items, item])
    else:
        complete = strategy.until is None
    session.record(
        r.EventConsumed(
            at=session.now,
            frame=frame.id,
            item=item,
            matched=index if strategy.all is not None else None,
            correlations=correlations,
            complete=complete,
        )
    )


def _match(
    session: Session, frame: Frame, strategy: EventStrategy, event: dict[str, Any], matched: list[int]
) -> tuple[int, dict[str, Any]] | None:
    """The filter that takes the event, and the correlations it brings; None when none does."""
    filters = filters_of(strategy)
    if not filters:
        return (0, {}) if strategy.any is not None else None
    scope = session.scope(frame)
    for index, filter_ in enumerate(filters):
        if strategy.all is not None and index in matched:
            continue
        made = correlated(filter_, event, frame.correlations, scope, frame.input)
        if made is not None:
            return index, made
    return None


def go_on(session: Session, frame: Frame, task: ListenTask) -> None:
    """After an event, or after the round of one: the next round, the end, or more waiting."""
    index = frame.index + 1
    if task.foreach is not None and index < len(frame.items):
        item = frame.items[index]
        variables = {task.foreach.item: item, task.foreach.at: index}
        if task.foreach.do:
            flow.create(session, frame, task.foreach.do[0].pointer, variables=variables, round=index, raw=item)
        else:
            _end_round(session, frame, task, index, item, variables)
    elif frame.complete:
        outputs = [frame.outputs[key] for key in sorted(frame.outputs)]
        flow.finish(session, frame, frame.items if task.foreach is None else outputs)
    else:
        session.record(r.TaskWaits(at=session.now, frame=frame.id, waits="events"))


def round_ended(session: Session, frame: Frame, task: ListenTask) -> None:
    """The list of ``foreach`` came to its end for an event."""
    _end_round(session, frame, task, frame.index, frame.data, frame.variables)


def _end_round(
    session: Session, frame: Frame, task: ListenTask, index: int, raw: Any, variables: dict[str, Any]
) -> None:
    assert task.foreach is not None
    scope, shaped = session.scope(frame), raw
    output = task.foreach.output
    if output is not None:
        shaped = raw if output.as_ is None else scope.fill(output.as_, raw, more=variables)
        scope.check(output.schema, shaped, "output")
    context = UNSET
    if task.foreach.export is not None:
        context = flow.export(task.foreach.export, scope, shaped, more=variables)
    session.record(r.RoundEnded(at=session.now, frame=frame.id, item=shaped, context=context, round=index))
