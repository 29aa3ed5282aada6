"""Figures of a workflow service: plain numbers while it works, Prometheus metrics when it is asked."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

MAX_WORKFLOWS = 10_000
"""Workflows with figures of their own; what comes after is counted under an empty namespace and name."""


class Figures:
    """What was counted since the start."""

    def __init__(self) -> None:
        self.steps = 0
        """Transitions."""
        self.taken = 0
        """Runs taken from an owner who was gone."""
        self.lost = 0
        """Runs that another instance took."""
        self._ended: dict[tuple[str, str, str], int] = {}

    def ended(self, namespace: str, workflow: str, status: str) -> None:
        """Counts a run that came to its end here."""
        key = (namespace, workflow, status)
        if key not in self._ended and len(self._ended) >= MAX_WORKFLOWS:
            key = ("", "", status)
        self._ended[key] = self._ended.get(key, 0) + 1

    def items(self) -> list[tuple[tuple[str, str, str], int]]:
        """Ended runs by namespace, workflow and status."""
        return list(self._ended.items())


class FiguresCollector(Collector):
    """``open_runs`` and ``calls`` say how many there are now."""

    def __init__(self, figures: Figures, open_runs: Callable[[], int], calls: Callable[[], int]) -> None:
        self._figures, self._open, self._calls = figures, open_runs, calls

    def collect(self) -> Iterator[Metric]:
        """The metrics, for prometheus_client."""
        figures = self._figures
        ended = CounterMetricFamily(
            "faas_workflow_runs_ended", "Runs that ended here.", labels=["namespace", "workflow", "status"]
        )
        for key, count in figures.items():
            ended.add_metric(list(key), count)
        yield ended
        yield GaugeMetricFamily("faas_workflow_runs_open", "Open runs that this instance drives.", self._open())
        yield GaugeMetricFamily("faas_workflow_calls_in_flight", "Calls of functions under way.", self._calls())
        yield CounterMetricFamily("faas_workflow_transitions", "Transitions of runs.", figures.steps)
        yield CounterMetricFamily("faas_workflow_runs_taken", "Runs taken from an owner who was gone.", figures.taken)
        yield CounterMetricFamily("faas_workflow_runs_lost", "Runs that another instance took.", figures.lost)
