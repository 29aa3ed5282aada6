"""Scaling on virtual time: steps, bursts, idleness, flapping, restarts; and what must hold under any load."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.contracts.resources import FunctionSpec, Scale
from services.scaler.decide import NO_PANIC, Load, Rules, Running, decide, rules_of
from tests.support.scaling import RULES, Simulation


def test_rules_are_read_from_the_spec() -> None:
    spec = FunctionSpec(concurrency=4, scale=Scale(min=1, max=3, target=50, window="2m", scale_to_zero_after="500ms"))
    assert rules_of(spec) == Rules(1, 3, 4, 2.0, 120.0, 6.0, 0.5)


def test_steady_load_settles_at_what_it_needs() -> None:
    simulation = Simulation()
    simulation.run(120, 0.5)
    replicas = simulation.run(200, 35)
    assert replicas[-1] == 5  # 35 calls at 7 a Pod
    assert max(replicas) == 5


def test_a_step_of_load_is_met_within_the_panic_window() -> None:
    simulation = Simulation()
    simulation.run(120, 1)
    replicas = simulation.run(8, 60)
    assert replicas[6] == 9
    assert replicas == sorted(replicas), "in panic it only goes up"


def test_a_burst_does_not_take_pods_away_for_a_window() -> None:
    simulation = Simulation()
    simulation.run(120, 1)
    peak = max(simulation.run(10, 60))
    after = simulation.run(50, 1)
    assert set(after) == {peak}
    assert simulation.run(120, 1)[-1] == 1


def test_idleness_leads_to_zero_after_its_time_and_not_before() -> None:
    simulation = Simulation()
    simulation.run(100, 3)
    assert set(simulation.run(59, 0)) == {1}
    assert simulation.run(3, 0)[-1] == 0


def test_a_short_idle_time_does_not_wait_for_the_windows() -> None:
    simulation = Simulation(RULES._replace(zero_after=5.0))
    simulation.run(30, 40)
    assert simulation.replicas > 1
    assert simulation.run(7, 0)[-1] == 0


def test_one_long_call_keeps_its_pod() -> None:
    simulation = Simulation()
    assert set(simulation.run(600, 1)) == {1}


def test_a_call_at_zero_starts_a_pod_at_once() -> None:
    simulation = Simulation(replicas=0)
    simulation.run(100, 0)
    assert simulation.call().replicas == 1
    assert simulation.call().replicas == 1, "callers that were told to come back are not waiting"


def test_a_call_while_the_last_pod_is_on_its_way_out_brings_another() -> None:
    """It still looks ready, though nothing is asked for any more."""
    load = Load(observed_for=100.0, asked=True)
    assert decide(RULES, load, Running(0, 1, 50.0), NO_PANIC, 1000.0).replicas == 1


def test_waiting_callers_at_zero_get_as_many_pods_as_they_need() -> None:
    simulation = Simulation(replicas=0)
    simulation.run(100, 0)
    assert simulation.step(34).replicas == 4
    assert simulation.step(500).replicas == 10, "never above max"


def test_zero_stays_zero_though_the_windows_remember_load() -> None:
    simulation = Simulation(RULES._replace(zero_after=5.0))
    simulation.run(60, 50)
    simulation.run(10, 0)
    simulation.connection = None
    assert set(simulation.run(30, 0)) == {0}, "without a bus"
    simulation.connection = 2
    assert set(simulation.run(30, 0)) == {0}, "after a reconnect"


def test_load_at_a_boundary_does_not_flap() -> None:
    simulation = Simulation()
    simulation.run(200, 14)
    replicas = simulation.run(600, lambda second: 13.5 + (second // 30) % 2)
    changes = sum(before != after for before, after in itertools.pairwise(replicas))
    assert changes <= 1


def test_a_minimum_holds_without_any_observation() -> None:
    simulation = Simulation(RULES._replace(min=2), replicas=0)
    simulation.connection = None
    assert simulation.run(1, 0) == [2]
    assert set(simulation.run(200, 0)) == {2}


def test_a_lower_maximum_counts_at_once() -> None:
    simulation = Simulation(RULES._replace(max=3), replicas=8)
    assert simulation.step(80).replicas == 3


def test_a_restarted_scaler_keeps_what_runs_until_it_knows_better() -> None:
    simulation = Simulation(replicas=6)
    simulation.run(100, 35)
    before = simulation.replicas
    simulation.restart_scaler()
    assert set(simulation.run(58, 2)) == {before}
    assert simulation.run(30, 2)[-1] == 1


def test_a_restarted_scaler_does_not_take_the_last_pod_early() -> None:
    simulation = Simulation(RULES._replace(zero_after=20.0))
    simulation.run(100, 0.1)
    simulation.restart_scaler()
    assert set(simulation.run(19, 0)) == {1}
    assert simulation.run(4, 0)[-1] == 0


def test_a_lost_bus_takes_nothing_away_and_adds_nothing() -> None:
    simulation = Simulation()
    simulation.run(200, 35)
    simulation.connection = None
    assert set(simulation.run(300, 0)) == {5}
    simulation.connection = 2
    assert set(simulation.run(59, 0)) == {5}
    assert simulation.run(5, 0)[-1] == 0


def test_a_pause_of_the_scaler_itself_is_no_idleness() -> None:
    """Stopped and continued, it has missed what happened meanwhile."""
    simulation = Simulation()
    simulation.run(100, 7)
    assert simulation.step(0, seconds=300).replicas == 1
    assert set(simulation.run(55, 0)) == {1}


def test_a_dead_routers_calls_are_forgotten_and_anothers_are_not() -> None:
    simulation = Simulation(RULES._replace(zero_after=5.0))
    simulation.routers = {"router-1": 0.5, "router-2": 0.5}
    simulation.run(100, 20)
    del simulation.routers["router-1"]
    held = [simulation.step(20) and simulation.reports.held("default/add", simulation.now) for _ in range(5)]
    assert held[0].in_flight == 20
    assert held[-1].in_flight == 10
    del simulation.routers["router-2"]
    assert simulation.run(12, 0)[-1] == 0


def test_a_started_pod_stays_long_enough_to_be_found() -> None:
    """With scaleToZeroAfter 0s a caller that was told to come back in a second still finds it."""
    simulation = Simulation(RULES._replace(zero_after=0.0), replicas=0)
    simulation.run(5, 0)
    simulation.call()
    assert simulation.run(3, 0) == [1, 1, 0]


def test_a_pod_that_is_still_starting_is_not_idle() -> None:
    simulation = Simulation(RULES._replace(zero_after=2.0), replicas=0, start_seconds=30)
    simulation.run(5, 0)
    simulation.call()
    assert set(simulation.run(30, 0)) == {1}


LOADS = st.builds(
    Load,
    stable=st.floats(0, 5000),
    panic=st.floats(0, 5000),
    in_flight=st.integers(0, 3000),
    queued=st.integers(0, 3000),
    idle_for=st.floats(0, 1e5),
    observed_for=st.floats(0, 1e5),
    asked=st.booleans(),
)
RULE_SETS = st.builds(
    lambda low, more, concurrency, target, window, panic, zero: Rules(
        low, max(1, low + more), concurrency, concurrency * target / 100, window, panic, zero
    ),
    *(st.integers(0, 20), st.integers(0, 50), st.integers(1, 1000), st.integers(1, 100)),
    *(st.floats(1, 3600), st.floats(1, 60), st.floats(0, 3600)),
)
RUNNING = st.builds(
    Running,
    *(st.integers(0, 80), st.integers(0, 80), st.floats(-1, 1e5)),
)
PANICS = st.just(NO_PANIC) | st.floats(0, 2000)


@settings(max_examples=500)
@given(RULE_SETS, LOADS, RUNNING, PANICS)
def test_whatever_the_load(rules: Rules, load: Load, running: Running, panic_until: float) -> None:
    decision = decide(rules, load, running, panic_until, 1000.0)
    assert rules.min <= decision.replicas <= rules.max
    assert decision.reason
    needed = math.ceil(load.in_flight / rules.concurrency)
    assert decision.replicas >= min(needed, rules.max), "never fewer than calls in flight occupy"
    if load.in_flight or load.queued or (load.asked and not running.replicas):
        assert decision.replicas >= 1
    goes_down = decision.replicas < min(running.replicas, rules.max)
    if goes_down:
        to_zero = decision.replicas == 0
        assert load.observed_for >= (rules.zero_after if to_zero else rules.window), (
            "an empty memory takes nothing away"
        )
        assert not to_zero or (load.idle_for >= rules.zero_after and not load.in_flight and not load.queued)
    if decision.replicas and not running.replicas and not rules.min:
        assert load.asked or load.in_flight or load.queued, "nobody called"
    again = decide(rules, load, running, panic_until, 1000.0)
    assert again == decision


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 150)), min_size=1, max_size=8), st.integers(0, 3))
def test_any_course_of_load_keeps_the_bounds_and_the_calls(course: list[tuple[int, int]], low: int) -> None:
    simulation = Simulation(RULES._replace(min=low, zero_after=8.0, window=20.0), replicas=low)
    for seconds, held in course:
        for _ in range(seconds):
            simulation.step(held)
            assert low <= simulation.replicas <= 10
            assert simulation.replicas >= 1 or held == 0
    simulation.run(40, 0)
    assert simulation.replicas == low


@pytest.mark.parametrize("held", [3, 30, 90])
def test_from_zero_under_load_and_back(held: int) -> None:
    simulation = Simulation(RULES._replace(zero_after=10.0), replicas=0)
    simulation.run(100, 0)
    assert simulation.run(1, held)[0] >= math.ceil(held / 10)
    assert simulation.run(90, held)[-1] == min(10, math.ceil(held / 7))
    assert simulation.run(15, 0)[-1] == 0
