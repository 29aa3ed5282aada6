"""The gateway's own figures."""

from services.contracts.names import FunctionRef
from services.gateway import metrics
from services.gateway.metrics import CallMetrics, exposition

ADD = FunctionRef("default", "add")


def lines(figures: CallMetrics) -> dict[str, float]:
    text = exposition(figures)().decode()
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    }


def test_calls_are_counted_by_function_and_status_class_with_their_durations() -> None:
    figures = CallMetrics(lambda: 3)
    for status, seconds in ((200, 0.0005), (204, 0.001), (503, 0.3), (500, 1000.0)):
        figures.answered(ADD, status, seconds)
    found = lines(figures)
    assert found['faas_gateway_calls_total{function="add",namespace="default",status="2xx"}'] == 2
    assert found['faas_gateway_calls_total{function="add",namespace="default",status="5xx"}'] == 2
    assert found['faas_gateway_call_duration_seconds_bucket{function="add",le="0.001",namespace="default"}'] == 2
    assert found['faas_gateway_call_duration_seconds_bucket{function="add",le="0.5",namespace="default"}'] == 3
    assert found['faas_gateway_call_duration_seconds_bucket{function="add",le="+Inf",namespace="default"}'] == 4
    assert found['faas_gateway_call_duration_seconds_count{function="add",namespace="default"}'] == 4
    assert found["faas_gateway_calls_in_flight"] == 3


def test_refusals_are_counted_by_code() -> None:
    figures = CallMetrics(lambda: 0)
    figures.refused("no_router")
    figures.refused("no_router")
    assert lines(figures)['faas_gateway_refusals_total{code="no_router"}'] == 2


def test_the_number_of_functions_is_bounded() -> None:
    figures = CallMetrics(lambda: 0)
    for number in range(metrics.MAX_FUNCTIONS + 5):
        figures.answered(FunctionRef("n", f"f{number}"), 200, 0.1)
    assert lines(figures)['faas_gateway_calls_total{function="",namespace="",status="2xx"}'] == 5
