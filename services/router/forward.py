"""A call from its arrival to its reply: chooses a Pod, sends, waits, repeats what certainly never started.

Everything here runs in callbacks of the event loop, without a task for each call. A call is in exactly one state: it
waits in the queue (also while the caches are not synced), or a Pod has it, or it was answered.
"""

from collections.abc import Callable
from typing import Protocol

from services.contracts.errors import FaasError
from services.contracts.subjects import parse_ref
from services.router import coldstart, errors, reply
from services.router.call import Call
from services.router.config import RouterSettings
from services.router.connection import Answer, Failure
from services.router.deadlines import Deadlines
from services.router.metrics import Totals
from services.router.queue import FairQueue, Limits
from services.router.table import Route, RouteTable, Target

GRACE = 0.5
"""Seconds beyond the function's timeout: the Pod answers 504 at the timeout itself, and that answer says more."""
ATTEMPTS = 3
"""How often a call of an idempotent function is sent at most."""
SECOND_CHANCE = 1.0
"""Seconds that a call which would not wait for a start waits when the last Pod turned it away: time for a probe."""
BUSY_PAUSE = 0.01
"""Seconds that a Pod which said ``busy`` is left alone: other routers' calls fill it, and only it sees one end."""


class Surroundings(Protocol):
    """What the forwarder needs of the rest of the router."""

    def answer(self, call: Call, answer: reply.Reply, now: float) -> None:
        """Sends the reply, and tells events and metrics."""

    def wants_pod(self, route: Route) -> None:
        """Calls wait, or a Pod became suspect: Pods that are not callable should be probed."""

    def entered(self, route: Route) -> None:
        """``route`` has a call, and its load was not reported yet."""

    def later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Calls ``callback`` after ``seconds``."""


class Forwarder:
    """All calls of one router."""

    def __init__(
        self,
        settings: RouterSettings,
        table: RouteTable,
        around: Surroundings,
        totals: Totals,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._table = table
        self._around = around
        self._totals = totals
        self._clock = clock
        self.queue: FairQueue[Call] = FairQueue(
            Limits(
                settings.function_queue_calls, settings.function_queue_bytes, settings.queue_calls, settings.queue_bytes
            )
        )
        self.deadlines: Deadlines[Call] = Deadlines(clock())
        self.calls: dict[Call, None] = {}
        """Every call without an answer, in order of arrival."""
        self.synced = False
        self.when_empty: Callable[[], None] | None = None
        """Called when the last call was answered."""

    # --- in ---

    def accept(self, call: Call, route: Route | None) -> None:
        """Takes a new call; ``route`` is that of an existing function, or None."""
        self.calls[call] = None
        if route is None:
            self._without_route(call)
            return
        self._enter(call, route)
        if call.deadline is not None and call.deadline <= self._clock():
            self._refuse(call, errors.waited_too_long(call, self._clock()))
        elif route.callable and not self.queue.count(route.key) and (target := route.balance.choose(route.concurrency)):
            self._send(call, route, target)
        else:
            self._wait_for_pod(call, route)

    def on_synced(self) -> None:
        """The caches are complete: what waited for them is taken up again."""
        self.synced = True
        for key in self.queue.functions():
            for call in self.queue.take_all(key):
                self.deadlines.discard(call, call.slot)
                if call.route is not None:
                    self._leave(call, call.route)
                self.accept(call, self._table.by_subject.get(call.subject))

    def dispatch(self, route: Route) -> None:
        """Sends what waits to the Pods that have room."""
        while (target := route.balance.choose(route.concurrency)) is not None:
            call = self.queue.take(route.key)
            if call is None:
                return
            self.deadlines.discard(call, call.slot)
            if call.route is None:  # it came before the watch told of the function
                self._enter(call, route)
            self._send(call, route, target)

    def give_up(self, route: Route, error: FaasError) -> None:
        """Answers all that wait for ``route`` with ``error``."""
        for call in self.queue.take_all(route.key):
            self.deadlines.discard(call, call.slot)
            self._refuse(call, error)

    def tick(self) -> None:
        """Ends the calls whose time is over; those that wait first, since each end of another gives its room away."""
        now = self._clock()
        due = self.deadlines.due(now)
        for call in [call for call in due if call.target is None]:
            self.queue.remove(call.key, call)
            self._refuse(call, errors.waited_too_long(call, now))
        for call in due:
            if call.target is not None:
                self._stop(call, errors.too_slow(call.target.name))

    def abandon(self) -> None:
        """Answers every call that is still here: the router has to end."""
        for key in self.queue.functions():
            for call in self.queue.take_all(key):
                self.deadlines.discard(call, call.slot)
                self._refuse(call, errors.shutting_down())
        for call in list(self.calls):
            self.deadlines.discard(call, call.slot)
            self._stop(call, errors.outcome_unknown("the router had to end before the answer came"))

    # --- waiting ---

    def _without_route(self, call: Call) -> None:
        if self.synced:
            self._refuse(call, coldstart.not_found(parse_ref(call.subject)))
        else:
            self._enqueue(call, self._bounded(call, self._settings.sync_wait))

    def _wait_for_pod(self, call: Call, route: Route) -> None:
        if not self.synced:
            self._enqueue(call, self._bounded(call, self._settings.sync_wait))
            return
        limit = self._wait_limit(call, route)
        if isinstance(limit, FaasError):
            self._refuse(call, limit)
        else:
            self._enqueue(call, limit)
            self._around.wants_pod(route)

    def _wait_limit(self, call: Call, route: Route) -> FaasError | float:
        limit = self._bounded(call, self._settings.max_wait)
        if route.callable:
            return limit
        return coldstart.decide(route.ref, route.function, call.request.preference, call.waits_from, limit)

    def _bounded(self, call: Call, seconds: float) -> float:
        limit = call.waits_from + seconds
        return limit if call.deadline is None else min(limit, call.deadline)

    def _enqueue(self, call: Call, until: float) -> None:
        call.slot = self.deadlines.add(call, until)
        for dropped in self.queue.offer(call.key, call, len(call.body)):
            self.deadlines.discard(dropped, dropped.slot)
            self._refuse(dropped, errors.overloaded(dropped.key))

    # --- on a Pod ---

    def _send(self, call: Call, route: Route, target: Target) -> None:
        now = self._clock()
        left, limit = route.timeout, now + route.timeout + GRACE
        if call.deadline is not None and call.deadline < limit:
            left, limit = min(left, call.deadline - now), call.deadline
            if left <= 0.0:  # it was due between two ticks
                self._refuse(call, errors.waited_too_long(call, now))
                return
        route.balance.start(target)
        call.target = target
        call.slot = self.deadlines.add(call, limit)
        request = call.request
        call.sent = target.pool.send(
            b"%b%d\r\n\r\n%b" % (request.head, max(1, int(left * 1000)), call.body), call, request.without_body
        )

    def on_answer(self, call: Call, answer: Answer) -> None:
        """The Pod answered; ``busy`` and ``draining`` mean that nothing was started."""
        target, route = self._returned(call)
        if answer.status == 503 and (code := reply.error_code(answer)) in ("busy", "draining"):
            if code == "busy":
                self._pause(target)
            else:
                self._suspect(target)
            self._totals.retried += 1
            self._put_back(call, route)
        else:
            if target.busy:
                self._resume(target)
            self._finish(call, reply.from_answer(answer, target.name))
        if self.queue.count(route.key):
            self.dispatch(route)

    def on_failure(self, call: Call, failure: Failure) -> None:
        """The Pod did not answer: again if it never got the request, or if the function may run twice."""
        target, route = self._returned(call)
        if failure is Failure.NOT_SENT:
            self._suspect(target)
            self._totals.retried += 1
            self._put_back(call, route)
        elif failure is Failure.LOST and route.idempotent and call.attempts + 1 < ATTEMPTS:
            call.attempts += 1
            call.waits_from = self._clock()
            self._totals.repeated += 1
            self._suspect(target)
            self._put_back(call, route)
        elif failure is Failure.TOO_LARGE:
            self._finish(call, reply.from_error(reply.too_large(failure.value), target.name))
        else:
            self._finish(call, reply.from_error(errors.outcome_unknown(failure.value), target.name))
        self.dispatch(route)

    def _returned(self, call: Call) -> tuple[Target, Route]:
        target = call.target
        assert target is not None
        assert call.route is not None
        call.route.balance.end(target)
        self.deadlines.discard(call, call.slot)
        call.target = call.sent = None
        return target, call.route

    def _stop(self, call: Call, error: FaasError) -> None:
        assert call.sent is not None
        call.sent.abort()
        target, route = self._returned(call)
        self._finish(call, reply.from_error(error, target.name))
        self.dispatch(route)

    # --- again ---

    def _put_back(self, call: Call, route: Route) -> None:
        if route.function is None:
            self._refuse(call, coldstart.not_found(route.ref))
            return
        now, limit = self._clock(), self._wait_limit(call, route)
        if isinstance(limit, FaasError):
            limit = min(now + SECOND_CHANCE, self._bounded(call, self._settings.max_wait))
        if limit <= now:  # turned away again and again
            self._refuse(call, errors.waited_too_long(call, now))
            return
        call.slot = self.deadlines.add(call, limit)
        self.queue.put_back(call.key, call, len(call.body))
        self._around.wants_pod(route)

    def _suspect(self, target: Target) -> None:
        target.suspect, target.probed = True, False
        target.route.refresh()
        self._around.wants_pod(target.route)

    def _pause(self, target: Target) -> None:
        if not target.busy:
            target.busy = True
            target.route.balance.discard(target)
            self._around.later(BUSY_PAUSE, lambda: self._resume(target))

    def _resume(self, target: Target) -> None:
        if target.busy:
            target.busy = False
            target.route.refresh()
            self.dispatch(target.route)

    # --- out ---

    def _enter(self, call: Call, route: Route) -> None:
        call.route = route
        route.load.enter(self._clock())
        if not route.load.reported:
            self._around.entered(route)

    def _leave(self, call: Call, route: Route) -> None:
        route.load.leave(self._clock())
        call.route = None

    def _refuse(self, call: Call, error: FaasError) -> None:
        self._finish(call, reply.from_error(error))

    def _finish(self, call: Call, answer: reply.Reply) -> None:
        del self.calls[call]
        now = self._clock()
        if call.route is not None:
            call.route.load.leave(now)
        self._around.answer(call, answer, now)
        if self.when_empty is not None and not self.calls:
            self.when_empty()
