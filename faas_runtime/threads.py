"""Where `def` handlers run: short ones on the thread that runs the loop, all others on threads of their own.

One thread of the pool, the leader, runs the event loop. Handing a call to another thread and its answer back costs two
wake-ups, more than a short handler itself; so once a function has shown that its calls are short, the leader leaves the
loop after each turn and runs the calls that it has read. The process's main thread watches over it: a handler that
does not return soon keeps its thread, and another thread leads on. (`docs/decisions/runtime-threads.md`)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic

from faas_runtime.alarm import Alarm
from faas_runtime.call import Call
from faas_runtime.limits import PATIENCE, SHORT_CALL, SHORT_CALLS, TURN

Finish = Callable[[Call, bytes], None]


class ThreadRunner:
    """Runs `def` handlers, none of which can hold up the loop for more than `PATIENCE`.

    Whether the leader runs them is decided by how long the last calls took. Otherwise the calls of one turn of the loop
    are put on a queue together, so that the first thread that wakes takes them without giving up the GIL in between;
    answers are collected the same way, with one wake-up of the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, run: Callable[[Call], bytes], finish: Finish) -> None:
        self._loop = loop
        self._run = run
        self._finish = finish
        self._threads = 0
        self._outstanding = 0
        self._arrived: deque[Call] = deque()
        self._queue: SimpleQueue[Call | None] = SimpleQueue()  # None: lead
        self._done: deque[tuple[Call, bytes, float]] = deque()  # with the seconds that the handler took
        self._told = False  # the loop has been woken and has not looked yet
        self._leader_runs = False
        self._short_calls = 0
        # The loop, while its leader runs handlers: who pops it has it. (list.pop is atomic.)
        self._loop_at_rest: list[asyncio.AbstractEventLoop] = []
        self._at_rest_since = 0.0
        self._alarm = Alarm(PATIENCE)
        self._over = False
        self._failure: BaseException | None = None

    def start(self, call: Call) -> None:
        """Take a call up at the end of this turn of the loop."""
        self._outstanding += 1
        if not self._arrived:
            if self._leader_runs:
                self._loop.stop()
            else:
                self._loop.call_soon(self._hand_over)
        self._arrived.append(call)

    def run_until(self, serving: asyncio.Future[None]) -> None:
        """Let the loop run, on threads of the pool, until ``serving`` is done; the calling thread watches."""
        serving.add_done_callback(self._end)
        # A fork inside a handler must not take the loop along: its descriptors are the parent's too.
        os.register_at_fork(after_in_child=self._loop_at_rest.clear)
        self._lead_on()
        while not self._over:
            self._alarm.wait()
            if monotonic() - self._at_rest_since >= PATIENCE:  # else it went off for an earlier turn
                self._seize()
        if self._failure is not None:
            raise self._failure

    def _end(self, serving: asyncio.Future[None]) -> None:
        self._over = True
        self._loop.stop()

    # --- the pool ---

    def _work(self) -> None:
        take, run = self._queue.get, self._run
        while True:
            call = take()
            if call is None:
                self._lead()
            else:
                begun = monotonic()
                answer = run(call)
                self._done.append((call, answer, monotonic() - begun))
                self._tell()

    def _hand_over(self) -> None:
        with contextlib.suppress(IndexError):  # none is left; a leader that has just lost the loop may take one, too
            while True:
                self._queue.put(self._arrived.popleft())
        self._start_threads()

    def _start_threads(self) -> None:
        while self._threads <= self._outstanding:  # all calls may block, and one thread must lead
            self._threads += 1
            threading.Thread(target=self._work, name=f"faas-{self._threads}", daemon=True).start()

    def _tell(self) -> None:
        # The loop clears the flag before it looks, so what was appended before this check is never missed.
        if not self._told:
            self._told = True
            self._loop.call_soon_threadsafe(self._collect)

    def _collect(self) -> None:
        """Send the answers, and learn from their calls where to run the next ones."""
        self._told = False
        done, finish = self._done, self._finish
        while done:
            call, answer, seconds = done.popleft()
            self._outstanding -= 1
            if seconds > SHORT_CALL:
                self._run_on_threads()
            else:
                self._short_calls += 1
                self._leader_runs = self._short_calls >= SHORT_CALLS
            finish(call, answer)

    def _run_on_threads(self) -> None:
        self._leader_runs = False
        self._short_calls = 0

    # --- the leader ---

    def _lead_on(self) -> None:
        self._queue.put(None)
        self._start_threads()

    def _lead(self) -> None:
        """Run the loop until the end, or until another thread has it."""
        try:
            while not self._over:
                self._loop.run_forever()
                if self._arrived and not self._over:
                    if not self._leader_runs:
                        self._hand_over()
                    elif not self._run_arrived():
                        return
        except BaseException as error:  # the process cannot go on without its loop
            self._failure = error
            self._over = True
        self._alarm.ring()

    def _run_arrived(self) -> bool:
        """Run handlers for up to a turn; False when one took so long that another thread leads now."""
        arrived, done, run = self._arrived, self._done, self._run
        begun = self._at_rest_since = monotonic()
        end = begun + TURN
        self._loop_at_rest.append(self._loop)
        self._alarm.set()  # not before: who hears it must find the loop
        while self._loop_at_rest and begun < end:
            try:
                call = arrived.popleft()
            except IndexError:  # none is left, or the one who took the loop has handed them over
                break
            answer = run(call)
            now = monotonic()
            done.append((call, answer, now - begun))
            begun = now
        try:
            self._loop_at_rest.pop()
        except IndexError:
            self._tell()
            return False
        self._alarm.silence()
        self._loop.call_soon(self._collect)
        if arrived:
            self._loop.stop()
        return True

    def _seize(self) -> None:
        """Take the loop from a leader whose handler does not return, and give it to another thread."""
        try:
            self._loop_at_rest.pop()
        except IndexError:
            return
        self._run_on_threads()
        self._lead_on()
        self._hand_over()
        self._tell()
