"""Metrics of the scaler (Prometheus)."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

EVENTS = Counter("faas_scaler_received_total", "Events of received calls that were counted")
REPORTS = Counter("faas_scaler_load_reports_total", "Load reports of routers that were taken in")
LEADER = Gauge("faas_scaler_leader", "1 while this scaler is the one that acts")
WRITES = Counter("faas_scaler_writes_total", "Writes to the API server", ["action", "outcome"])
RECONCILE = Histogram(
    "faas_scaler_reconcile_seconds", "Time to plan for one Function", buckets=(1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 0.1)
)
DEMAND = Histogram(
    "faas_scaler_demand_seconds",
    "Time from a call at zero to the request that starts a Pod",
    buckets=(3e-4, 1e-3, 2e-3, 4e-3, 1e-2, 0.1),
)


class FunctionNumbers(NamedTuple):
    """What is shown of one Function."""

    namespace: str
    name: str
    calls_per_second: float
    concurrency: float
    wanted: int


class FunctionCollector(Collector):
    """Reads the numbers of all Functions when somebody asks, so that nothing is spent on them between."""

    def __init__(self, numbers: Callable[[], Iterator[FunctionNumbers]]) -> None:
        self._numbers = numbers

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One sample a Function of each metric."""
        labels = ("namespace", "function")
        families = (
            GaugeMetricFamily("faas_function_calls_per_second", "Calls received, over a minute", labels=labels),
            GaugeMetricFamily("faas_function_concurrency", "Calls in flight or queued, over a minute", labels=labels),
            GaugeMetricFamily("faas_function_replicas_wanted", "Pods that the scaler asks for", labels=labels),
        )
        for found in self._numbers():
            values = (found.calls_per_second, found.concurrency, found.wanted)
            for family, value in zip(families, values, strict=True):
                family.add_metric((found.namespace, found.name), value)
        yield from families
