"""Whole lives of calls on virtual time: any arrivals, any faults of simulated Pods, any changes of the table."""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.contracts.names import FunctionRef
from services.router import request
from services.router.call import Call
from services.router.config import RouterSettings
from services.router.connection import Answer, Failure, Receiver
from services.router.forward import GRACE, Forwarder
from services.router.metrics import Totals
from services.router.reply import Reply
from services.router.table import Pod, Route, RouteTable
from tests.support.router import function, pod

ADD = FunctionRef("default", "add")
CONCURRENCY = 2
OK = Answer(200, [], b"")
BUSY = Answer(503, [(b"Faas-Error", b"busy")], b"")
DRAINING = Answer(503, [(b"Faas-Error", b"draining")], b"")
NEVER_STARTED = {
    "overloaded", "function_starting", "function_unavailable", "function_not_found", "draining", "api_unavailable",
}  # fmt: skip
MODES = ["ok", "ok", "ok", "slow", "busy", "draining", "refused", "lost before", "lost after", "too large", "silent"]


class Sent:
    """A request under way at a simulated Pod."""

    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class World:
    """Virtual time, simulated Pods, and everything that the forwarder needs around it."""

    def __init__(self, modes: list[str], idempotent: bool, wait: bool, max_wait: float = 5.0) -> None:
        self.now = 100.0
        self.agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.numbers = itertools.count()
        self.modes = itertools.cycle(modes or ["ok"])
        self.runs: Counter[str] = Counter()
        self.replies: dict[str, tuple[Reply, float]] = {}
        self.deadlines: dict[str, float] = {}
        self.table = RouteTable(lambda host, port: self)  # type: ignore[arg-type, return-value]
        limits = RouterSettings(function_queue_calls=8, queue_calls=8, max_wait=max_wait)
        self.forwarder = Forwarder(limits, self.table, self, Totals(), lambda: self.now)
        self.forwarder.on_synced()
        self.function = function(
            concurrency=CONCURRENCY, timeout="2s", idempotent=idempotent, coldStart="Wait" if wait else "Return"
        )
        self.table.put_function(self.function)

    # --- the Pods' side: podclient.PodPool ---

    def send(self, data: bytes, receiver: Receiver, without_body: bool = False) -> Sent:
        sent, mode = Sent(), next(self.modes)
        identity = data.partition(b"Faas-Id: ")[2].partition(b"\r\n")[0].decode()
        answers: dict[str, tuple[float, Answer | Failure]] = {
            "ok": (0.01, OK), "slow": (1.0, OK), "busy": (0.001, BUSY), "draining": (0.001, DRAINING),
            "refused": (0.001, Failure.NOT_SENT), "too large": (0.01, Failure.TOO_LARGE),
            "lost before": (0.01, Failure.LOST), "lost after": (0.01, Failure.LOST),
        }  # fmt: skip
        if mode in ("ok", "slow", "lost after", "too large", "silent"):
            self.runs[identity] += 1
        if mode != "silent":
            delay, what = answers[mode]

            def arrive() -> None:
                if sent.aborted:
                    return
                receiver.answered(what) if isinstance(what, Answer) else receiver.failed(what)

            self.later(delay, arrive)
        return sent

    def close(self) -> None:
        """Part of podclient.PodPool."""

    # --- forward.Surroundings ---

    def answer(self, call: Call, answer: Reply, now: float) -> None:
        assert call.id not in self.replies, "one reply a call"
        self.replies[call.id] = (answer, now)

    def wants_pod(self, route: Route) -> None:
        for target in route.targets.values():
            if target.suspect:
                self.later(0.05, lambda target=target: self.healthy(target))

    def healthy(self, target: Any) -> None:
        if not target.gone:
            target.probed, target.suspect = True, False
            target.route.refresh()
            self.forwarder.dispatch(target.route)

    def entered(self, route: Route) -> None:
        """Nobody wants reports here."""

    def later(self, seconds: float, callback: Callable[[], None]) -> None:
        heapq.heappush(self.agenda, (self.now + seconds, next(self.numbers), callback))

    # --- steps ---

    def arrive(self, timeout: float | None, preference: str) -> None:
        """A call comes."""
        identity = f"c{len(self.deadlines)}"
        fields = {"Faas-Id": identity}
        if timeout is not None:
            fields["Faas-Timeout-Ms"] = str(int(timeout * 1000))
        if preference:
            fields["Faas-Cold-Start"] = preference
        asked = request.read(fields, b"", "add.default", identity)
        # waits and runs are bounded for themselves, so a call that may be sent three times has each bound three times
        rounds = 3 if self.function.spec.idempotent else 1
        self.deadlines[identity] = self.now + (timeout if timeout is not None else 5.0 + rounds * (5.0 + 2.0 + GRACE))
        call = Call(self.forwarder, "faas.invoke.default.add", "default/add", "_INBOX.x", asked, b"", self.now)
        self.forwarder.accept(call, self.table.by_subject.get("faas.invoke.default.add"))

    def change(self, one: Pod) -> None:
        """The watch tells of a Pod."""
        for route in self.table.put_pod(one).routes:
            self.forwarder.dispatch(route)

    def pass_time(self, seconds: float) -> None:
        """Lets time pass, ticking as the router does."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 0.02)
            while self.agenda and self.agenda[0][0] <= self.now:
                heapq.heappop(self.agenda)[2]()
                self.check()
            self.forwarder.tick()
            self.check()

    def check(self) -> None:
        """What holds at every moment."""
        for route in self.table.routes.values():
            assert all(0 <= target.in_flight <= CONCURRENCY for target in route.targets.values())
            on_pods = sum(call.target is not None for call in self.forwarder.calls)
            assert route.load.held == len(self.forwarder.calls) == on_pods + self.forwarder.queue.count(route.key)
        assert len(self.replies) + len(self.forwarder.calls) == len(self.deadlines)


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("call"),
            st.one_of(st.none(), st.floats(0.0, 3.0)),
            st.sampled_from(["", "return", "wait", "wait=1"]),
        ),
        st.tuples(st.just("pod"), st.integers(0, 2), st.sampled_from(["ready", "ready", "not ready", "deleted"])),
        st.tuples(st.just("time"), st.floats(0.0, 1.5), st.none()),
    ),
    max_size=40,
)


@example([("pod", 0, "ready"), ("call", None, "")], ["busy"], False, False)
@example([("pod", 0, "ready"), ("call", None, "wait")], ["draining"], True, True)
@example([("pod", 0, "ready"), ("call", None, "")], ["lost after"], True, True)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.lists(st.sampled_from(MODES), max_size=12), st.booleans(), st.booleans())
def test_every_call_is_answered_once_in_time_and_runs_no_more_often_than_it_may(
    steps: list[tuple[str, Any, Any]], modes: list[str], idempotent: bool, wait: bool
) -> None:
    world = World(modes, idempotent, wait)
    for step, first, second in steps:
        if step == "call":
            world.arrive(first, second)
        elif step == "pod":
            name, ready = f"add-{first}", second == "ready"
            world.change(pod(("10.0.0.1", 1), name, f"uid-{name}", ready=ready, deleted=second == "deleted"))
        else:
            world.pass_time(first)
        world.check()
    world.pass_time(40.0)
    assert not world.forwarder.calls
    assert world.forwarder.queue.calls == len(world.forwarder.deadlines) == 0
    for identity, deadline in world.deadlines.items():
        reply, when = world.replies[identity]
        assert when <= deadline + 0.05
        assert world.runs[identity] <= (3 if idempotent else 1)
        if reply.status == 200:
            assert world.runs[identity] >= 1
        if reply.code in NEVER_STARTED:
            assert world.runs[identity] == 0, reply.code


def test_calls_of_one_function_start_in_the_order_of_their_arrival() -> None:
    world = World(["slow"], idempotent=False, wait=True)
    started: list[str] = []
    send = world.send

    def note(data: bytes, receiver: Receiver, without_body: bool = False) -> Sent:
        started.append(receiver.id)  # type: ignore[attr-defined]
        return send(data, receiver, without_body)

    world.send = note  # type: ignore[method-assign]
    for _ in range(6):
        world.arrive(None, "")
    world.change(pod(("10.0.0.1", 1)))
    world.pass_time(10.0)
    assert started == [f"c{number}" for number in range(6)]
    assert {reply.status for reply, _ in world.replies.values()} == {200}


def test_abandon_answers_everything() -> None:
    world = World(["silent"], idempotent=True, wait=True)
    world.change(pod(("10.0.0.1", 1)))
    for _ in range(CONCURRENCY + 3):
        world.arrive(None, "")
    empty: list[bool] = []
    world.forwarder.when_empty = lambda: empty.append(True)
    world.forwarder.abandon()
    codes = Counter(reply.code for reply, _ in world.replies.values())
    assert codes == {"outcome_unknown": CONCURRENCY, "draining": 3}
    assert empty == [True]


@pytest.mark.parametrize("wait", [5.0, 5.01, 5.02])
def test_a_call_whose_wait_ends_when_a_pod_gets_room_is_not_started(wait: float) -> None:
    world = World(["silent"], idempotent=False, wait=True, max_wait=30.0)
    world.change(pod(("10.0.0.1", 1)))
    for _ in range(2 * CONCURRENCY):  # each has the Pod for its timeout and the grace, 2.5 s
        world.arrive(None, "")
    last = [f"c{len(world.deadlines) + number}" for number in range(CONCURRENCY)]
    for _ in last:  # some of these waits end in the same tick as the second calls do
        world.arrive(wait, "")
    world.pass_time(wait + 0.1)
    for identity in last:
        reply, when = world.replies[identity]
        assert reply.code == "deadline_exceeded"
        assert when <= 100.0 + wait + 0.05
        assert not world.runs[identity]
