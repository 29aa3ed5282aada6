"""Probe bookkeeping on virtual time."""

from typing import Any

import msgspec
import pytest

from cli.local.kubelet.probes import Prober, probers
from cli.local.kubelet.resources import Container, Probe

T0 = 1000.0


def make_probe(**fields: Any) -> Probe:
    return msgspec.convert({"httpGet": {"port": 8080}, **fields}, Probe)


def test_readiness_is_asked_often_until_it_succeeds_once() -> None:
    prober = Prober(kind="readiness", probe=make_probe(periodSeconds=10), began=T0)
    assert prober.next_delay(T0) == 0.002
    assert prober.next_delay(T0 + 0.1) == pytest.approx(0.005)
    assert prober.next_delay(T0 + 1) == pytest.approx(0.05)
    assert prober.next_delay(T0 + 1000) == 10
    assert prober.observe(True, T0 + 1) is True
    assert prober.next_delay(T0 + 1) == 10


def test_a_cold_start_costs_at_most_a_twentieth_more() -> None:
    prober = Prober(kind="readiness", probe=make_probe(), began=T0)
    now, ready_at = T0, T0 + 0.3
    while now < ready_at:
        now += prober.next_delay(now)
    assert now - ready_at <= 0.3 * 0.05 + 0.002


def test_asking_often_does_not_use_up_the_startup_threshold() -> None:
    prober = Prober(kind="startup", probe=make_probe(periodSeconds=1, failureThreshold=3), began=T0)
    now, verdict = T0, None
    while verdict is None:
        now += prober.next_delay(now)
        verdict = prober.observe(False, now)
    assert verdict is False
    assert 3.0 <= now - T0 < 3.5


def test_unready_after_failures_in_a_row() -> None:
    prober = Prober(kind="readiness", probe=make_probe(periodSeconds=1, failureThreshold=2), began=T0)
    assert prober.observe(True, T0) is True
    assert prober.observe(False, T0 + 1) is None
    assert prober.observe(True, T0 + 2) is None
    assert prober.observe(False, T0 + 3) is None
    assert prober.observe(False, T0 + 4) is False
    assert prober.observe(False, T0 + 5) is None
    assert prober.observe(True, T0 + 6) is True


def test_success_threshold() -> None:
    prober = Prober(kind="readiness", probe=make_probe(successThreshold=2, periodSeconds=1), began=T0)
    assert prober.observe(True, T0) is None
    assert prober.next_delay(T0) == 1
    assert prober.observe(True, T0 + 1) is True


def test_liveness_keeps_to_its_period() -> None:
    prober = Prober(kind="liveness", probe=make_probe(periodSeconds=5, failureThreshold=1), began=T0)
    assert prober.first_delay() == 5
    assert prober.next_delay(T0 + 5) == 5
    assert prober.observe(False, T0 + 5) is False


def test_the_initial_delay_is_kept() -> None:
    prober = Prober(kind="readiness", probe=make_probe(initialDelaySeconds=7), began=T0)
    assert prober.first_delay() == 7
    assert prober.next_delay(T0 + 7) == 0.002


def test_the_startup_probe_goes_first() -> None:
    probe = {"httpGet": {"port": 1}}
    container = msgspec.convert(
        {"name": "c", "startupProbe": probe, "readinessProbe": probe, "livenessProbe": probe}, Container
    )
    assert [prober.kind for prober in probers(container, T0, started=False)] == ["startup"]
    assert [prober.kind for prober in probers(container, T0, started=True)] == ["readiness", "liveness"]
