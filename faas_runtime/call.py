"""One call on its way through the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Connection(Protocol):
    """What a call needs of the connection it came on."""

    def respond(self, call: Call, answer: bytes) -> None:
        """Send the answer; dropped when the client has gone."""


class Call:
    """A complete HTTP request and its state.

    ``headers`` are (lower-case name, value) pairs as received; ``target`` is path and query as received. ``started``
    and ``deadline`` are time.monotonic() seconds. ``answered`` is true once the caller has its answer, also when the
    handler still runs (timeout, work after the answer). ``expired`` is true once it is cancelled for its deadline.
    """

    __slots__ = (
        "answered",
        "body",
        "cancel",
        "connection",
        "deadline",
        "expired",
        "headers",
        "keep_alive",
        "method",
        "started",
        "target",
    )

    def __init__(
        self,
        connection: Connection,
        method: bytes,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        keep_alive: bool,
    ) -> None:
        self.connection = connection
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.keep_alive = keep_alive
        self.started = 0.0
        self.deadline = 0.0
        self.answered = False
        self.expired = False
        self.cancel: Callable[[], object] | None = None  # set for what runs on the loop; a thread cannot be stopped

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, by its lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None
