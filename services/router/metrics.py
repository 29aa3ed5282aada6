"""Metrics of the router. The hot path counts in plain numbers; Prometheus collects them when it asks."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from services.router.table import Route

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the duration histogram, seconds."""


class Counts:
    """What one function's calls came to."""

    __slots__ = ("buckets", "codes", "seconds")

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}
        """Ended calls by stable error code; ``""``: none."""
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def ended(self, code: str, seconds: float) -> None:
        """Counts a call that was answered ``seconds`` after it came."""
        self.codes[code] = self.codes.get(code, 0) + 1
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


class Totals:
    """What has no function."""

    __slots__ = ("dropped_events", "lost_replies", "refused", "repeated", "retried", "without_reply")

    def __init__(self) -> None:
        self.refused = 0
        """Calls answered before a function was known: bad names, unknown functions, not yet synced."""
        self.retried = 0
        """Attempts that certainly never started and went to another Pod or back into the queue."""
        self.repeated = 0
        """Second and third attempts of calls of idempotent functions."""
        self.lost_replies = 0
        self.dropped_events = 0
        self.without_reply = 0
        """Messages that were not calls, since nobody waited for their reply."""


_TOTALS = {
    "refused": "Calls answered before their function was known",
    "retried": "Attempts that certainly never started, made again",
    "repeated": "Attempts repeated because the function is idempotent",
    "lost_replies": "Replies that could not be sent",
    "dropped_events": "Events that could not be sent",
    "without_reply": "Messages without a reply subject, ignored",
}


class RouterCollector(Collector):
    """Gives Prometheus the numbers of all routes."""

    def __init__(self, routes: Callable[[], Iterable["Route"]], queued: Callable[[str], int], totals: Totals) -> None:
        self._routes = routes
        self._queued = queued
        self._totals = totals

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        names = ["namespace", "function"]
        calls = CounterMetricFamily("faas_router_calls", "Calls answered, by error code", labels=[*names, "code"])
        seconds = HistogramMetricFamily("faas_router_call_seconds", "From request to reply", labels=names)
        held = GaugeMetricFamily("faas_router_calls_held", "Calls in flight or waiting", labels=names)
        queued = GaugeMetricFamily("faas_router_calls_queued", "Calls waiting for a Pod", labels=names)
        pods = GaugeMetricFamily("faas_router_pods", "Pods that can be called", labels=names)
        for route in self._routes():
            labels = list(route.ref)
            for code, count in route.counts.codes.items():
                calls.add_metric([*labels, code], count)
            seconds.add_metric(labels, _cumulated(route.counts.buckets), route.counts.seconds)
            held.add_metric(labels, route.load.held)
            queued.add_metric(labels, self._queued(route.key))
            pods.add_metric(labels, sum(target.callable for target in route.targets.values()))
        yield from (calls, seconds, held, queued, pods)
        for name, text in _TOTALS.items():
            yield CounterMetricFamily(f"faas_router_{name}", text, value=getattr(self._totals, name))


def _cumulated(buckets: list[int]) -> list[tuple[str, float]]:
    rows, total = [], 0
    for bound, count in zip((*BOUNDS, None), buckets, strict=True):
        total += count
        rows.append(("+Inf" if bound is None else str(bound), float(total)))
    return rows
