"""Runs of workflows through a real gateway and bus; the workflow services are played by the tests."""

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.contracts.errors import Code, FaasError
from services.contracts.runs import ListRuns, ReadHistory, RunView, StartRun, WaitRun
from tests.support.bus import Bus
from tests.support.gateway import Gateway, error_of, running_gateway
from tests.support.http import Answer
from tests.support.patience import PATIENCE, eventually
from tests.support.runs import Service, running_service, view

NAMESPACE = "/api/v1/namespaces/default"
RUNS = f"{NAMESPACE}/runs"
START = f"{NAMESPACE}/workflows/flow/runs"


@pytest.fixture(scope="module")
def gateway(bus: Bus) -> Iterator[Gateway]:
    with running_gateway(bus.directory, bus) as gateway:
        yield gateway


@pytest.fixture
def service(bus: Bus) -> Iterator[Service]:
    with running_service(bus) as service:
        yield service


def shown(answer: Answer) -> RunView:
    return msgspec.json.decode(answer.body, type=RunView)


def test_a_start_is_answered_with_the_run_and_where_it_is(gateway: Gateway, service: Service) -> None:
    service.answers["start"] = lambda message: view(msgspec.json.decode(message.data)["id"])
    answer = gateway.request("POST", START + "?id=mine", b'{"x": 1}')
    assert (answer.status, answer.headers["location"], shown(answer).run.id) == (202, f"{RUNS}/mine", "mine")
    assert service.asked[0].subject == "faas.sys.workflow.api.start.default.flow"
    asked = msgspec.json.decode(service.asked[0].data, type=StartRun)
    assert (asked.input, asked.wait) == (msgspec.Raw(b'{"x": 1}'), 0)
    named = [shown(gateway.request("POST", START)).run.id for _ in range(2)]
    assert named[0] != named[1], "the gateway gives each run a name of its own"
    assert "input" not in json.loads(service.asked[-1].data)


def test_a_start_that_waits_is_answered_at_the_runs_end(gateway: Gateway, service: Service) -> None:
    service.answers["start"] = lambda message: view()
    waits: list[float] = []

    def wait(message: Any) -> RunView:
        waits.append(msgspec.json.decode(message.data, type=WaitRun).seconds)
        return view(status="completed", output=7) if len(waits) == 2 else view()

    service.answers["wait"] = wait
    answer = gateway.request("POST", START, b"{}", {"Prefer": "wait=60"})
    assert (answer.status, shown(answer).output, answer.headers["preference-applied"]) == (200, 7, "wait")
    assert waits == [1, 2], "in pieces that get longer, so that a service that dies is noticed"
    answer = gateway.request("GET", f"{RUNS}/r1", headers={"Prefer": "wait=1"})
    assert (answer.status, shown(answer).run.status) == (200, "running"), "as it is after its time"


def test_a_run_that_outlasts_its_wait_is_shown_as_it_is(gateway: Gateway, service: Service) -> None:
    service.answers |= {"start": lambda message: view(), "wait": lambda message: view()}
    answer = gateway.request("POST", START, b"{}", {"Prefer": "wait=0"})
    assert (answer.status, "preference-applied" in answer.headers) == (202, False)
    assert error_of(gateway.request("POST", START, b"{}", {"Prefer": "wait=soon"})) == (400, "invalid_header")


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", START, b"{bad", (400, "invalid_json")),
        ("POST", START + "?id=A.b", b"{}", (400, "invalid_name")),
        ("POST", f"{NAMESPACE}/workflows/a..b/runs", b"{}", (400, "invalid_name")),
        ("POST", f"{NAMESPACE}/workflows/{'x' * 64}/runs", b"{}", (400, "invalid_name")),
        ("GET", f"{RUNS}/UPPER", None, (400, "invalid_name")),
        ("GET", f"{RUNS}?status=done", None, (400, "bad_request")),
        ("GET", f"{RUNS}?limit=0", None, (400, "bad_request")),
        ("GET", f"{RUNS}?workflow=a*", None, (400, "invalid_name")),
        ("GET", f"{RUNS}/r1/history?start=-1", None, (400, "bad_request")),
        ("DELETE", f"{RUNS}/r1", None, (405, "method_not_allowed")),
        ("GET", f"{RUNS}/r1/cancel", None, (405, "method_not_allowed")),
        ("GET", f"{NAMESPACE}/events?run=r1", None, (400, "bad_request")),
        ("GET", f"{NAMESPACE}/events?function=f&workflow=w", None, (400, "bad_request")),
        ("GET", f"{NAMESPACE}/workflow-events?workflow=a.b", None, (400, "invalid_name")),
    ],
)
def test_bad_input_is_refused_before_anybody_is_asked(
    gateway: Gateway, service: Service, method: str, path: str, body: bytes | None, expected: tuple[int, str]
) -> None:
    assert error_of(gateway.request(method, path, body)) == expected
    assert service.asked == []


def test_an_input_over_the_limit_names_both_numbers(gateway: Gateway, service: Service) -> None:
    answer = gateway.request("POST", START, b'"' + b"x" * 8 * 1024 * 1024 + b'"')
    assert error_of(answer) == (413, "payload_too_large")
    assert str(8 * 1024 * 1024 + 2) in json.loads(answer.body)["message"]
    largest = 8 * 1024 * 1024 - 4096
    service.answers["start"] = lambda message: view()
    assert gateway.request("POST", START, b'"' + b"x" * (largest - 2) + b'"').status == 202


def test_without_a_workflow_service_everything_says_so(gateway: Gateway) -> None:
    for method, path in (
        ("POST", START), ("GET", RUNS), ("GET", f"{RUNS}/r1"), ("GET", f"{RUNS}/r1/trace"),
        ("POST", f"{RUNS}/r1/retry"), ("GET", f"{RUNS}/r1/events"), ("GET", f"{NAMESPACE}/workflow-events"),
    ):  # fmt: skip
        answer = gateway.request(method, path)
        assert (*error_of(answer), answer.headers["retry-after"]) == (503, "no_workflow_service", "1"), path


def test_reading_passes_on_what_the_service_says(gateway: Gateway, service: Service) -> None:
    service.answers |= {verb: lambda message: b'{"as": "it is"}' for verb in ("trace", "definition", "history", "list")}
    for path in ("/r1/trace", "/r1/definition", "/r1/history?start=7&limit=3", "?workflow=flow&status=open&limit=5"):
        answer = gateway.request("GET", RUNS + path)
        assert (answer.status, answer.body, answer.headers["content-type"]) == (
            200, b'{"as": "it is"}', "application/json",
        )  # fmt: skip
    subjects = [message.subject.removeprefix("faas.sys.workflow.api.") for message in service.asked]
    assert subjects == ["trace.default.r1", "definition.default.r1", "history.default.r1", "list.default.runs"]
    assert msgspec.json.decode(service.asked[2].data, type=ReadHistory) == ReadHistory(7, 3)
    assert msgspec.json.decode(service.asked[3].data, type=ListRuns) == ListRuns("flow", "open", 5)


def test_verbs_and_refusals_of_the_service(gateway: Gateway, service: Service) -> None:
    service.answers["pause"] = lambda message: view(status="suspended")
    assert shown(gateway.request("POST", f"{RUNS}/r1/pause")).run.status == "suspended"

    def refuse(message: Any) -> None:
        raise FaasError(Code.CONFLICT, "run default/r1 has ended", details=["completed"], retry_after=3)

    service.answers["cancel"] = refuse
    answer = gateway.request("POST", f"{RUNS}/r1/cancel")
    assert (error_of(answer), answer.headers["retry-after"]) == ((409, "conflict"), "3")
    assert json.loads(answer.body)["details"] == ["completed"]
    assert error_of(gateway.request("POST", f"{RUNS}/r2/resume")) == (404, "run_not_found")


def test_a_run_that_changes_its_owner_is_asked_again(gateway: Gateway, service: Service) -> None:
    def pause(message: Any) -> RunView:
        if len(service.asked) < 3:
            raise FaasError(Code.DRAINING, "the run changes its owner", retry_after=1)
        return view(status="suspended")

    service.answers["pause"] = pause
    assert shown(gateway.request("POST", f"{RUNS}/r1/pause")).run.status == "suspended"
    assert len(service.asked) == 3


def test_a_token_opens_the_runs_of_its_namespaces_alone(bus: Bus, tmp_path: Path, service: Service) -> None:
    tokens = tmp_path / "tokens.json"
    tokens.write_text('{"secret": ["default"]}')
    service.answers["get"] = lambda message: view()
    with running_gateway(tmp_path, bus, tokens_file=str(tokens)) as gateway:
        given = {"Authorization": "Bearer secret"}
        assert gateway.request("GET", f"{RUNS}/r1", headers=given).status == 200
        assert error_of(gateway.request("GET", f"{RUNS}/r1")) == (401, "unauthorized")
        others = "/api/v1/namespaces/other"
        for method, path in (
            ("GET", "/runs"), ("GET", "/runs/r1"), ("POST", "/runs/r1/cancel"), ("POST", "/workflows/flow/runs"),
            ("GET", "/workflow-events"), ("POST", "/events"),
        ):  # fmt: skip
            assert error_of(gateway.request(method, others + path, headers=given)) == (403, "forbidden"), path
        assert len(service.asked) == 1


def test_a_wait_outlasts_a_service_that_restarts(gateway: Gateway, bus: Bus) -> None:
    answers: list[Answer] = []

    def ask() -> None:
        answers.append(gateway.request("GET", f"{RUNS}/r1", headers={"Prefer": "wait=60"}, timeout=PATIENCE))

    began = time.monotonic()
    with running_service(bus) as service:
        service.answers["wait"] = lambda message: view()
        thread = threading.Thread(target=ask)
        thread.start()
        eventually(lambda: service.asked, "the gateway has asked")
    with running_service(bus) as service:
        service.answers["wait"] = lambda message: view(status="completed")
        thread.join(PATIENCE)
    assert shown(answers[0]).run.status == "completed"
    assert time.monotonic() - began < PATIENCE


def test_the_documentation_has_every_address(gateway: Gateway) -> None:
    paths = json.loads(gateway.request("GET", "/openapi.json").body)["paths"]
    mine = {path for path in paths if "/runs" in path or path.endswith("events")}
    base = "/api/v1/namespaces/{namespace}"
    assert mine >= {
        f"{base}/workflows/{{name}}/runs",
        f"{base}/runs",
        f"{base}/runs/{{run}}",
        f"{base}/workflow-events",
    }
    for verb in ("trace", "definition", "history", "events", "cancel", "pause", "resume", "retry"):
        assert f"{base}/runs/{{run}}/{verb}" in mine
    page = gateway.request("GET", "/docs").body.decode()
    document = json.loads(gateway.request("GET", "/openapi.json").body)
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert (
        {"RunView", "RunList", "Trace", "HistoryPage", "TraceNode"} <= named <= set(document["components"]["schemas"])
    )
    for path in mine:
        for operation in paths[path].values():
            assert operation["summary"] in page
