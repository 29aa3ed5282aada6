"""Calls that wait for their reply. One subscription takes all replies; each call is a future in a dict.

nats-py's own ``request`` costs a token, a closure, a callback and ``wait_for`` for each call; deadlines are watched
for all calls together here (see ``progress``).
"""

import asyncio
import itertools
import logging
import math

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.common.natsclient import FastClient
from services.contracts.errors import Code, FaasError
from services.contracts.resources import MAX_TIMEOUT

log = logging.getLogger("replies")

LONGEST = 2 * MAX_TIMEOUT + 5.0
"""Seconds: a call may wait an hour for its start and run an hour; nothing waits longer, whatever a router says."""
_NO_RESPONDERS = "503"


class Call:
    """One waiting call. ``heard``: when its router was last known to hold it; both moments in the loop's time."""

    __slots__ = ("deadline", "future", "heard", "id")

    def __init__(self, call_id: str, future: "asyncio.Future[Msg]", now: float, deadline: float) -> None:
        self.id = call_id
        self.future = future
        self.heard = now
        self.deadline = deadline

    def fail(self, error: FaasError) -> None:
        """Ends the wait with ``error``, unless a reply came first."""
        if not self.future.done():
            self.future.set_exception(error)


class Replies:
    """Sends requests and waits for their replies. ``attach`` it to a connection: before that everything is refused.

    ``who`` is what errors call this process.
    """

    def __init__(self, max_calls: int, who: str) -> None:
        self.calls: dict[str, Call] = {}
        self.bus: FastClient | None = None
        self._max_calls = max_calls
        self._who = who
        self._numbers = itertools.count(1)
        self._inbox = ""

    async def attach(self, bus: FastClient) -> None:
        """Takes replies from ``bus`` from now on."""
        self._inbox = bus.new_inbox() + "."
        subscription = await bus.subscribe(self._inbox + "*", cb=self._on_reply)
        bus.deliver_at_once(subscription, self._on_reply)
        self.bus = bus

    @property
    def connected(self) -> bool:
        """Whether the bus can be reached, as far as this side knows."""
        return self.bus is not None and self.bus.is_connected

    def connection(self) -> FastClient:
        """The connection. Raises FaasError ``bus_unavailable`` rather than let anything be buffered for later."""
        if self.bus is None or not self.bus.is_connected:
            raise FaasError(
                Code.BUS_UNAVAILABLE, f"the {self._who} has no connection to NATS; it keeps trying", retry_after=1
            )
        return self.bus

    async def request(
        self,
        subject: str,
        fields: dict[str, str],
        body: bytes,
        call_id: str,
        seconds: float = LONGEST,
        watched: bool = True,
    ) -> Msg:
        """Publishes a request and waits for its reply, at most ``seconds`` and, when ``watched``, only while a router
        holds it.

        Raises FaasError: ``bus_unavailable`` and ``no_router`` (nothing was started), ``overloaded``, ``router_lost``,
        ``deadline_exceeded``.
        """
        bus = self.connection()
        if len(self.calls) >= self._max_calls:
            raise FaasError(Code.OVERLOADED, f"this {self._who} holds {self._max_calls} calls already", retry_after=1)
        loop = asyncio.get_running_loop()
        now = loop.time()
        token = str(next(self._numbers))
        call = self.calls[token] = Call(call_id, loop.create_future(), now if watched else math.inf, now + seconds)
        try:
            await bus.publish(subject, body, self._inbox + token, fields)
            del body  # a long call must not hold on to it
            reply = await call.future
        except NatsError as error:
            log.warning("publish to %s: %s", subject, error)
            raise FaasError(Code.BUS_UNAVAILABLE, "the connection to NATS broke off", retry_after=1) from None
        finally:
            self.calls.pop(token, None)
        if not reply.data and reply.headers and reply.headers.get("Status") == _NO_RESPONDERS:
            raise FaasError(Code.NO_ROUTER, "no router takes calls at the moment", retry_after=1)
        return reply

    async def _on_reply(self, reply: Msg) -> None:
        # a reply to nobody is one whose call has ended by silence or deadline
        call = self.calls.get(reply.subject[len(self._inbox) :])
        if call is not None and not call.future.done():
            call.future.set_result(reply)

    def abandon(self) -> None:
        """Ends all waits, for a process that must stop now."""
        for call in list(self.calls.values()):
            call.fail(
                FaasError(Code.ROUTER_LOST, f"this {self._who} had to stop before the call ended, which may go on")
            )
