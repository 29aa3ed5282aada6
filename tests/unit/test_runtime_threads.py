"""Which thread runs a `def` handler, and who runs the loop meanwhile: the real loop, threads and timer."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import cast

import pytest
import uvloop

from faas_runtime.alarm import Alarm
from faas_runtime.call import Call, Connection
from faas_runtime.limits import SHORT_CALL, SHORT_CALLS
from faas_runtime.threads import ThreadRunner
from tests.support.patience import PATIENCE

SIZE = 4


class Probe:
    """A runner whose calls are functions to run; `ask` is what a connection does when it has read requests."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self.ended = self.loop.create_future()
        self.runner = ThreadRunner(self.loop, self._run, self._finish)
        self._bodies: dict[Call, Callable[[], object]] = {}
        self._results: dict[Call, tuple[object, int, int]] = {}
        self._finished = threading.Condition()

    def _run(self, call: Call) -> bytes:
        self._results[call] = (self._bodies[call](), threading.get_ident(), 0)
        return b""

    def _finish(self, call: Call, answer: bytes) -> None:
        with self._finished:
            value, ran, _ = self._results[call]
            self._results[call] = (value, ran, threading.get_ident())
            del self._bodies[call]
            self._finished.notify_all()

    def ask(self, *bodies: Callable[[], object]) -> list[Call]:
        """Let these calls arrive in one turn of the loop."""
        calls = [Call(cast(Connection, None), b"POST", b"/", [], b"", True) for _ in bodies]
        self._bodies.update(zip(calls, bodies, strict=True))
        self.loop.call_soon_threadsafe(self._start, calls)
        return calls

    def _start(self, calls: list[Call]) -> None:
        for call in calls:
            self.runner.start(call)

    def answers(self, calls: list[Call]) -> list[object]:
        """The results of calls, once they are sent."""
        with self._finished:
            assert self._finished.wait_for(lambda: not self._bodies.keys() & set(calls), PATIENCE)
        return [self._results[call][0] for call in calls]

    def leader_ran(self, body: Callable[[], object] = int) -> bool:
        """Whether one more call runs on the thread that then sends its answer."""
        calls = self.ask(body)
        self.answers(calls)
        _, ran, sent = self._results[calls[0]]
        return ran == sent

    def warm(self) -> None:
        """Short calls, until the leader runs them."""
        end = time.monotonic() + PATIENCE
        while not self.leader_ran():
            assert time.monotonic() < end


@contextlib.contextmanager
def running() -> Iterator[Probe]:
    probe = Probe()
    main = threading.Thread(target=probe.runner.run_until, args=(probe.ended,))
    main.start()
    try:
        yield probe
    finally:
        probe.loop.call_soon_threadsafe(probe.ended.set_result, None)
        main.join(PATIENCE)
        assert not main.is_alive()


def test_a_new_function_runs_on_threads_until_enough_of_its_calls_were_short() -> None:
    with running() as probe:
        for _ in range(SHORT_CALLS // 2):
            assert not probe.leader_ran()
        probe.warm()


def test_a_longer_call_sends_the_next_ones_back_to_threads() -> None:
    with running() as probe:
        probe.warm()
        probe.leader_ran(lambda: time.sleep(5 * SHORT_CALL))
        assert not probe.leader_ran()
        probe.warm()


def test_a_function_whose_calls_take_longer_never_runs_on_the_leader() -> None:
    with running() as probe:
        for _ in range(2 * SHORT_CALLS):
            assert not probe.leader_ran(lambda: time.sleep(2 * SHORT_CALL))


def test_the_loop_goes_on_while_a_handler_holds_the_thread_that_ran_it() -> None:
    with running() as probe:
        probe.warm()
        held = threading.Event()
        blocked = probe.ask(lambda: held.wait(PATIENCE))
        # the only one who frees it is a later call: it must be read, run and answered meanwhile
        assert probe.answers(probe.ask(threading.get_ident)) != []
        probe.answers(probe.ask(held.set))
        assert probe.answers(blocked) == [True]


def test_handlers_that_block_together_run_side_by_side() -> None:
    with running() as probe:
        for _ in range(3):
            probe.warm()
            meeting = threading.Barrier(SIZE)
            assert sorted(cast(list[int], probe.answers(probe.ask(*[meeting.wait] * SIZE)))) == list(range(SIZE))


def test_answers_of_a_turn_do_not_wait_for_a_later_handler_of_it() -> None:
    with running() as probe:
        probe.warm()
        held = threading.Event()
        first, blocked, last = probe.ask(lambda: 1, lambda: held.wait(PATIENCE), lambda: 3)
        assert probe.answers([first, last]) == [1, 3]
        held.set()
        assert probe.answers([blocked]) == [True]


def test_short_calls_of_a_turn_do_not_keep_the_loop_from_its_input() -> None:
    order: list[str] = []
    with running() as probe:
        probe.warm()

        def work() -> None:
            end = time.monotonic() + SHORT_CALL * 0.3
            while time.monotonic() < end:
                pass
            order.append("call")

        probe.answers(probe.ask(lambda: probe.loop.call_soon_threadsafe(order.append, "loop"), *[work] * 200))
    assert order.index("loop") < 150


def test_threads_do_not_outnumber_the_calls_that_may_run_and_the_leader() -> None:
    with running() as probe:
        before = threading.active_count()
        for _ in range(5):
            probe.warm()
            meeting = threading.Barrier(SIZE)
            probe.answers(probe.ask(*[meeting.wait] * SIZE))
        assert threading.active_count() - before <= SIZE


def test_no_loop_runs_around_a_handler() -> None:
    async def pause() -> str:
        await asyncio.sleep(0)
        return "own loop"

    with running() as probe:
        assert probe.answers(probe.ask(lambda: asyncio.run(pause()))) == ["own loop"]
        probe.warm()
        assert probe.answers(probe.ask(lambda: asyncio.run(pause()))) == ["own loop"]


def test_a_loop_that_fails_ends_the_watch_with_its_error() -> None:
    def stop() -> None:
        raise SystemExit("the loop")

    probe = Probe()
    probe.loop.call_later(0.01, stop)
    with pytest.raises(SystemExit, match="the loop"):
        probe.runner.run_until(probe.ended)


def test_an_alarm_goes_off_when_set_and_not_when_silenced() -> None:
    alarm = Alarm(0.05)
    rung: list[float] = []

    def hear() -> None:
        alarm.wait()
        rung.append(time.monotonic())

    listener = threading.Thread(target=hear)
    listener.start()
    begun = time.monotonic()
    alarm.set()
    alarm.silence()
    alarm.set()
    listener.join(PATIENCE)
    assert rung[0] - begun >= 0.05
    alarm.ring()
    alarm.silence()
    alarm.set()
    again = time.monotonic()
    alarm.wait()
    assert time.monotonic() - again >= 0.05
    alarm.ring()
    alarm.wait()
