"""Figures of calls: plain numbers on the hot path, turned into Prometheus metrics when they are asked for."""

from bisect import bisect_left
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from services.contracts.names import FunctionRef

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the duration histogram, seconds."""
MAX_FUNCTIONS = 10_000
"""Functions with figures of their own; what comes after is counted under an empty namespace and name."""


class _Figures:
    __slots__ = ("buckets", "seconds", "statuses")

    def __init__(self) -> None:
        self.statuses = [0, 0, 0, 0]
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0


class CallMetrics(Collector):
    """Calls by function and status class, with a histogram of their durations; refusals by code.

    Labels come only from functions that a router answered for: a caller can't make up new ones.
    """

    def __init__(self, in_flight: Callable[[], int]) -> None:
        self._figures: dict[FunctionRef, _Figures] = {}
        self._refusals: dict[str, int] = {}
        self._in_flight = in_flight

    def answered(self, ref: FunctionRef, status: int, seconds: float) -> None:
        """Counts a call that a router answered."""
        figures = self._figures.get(ref)
        if figures is None:
            if len(self._figures) >= MAX_FUNCTIONS:
                ref = FunctionRef("", "")
            figures = self._figures.setdefault(ref, _Figures())
        figures.statuses[status // 100 - 2] += 1
        figures.buckets[bisect_left(BUCKETS, seconds)] += 1
        figures.seconds += seconds

    def refused(self, code: str) -> None:
        """Counts a request that ended without a function's answer, by its stable code."""
        self._refusals[code] = self._refusals.get(code, 0) + 1

    def collect(self) -> Iterator[Metric]:
        """The metrics, for prometheus_client."""
        labels = ["namespace", "function"]
        calls = CounterMetricFamily("faas_gateway_calls", "Calls answered by a router.", labels=[*labels, "status"])
        durations = HistogramMetricFamily(
            "faas_gateway_call_duration_seconds", "From request to reply as the gateway saw it.", labels=labels
        )
        for ref, figures in self._figures.items():
            for index, count in enumerate(figures.statuses):
                if count:
                    calls.add_metric([*ref, f"{index + 2}xx"], count)
            total, buckets = 0, []
            for bound, count in zip([*map(str, BUCKETS), "+Inf"], figures.buckets, strict=True):
                total += count
                buckets.append((bound, float(total)))
            durations.add_metric(list(ref), buckets, figures.seconds)
        refusals = CounterMetricFamily(
            "faas_gateway_refusals", "Requests that ended without a function's answer.", labels=["code"]
        )
        for code, count in self._refusals.items():
            refusals.add_metric([code], count)
        yield calls
        yield durations
        yield refusals
        yield GaugeMetricFamily("faas_gateway_calls_in_flight", "Calls that wait for a reply.", self._in_flight())


def exposition(metrics: CallMetrics) -> Callable[[], bytes]:
    """What makes the text of ``/metrics``: these figures and the process's own."""
    registry = CollectorRegistry()
    registry.register(metrics)
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return lambda: generate_latest(registry)
