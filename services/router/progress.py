"""Signs of life for gateways: which of their calls this router still holds."""

from collections.abc import Iterable
from typing import Protocol

from services.contracts import subjects
from services.contracts.messages import Progress
from services.contracts.names import InvalidName

PERIOD = 1.0
"""Seconds between messages, and the age from which a call is named in them."""
MAX_IDS = 10_000
"""Calls named in one message: with ids of at most 128 bytes it stays far below the bus's limit."""


class Held(Protocol):
    """A call that has no answer yet. ``progress``: its gateway's subject, empty when nobody listens."""

    id: str
    progress: str
    arrived: float


def progress_messages(router: str, calls: Iterable[Held], now: float) -> list[tuple[str, Progress]]:
    """Subject and message for each gateway with calls older than a second. ``calls`` come in order of arrival."""
    by_gateway: dict[str, list[str]] = {}
    for call in calls:
        if now - call.arrived < PERIOD:
            break
        if call.progress:
            by_gateway.setdefault(call.progress, []).append(call.id)
    return [
        (subject, Progress(router, ids[start : start + MAX_IDS]))
        for subject, ids in by_gateway.items()
        if _is_progress_subject(subject)
        for start in range(0, len(ids), MAX_IDS)
    ]


def _is_progress_subject(subject: str) -> bool:
    """Whether ``subject`` is one of ``subjects.progress``: a header must not choose where the router publishes."""
    try:
        return subjects.progress(subject.rpartition(".")[2]) == subject
    except InvalidName:
        return False
