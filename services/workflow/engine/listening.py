"""The task ``listen``: consuming events until its strategy is satisfied, and what is done with each of them."""

from typing import Any

from msgspec import UNSET

from services.contracts.workflow.events import EventStrategy
from services.contracts.workflow.expressions import Expression
from services.contracts.workflow.task import Foreach
from services.contracts.workflow.tasks import ListenTask
from services.workflow.engine import flow, subscribing
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


def consume(session: Session, frame: Frame, task: ListenTask, event: dict[str, Any], sequence: int) -> None:
    """Takes an event if the strategy wants it; ``sequence``: its place among all events. Raises Raised."""
    strategy = task.listen.to
    if isinstance(strategy.until, EventStrategy) and _ends(session, frame, strategy.until, event, sequence):
        return
    found = _match(session, frame, strategy, event, frame.matched)
    if found is not None:
        _record(session, frame, task, event, sequence, found)


def _ends(session: Session, frame: Frame, until: EventStrategy, event: dict[str, Any], sequence: int) -> bool:
    """Whether ``until`` takes the event: then it is not part of the output, whatever else would take it."""
    found = _match(session, frame, until, event, frame.until_matched)
    if found is None:
        return False
    total = len(filters_of(until)) if until.all is not None else 1
    session.record(
        r.EventConsumed(
            at=session.now,
            frame=frame.id,
            until_matched=found[0],
            correlations=found[1],
            sequence=sequence,
            complete=len(frame.until_matched) + 1 >= total,
        )
    )
    return True


def _record(
    session: Session,
    frame: Frame,
    task: ListenTask,
    event: dict[str, Any],
    sequence: int,
    found: tuple[int, dict[str, Any]],
) -> None:
    index, correlations = found
    strategy = task.listen.to
    item = event if task.listen.read == "envelope" else event.get("data", event.get("data_base64"))
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
            sequence=sequence,
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


def go_on(session: Session, frame: Frame, foreach: Foreach | None) -> None:
    """After an event or message, or after the round of one: the next round, the end, or more waiting."""
    index = frame.index + 1
    if foreach is not None and index < len(frame.items):
        item = frame.items[index]
        variables = {foreach.item: item, foreach.at: index}
        if foreach.do:
            flow.create(session, frame, foreach.do[0].pointer, variables=variables, round=index, raw=item)
        else:
            _end_round(session, frame, foreach, index, item, variables)
    elif frame.complete:
        outputs = [frame.outputs[key] for key in sorted(frame.outputs)]
        flow.finish(session, frame, frame.items if foreach is None else outputs)
    else:
        waits: Any = frame.waits  # goes on with what it waited for
        session.record(r.TaskWaits(at=session.now, frame=frame.id, waits=waits, until=frame.wait_until))


def round_ended(session: Session, frame: Frame, foreach: Foreach) -> None:
    """The list of ``foreach`` came to its end for an event or message."""
    _end_round(session, frame, foreach, frame.index, frame.data, frame.variables)


def _end_round(
    session: Session, frame: Frame, foreach: Foreach, index: int, raw: Any, variables: dict[str, Any]
) -> None:
    scope, shaped = session.scope(frame), raw
    output = foreach.output
    if output is not None:
        shaped = raw if output.as_ is None else scope.fill(output.as_, raw, more=variables)
        scope.check(output.schema, shaped, "output")
    context = UNSET
    if foreach.export is not None:
        context = flow.export(foreach.export, scope, shaped, more=variables)
    more = variables if context is UNSET else variables | {"context": context}
    complete = not frame.complete and _enough(session, frame, frame.items[: index + 1], more)
    session.record(
        r.RoundEnded(at=session.now, frame=frame.id, item=shaped, context=context, round=index, complete=complete)
    )


def _enough(session: Session, frame: Frame, items: list[Any], more: dict[str, Any]) -> bool:
    """Whether these events or messages, and what ``foreach`` exported, end the consumption."""
    task = session.task(frame)
    if isinstance(task, ListenTask):
        until = task.listen.to.until
        return isinstance(until, Expression) and session.scope(frame).holds(until, items, more=more)
    subscription = subscribing.subscription_of(task)
    return subscription is not None and subscribing.enough(session, frame, subscription, items, more)
