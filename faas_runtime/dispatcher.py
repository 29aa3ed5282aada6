"""Which call runs, is refused, or has run out of time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from faas_runtime.call import Call
from faas_runtime.errors import CallError
from faas_runtime.heartbeat import Heartbeat
from faas_runtime.limits import CANCEL_GRACE
from faas_runtime.response import BUSY, DRAINING, HEALTHY, error_answer

_NEVER = float("inf")
_MILLISECONDS = re.compile(rb"[0-9]{1,10}")


class Runner(Protocol):
    """Runs calls; tells the end of each with `Dispatcher.finish`."""

    def start(self, call: Call) -> None:
        """Start a call that was let in."""

    def run_until(self, serving: asyncio.Future[None]) -> None:
        """Run the loop until ``serving`` is done."""


class Dispatcher:
    """Admits at most ``concurrency`` calls at a time and answers each by its deadline.

    ``on_stuck`` is told when a handler goes on after its caller has had the timeout and cannot be stopped: the process
    must then be replaced. ``idle`` is set while no call runs that a caller still waits for.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        concurrency: int,
        timeout: float,
        any_path: bool,
        heartbeat: Heartbeat,
        on_stuck: Callable[[], None],
    ) -> None:
        self.runner: Runner
        self.draining = False
        self.idle = asyncio.Event()
        self.idle.set()
        self._loop = loop
        self._concurrency = concurrency
        self._timeout = timeout
        self._any_path = any_path
        self._heartbeat = heartbeat
        self._on_stuck = on_stuck
        self._running: set[Call] = set()
        self._next_check = _NEVER
        self._timer: asyncio.TimerHandle | None = None

    def receive(self, call: Call) -> None:
        """Take a complete request: answer it at once, or start it."""
        if self.draining:
            call.keep_alive = False
            call.connection.respond(call, DRAINING)
        elif call.target == b"/healthz" and call.header(b"faas-proxy") is None:
            call.connection.respond(call, HEALTHY)
        elif len(self._running) >= self._concurrency:
            call.connection.respond(call, BUSY)
        else:
            try:
                self._admit(call)
            except CallError as error:
                call.connection.respond(call, error_answer(error.status, error.code, error.message))

    def reply(self, call: Call, answer: bytes) -> None:
        """The caller's answer is there; only the first one counts."""
        if not call.answered:
            call.answered = True
            if self.draining:
                call.keep_alive = False  # the client must not bring its next call here
            call.connection.respond(call, answer)

    def finish(self, call: Call, answer: bytes) -> None:
        """A handler has ended."""
        running = self._running
        running.discard(call)
        self.reply(call, answer)
        if not running:
            self.idle.set()

    def beat(self) -> None:
        """The loop is alive: say so to the parent, with the last deadline that it must allow for."""
        self._heartbeat.beat(monotonic(), max((call.deadline for call in self._running), default=0.0))

    def _admit(self, call: Call) -> None:
        if not self._any_path:
            self._check_route(call)
        call.started = now = monotonic()
        call.deadline = deadline = now + self._limit(call)
        if not self._running:
            self.idle.clear()
        self._running.add(call)
        self._heartbeat.extend(deadline)
        if deadline < self._next_check:
            self._check_at(deadline, now)
        self.runner.start(call)

    def _check_route(self, call: Call) -> None:
        if call.method == b"POST" and call.target == b"/":
            return
        if call.header(b"faas-proxy") is not None:
            return
        if call.target.partition(b"?")[0] != b"/":
            raise CallError(
                404, "bad_request", "the function is called at /; other paths come through the proxy address"
            )
        if call.method != b"POST":
            raise CallError(405, "bad_request", "the function is called with POST")

    def _limit(self, call: Call) -> float:
        for name, value in call.headers:
            if name == b"faas-timeout-ms":
                if not _MILLISECONDS.fullmatch(value):
                    raise CallError(400, "bad_request", "Faas-Timeout-Ms must be a whole number of milliseconds")
                if not (left := int(value)):
                    raise CallError(504, "handler_timeout", "no time was left for the call; nothing was started")
                return min(self._timeout, left / 1000)
        return self._timeout

    def _check_at(self, when: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next_check = when
        # Timers have a resolution of 1 ms; a moment early would only mean another round.
        self._timer = self._loop.call_later(max(0.0, when - now) + 0.001, self._check_deadlines)

    def _check_deadlines(self) -> None:
        """One timer for all calls: it fires at the earliest deadline known when it was set, so rarely at all."""
        now = monotonic()
        self._timer, self._next_check = None, _NEVER
        for call in [call for call in self._running if call.deadline <= now]:
            self._time_out(call, now)
        if self._running:
            self._check_at(min(call.deadline for call in self._running), now)
        else:
            self.idle.set()

    def _time_out(self, call: Call, now: float) -> None:
        if call.cancel is None or call.expired:  # a thread, or a task that has ignored its cancellation
            self._running.discard(call)
            self._on_stuck()
        else:
            call.expired = True
            call.cancel()
        milliseconds = round((call.deadline - call.started) * 1000)
        message = f"the handler did not finish within {milliseconds} ms"
        self.reply(call, error_answer(504, "handler_timeout", message))
        call.deadline = now + CANCEL_GRACE
