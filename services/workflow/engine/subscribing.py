"""Subscriptions of the call ``asyncapi``: consuming messages until there are enough of them.

``filter`` is evaluated over the message; ``while`` and ``until`` over the list of messages consumed so far, after each
message or, with ``foreach``, after its round, with the context that the round exported.
"""

from typing import Any

from services.contracts.workflow.calls import CallAsyncApi, Subscription
from services.contracts.workflow.task import Task
from services.workflow.engine import flow
from services.workflow.engine import records as r
from services.workflow.engine.arguments import arguments_of
from services.workflow.engine.scope import More
from services.workflow.engine.session import Session
from services.workflow.engine.state import Frame


def subscription_of(task: Task | None) -> Subscription | None:
    """The subscription of a call that has one."""
    return task.with_.subscription if isinstance(task, CallAsyncApi) else None


def start(session: Session, frame: Frame, subscription: Subscription) -> None:
    """Waits for messages, perhaps for some time only; an amount of none is consumed at once. Raises Raised."""
    consume = subscription.consume
    if consume.amount is not None and consume.amount <= 0:
        flow.finish(session, frame, [])
        return
    session.arguments[frame.id] = arguments_of(session, frame)
    scope, until = session.scope(frame), None
    if consume.for_ is not None:
        until = session.now + session.seconds(consume.for_, scope, scope.input())
    session.record(r.TaskWaits(at=session.now, frame=frame.id, waits="messages", until=until))


def consume(session: Session, frame: Frame, subscription: Subscription, message: dict[str, Any]) -> None:
    """Takes a message if the filter wants it. Raises Raised."""
    if not session.scope(frame).holds(subscription.filter, message):
        return
    items, amount = [*frame.items, message], subscription.consume.amount
    if amount is not None:
        complete = len(items) >= amount
    else:
        complete = subscription.foreach is None and enough(session, frame, subscription, items, None)
    session.record(r.EventConsumed(at=session.now, frame=frame.id, item=message, complete=complete))


def enough(session: Session, frame: Frame, subscription: Subscription, items: list[Any], more: More) -> bool:
    """Whether ``while`` or ``until`` says that these messages are enough. Raises Raised."""
    wanted, scope = subscription.consume, session.scope(frame)
    if wanted.while_ is not None:
        return not scope.holds(wanted.while_, items, more=more)
    return wanted.until is not None and scope.holds(wanted.until, items, more=more)


def time_over(session: Session, frame: Frame) -> None:
    """``consume.for`` is over: what was consumed is the output."""
    session.record(r.EventConsumed(at=session.now, frame=frame.id, complete=True))
