"""One call on its way through the router."""

from typing import TYPE_CHECKING, Protocol

from services.router.connection import Answer, Failure
from services.router.podclient import Sent
from services.router.request import Request

if TYPE_CHECKING:
    from services.router.table import Route, Target


class Owner(Protocol):
    """Who moves calls on."""

    def on_answer(self, call: "Call", answer: Answer) -> None:
        """The Pod answered."""

    def on_failure(self, call: "Call", failure: Failure) -> None:
        """The Pod did not answer."""


class Call:
    """A request and where it stands: it waits, or ``target`` has it. It is the receiver of its own HTTP exchange."""

    __slots__ = (
        "arrived", "attempts", "body", "deadline", "id", "key", "owner", "progress", "reply", "request", "route",
        "sent", "slot", "subject", "target", "waits_from",
    )  # fmt: skip

    def __init__(self, owner: Owner, subject: str, key: str, reply: str, request: Request, body: bytes, now: float):
        self.owner = owner
        self.subject = subject
        self.key = key
        """``namespace/name``"""
        self.reply = reply
        self.request = request
        self.id = request.id
        self.progress = request.progress
        self.body = body
        self.arrived = now
        self.deadline: float | None = now + request.timeout if request.timeout is not None else None
        self.waits_from = now
        """From when on its waiting counts: its arrival, or when its Pod was lost and it may be sent again."""
        self.attempts = 0
        """How often it was sent and may have started."""
        self.route: Route | None = None
        self.target: Target | None = None
        self.sent: Sent | None = None
        self.slot = -1
        """Its place among the deadlines."""

    def answered(self, answer: Answer) -> None:
        """Part of connection.Receiver."""
        self.owner.on_answer(self, answer)

    def failed(self, failure: Failure) -> None:
        """Part of connection.Receiver."""
        self.owner.on_failure(self, failure)
