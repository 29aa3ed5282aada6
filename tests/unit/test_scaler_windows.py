"""Sums over windows, reports of routers, and the time of unbroken observation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.messages import REPORT_TTL, Load, LoadReport
from services.scaler.windows import Held, Observation, Reports, Series


@given(st.lists(st.tuples(st.floats(0.1, 30), st.floats(0, 50))), st.integers(1, 120))
def test_a_window_sums_what_happened_in_it(amounts: list[tuple[float, float]], window: int) -> None:
    series, now, kept = Series(), 5000.0, []
    for pause, amount in amounts:
        now += pause
        series.add(now, amount)
        kept.append((now, amount))
    least = sum(amount for at, amount in kept if at - 1 >= now - window)
    most = sum(amount for at, amount in kept if at > now - window)
    assert least - 1e-6 <= series.total(now, window) <= most + 1e-6


@pytest.mark.parametrize("every", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("phase", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("window", [1, 2, 6, 60])
def test_steady_load_averages_to_itself_at_any_phase(phase: float, window: int, every: float) -> None:
    series, now = Series(), 1000.0
    while now < 1100:
        now += every
        series.add(now, 40.0 * every, every)
    assert series.total(now + phase * every, window) / window == pytest.approx(40.0)


def test_a_series_forgets_what_no_window_reaches() -> None:
    series = Series()
    for second in range(10_000):
        series.add(float(second), 1.0)
    assert series.total(9_999.0, 3600) == 3600
    assert len(series._slots) <= Series.KEEP + 1


def report(router: str, *loads: Load) -> LoadReport:
    return LoadReport(router, 0, list(loads))


def test_reports_add_up_over_routers_and_expire() -> None:
    reports = Reports()
    reports.take(report("a", Load("default/add", 3, 1, 3.5)), 10.0)
    reports.take(report("b", Load("default/add", 2, 0, 2.0), Load("default/sub", 1, 0, 1.0)), 11.0)
    assert reports.held("default/add", 11.0) == Held(5, 1)
    assert reports.held("default/add", 10.5 + REPORT_TTL) == Held(2, 0)
    reports.take(report("b"), 12.0)
    assert reports.held("default/add", 12.0) == Held(3, 1)
    assert reports.held("default/sub", 12.0) == Held(0, 0)
    reports.expire(30.0)
    assert reports.held("default/add", 10.0) == Held(0, 0)


def test_a_report_speaks_for_the_time_since_the_last() -> None:
    reports, load = Reports(), Load("f/g", 4, 0, 4.0)
    assert reports.take(report("a", load), 100.0) == (1.0, {"f/g": 4.0})
    assert reports.take(report("a", load), 100.25) == (0.25, {"f/g": 1.0})
    assert reports.take(report("a", load), 200.0) == (REPORT_TTL, {"f/g": 4.0 * REPORT_TTL}), "silence says nothing"


@pytest.mark.parametrize("connection", [None, 2], ids=["away", "another"])
def test_observation_begins_anew_after_a_gap(connection: int | None) -> None:
    observation = Observation()
    assert observation.lasted(50.0) == 0
    for now in (100.0, 101.0, 102.0):
        observation.tick(now, 1)
    assert observation.lasted(102.0) == 2.0
    observation.tick(103.0, connection)
    assert observation.lasted(103.0) == 0
    observation.tick(104.0, 2)
    observation.tick(105.0, 2)
    assert observation.lasted(105.0) == (1.0 if connection is None else 2.0)
    assert observation.span(105.0) == 5.0


def test_observation_begins_anew_when_the_process_was_stopped() -> None:
    observation = Observation()
    observation.tick(100.0, 1)
    observation.tick(100.0 + Observation.LONGEST_GAP + 0.1, 1)
    assert observation.lasted(104.0) < 1.0
