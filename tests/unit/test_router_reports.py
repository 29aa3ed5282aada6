"""Load reports, signs of life, events, metrics and descriptions."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from services.contracts import events as contract
from services.contracts import subjects
from services.contracts.messages import Description, Load, LoadReport
from services.contracts.names import FunctionRef
from services.router import describe
from services.router.events import EventNames, Events
from services.router.load import Gauge, LoadReporter
from services.router.metrics import RouterCollector, Totals
from services.router.progress import MAX_IDS, progress_messages
from services.router.table import Route
from tests.support.router import function, not_ready

ADD = FunctionRef("default", "add")


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 1.0)), max_size=40), st.floats(0.01, 5.0))
def test_averages_are_weighted_by_time(steps: list[tuple[bool, float]], rest: float) -> None:
    gauge, now, area = Gauge(), 100.0, 0.0
    gauge.take_average(99.0, now)
    for more, pause in steps:
        if more:
            gauge.enter(now)
        elif gauge.held:
            gauge.leave(now)
        area += gauge.held * pause
        now += pause
    area += gauge.held * rest
    now += rest
    assert gauge.take_average(100.0, now) == pytest.approx(area / (now - 100.0))
    assert gauge.take_average(now, now + 1.0) == pytest.approx(gauge.held)


def test_reports_name_what_had_load_since_the_last_one() -> None:
    now = 10.0
    busy, past, idle = (Route(FunctionRef("default", name)) for name in ("busy", "past", "idle"))
    sent: list[LoadReport] = []
    queued = {"default/busy": 1}
    reporter = LoadReporter("r1", lambda: [busy, past, idle], lambda key: queued.get(key, 0), sent.append, lambda: now)
    for _ in range(3):
        busy.load.enter(10.0)
    past.load.enter(10.0)
    past.load.leave(10.5)
    first = reporter.report(11.0)
    assert first == LoadReport(
        "r1", 1, [Load("default/busy", in_flight=2, queued=1, average=3.0), Load("default/past", 0, 0, 0.5)]
    )
    assert [route.load.reported for route in (busy, past, idle)] == [True, True, False]
    second = reporter.report(12.0)
    assert (second.sequence, [load.function for load in second.functions]) == (2, ["default/busy"])
    assert not past.load.reported
    reporter.report_last()
    assert sent == [LoadReport("r1", 3, [])]


class Held:
    """A call as ``progress_messages`` sees it."""

    def __init__(self, id: str, progress: str, arrived: float) -> None:
        self.id, self.progress, self.arrived = id, progress, arrived


def test_gateways_hear_of_their_calls_older_than_a_second() -> None:
    one, two = subjects.progress("gw-1"), subjects.progress("gw-2")
    calls = [
        Held("a", one, 1.0), Held("b", two, 1.5), Held("c", "", 1.6), Held("d", "faas.sys.load", 1.7),
        Held("e", "faas.sys.progress.a.b", 1.8), Held("f", one, 2.0), Held("g", one, 2.1),
    ]  # fmt: skip
    messages = dict(progress_messages("r1", calls, 3.0))
    assert {subject: message.ids for subject, message in messages.items()} == {one: ["a", "f"], two: ["b"]}
    assert messages[one].router == "r1"


def test_very_many_calls_make_several_messages() -> None:
    subject = subjects.progress("gw")
    messages = progress_messages("r1", [Held(str(n), subject, 0.0) for n in range(MAX_IDS + 1)], 5.0)
    assert [len(message.ids) for _, message in messages] == [MAX_IDS, 1]


@pytest.mark.parametrize("now", [1700000000.0, 1700000000.25, 1700000001.999999])
def test_events_are_those_of_the_contract(now: float) -> None:
    sent: list[tuple[str, bytes]] = []
    events = Events(lambda subject, payload: sent.append((subject, payload)), lambda: now)
    names = EventNames(ADD)
    events.received(names, "i1")
    events.ended(names, "i2", 200, 1.5, "pod-1", "")
    events.ended(names, "i3", 503, 0.25, "", "overloaded")
    expected = [
        contract.function_event(ADD, contract.RECEIVED, "i1", contract.Received("i1", "nats"), now),
        contract.function_event(ADD, contract.COMPLETED, "i2", contract.Ended("i2", 200, 1.5, "pod-1"), now),
        contract.function_event(ADD, contract.FAILED, "i3", contract.Ended("i3", 503, 0.25, "", "overloaded"), now),
    ]
    assert [subject for subject, _ in sent] == [subject for subject, _ in expected]
    for (_, payload), (_, wanted) in zip(sent, expected, strict=True):
        got, want = msgspec.json.decode(payload), msgspec.json.decode(wanted)
        got_time, want_time = got.pop("time"), want.pop("time")
        assert got == want
        assert got_time[:19] == want_time[:19]
        assert got_time.endswith("Z")


def test_metrics_are_collected_from_plain_numbers() -> None:
    route, totals = Route(ADD), Totals()
    route.counts.ended("", 0.002)
    route.counts.ended("", 0.0001)
    route.counts.ended("overloaded", 70.0)
    route.load.enter(0.0)
    totals.lost_replies = 4
    registry = CollectorRegistry()
    registry.register(RouterCollector(lambda: [route], lambda key: 1, totals))
    text = generate_latest(registry).decode()
    labels = 'function="add",namespace="default"'
    for line in (
        f'faas_router_calls_total{{code="",{labels}}} 2.0',
        f'faas_router_calls_total{{code="overloaded",{labels}}} 1.0',
        'faas_router_call_seconds_bucket{function="add",le="0.0025",namespace="default"} 2.0',
        f"faas_router_call_seconds_count{{{labels}}} 3.0",
        f"faas_router_calls_held{{{labels}}} 1.0",
        f"faas_router_calls_queued{{{labels}}} 1.0",
        "faas_router_lost_replies_total 4.0",
    ):
        assert line in text


def test_descriptions_say_what_the_watch_said() -> None:
    one = function(ready=not_ready("CrashLoopBackOff"))
    one.status.replicas, one.status.ready_replicas = 3, 1
    reply = describe.describe(ADD, one, synced=True)
    assert reply.status == 200
    assert msgspec.json.decode(reply.body, type=Description) == Description(
        "add", "default", 3, 1, "r1", one.status.conditions
    )
    assert describe.describe(ADD, None, synced=True).code == "function_not_found"
    assert describe.describe(ADD, None, synced=False).code == "api_unavailable"
