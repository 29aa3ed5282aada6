"""Streams of what happens to runs, and events that are sent to them, through a real gateway and bus."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from services.contracts.errors import Code, FaasError
from services.contracts.runs import ListRuns, RunView
from tests.support.bus import Bus
from tests.support.gateway import Gateway, error_of, running_gateway
from tests.support.patience import PATIENCE
from tests.support.runs import Service, running_service, view

NAMESPACE = "/api/v1/namespaces/default"
RUNS = f"{NAMESPACE}/runs"


@pytest.fixture(scope="module")
def gateway(bus: Bus) -> Iterator[Gateway]:
    with running_gateway(bus.directory, bus) as gateway:
        yield gateway


@pytest.fixture
def service(bus: Bus) -> Iterator[Service]:
    with running_service(bus) as service:
        yield service


class Stream:
    """The events of a stream as they come: (name, data)."""

    def __init__(self, gateway: Gateway, path: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
        self._connection.request("GET", path)
        self._response = self._connection.getresponse()
        assert self._response.headers["content-type"].startswith("text/event-stream")

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()
        self._connection.close()

    def next(self) -> tuple[str, Any] | None:
        """The next event, comments left out; None at the end of the stream."""
        name, data = "message", b""
        while line := self._response.readline():
            key, _, value = line.rstrip(b"\n").partition(b": ")
            if key == b"event":
                name = value.decode()
            elif key == b"data":
                data += value
            elif not key and data:
                return name, json.loads(data)
        return None

    def listening(self) -> None:
        """Returns once no event is missed any more."""
        assert self._response.readline() == b": listening\n"


def test_a_runs_stream_begins_with_a_snapshot_and_ends_with_the_run(gateway: Gateway, service: Service) -> None:
    status: list[str] = ["running"]
    service.answers["get"] = lambda message: view(status=status[0])
    with Stream(gateway, f"{RUNS}/r1/events") as stream:
        assert stream.next() == ("snapshot", json.loads(msgspec.json.encode(view())))
        service.happen("other", "task.started", task="/do/0/not-mine")
        service.happen("r1", "task.started", task="/do/0/a")
        name, event = stream.next() or ("", {})
        assert (name, event["type"], event["data"]) == (
            "message", "io.serverlessworkflow.task.started.v1", {"task": "/do/0/a"},
        )  # fmt: skip
        status[0] = "completed"
        service.happen("r1", "workflow.completed")
        assert (stream.next() or ("", {}))[1]["type"] == "io.serverlessworkflow.workflow.completed.v1"
        name, event = stream.next() or ("", {})
        assert (name, event["run"]["status"]) == ("snapshot", "completed")
        assert stream.next() is None


def test_the_stream_of_an_ended_run_is_its_snapshot(gateway: Gateway, service: Service) -> None:
    service.answers["get"] = lambda message: view(status="faulted", error={"status": 500})
    with Stream(gateway, f"{RUNS}/r1/events") as stream:
        assert (stream.next() or ("", {}))[1]["error"] == {"status": 500}
        assert stream.next() is None


def test_a_lost_event_does_not_keep_a_stream_open(gateway: Gateway, service: Service) -> None:
    asked: list[int] = []

    def get(message: Any) -> RunView:
        asked.append(len(asked))
        return view(status="completed" if len(asked) > 2 else "running")

    service.answers["get"] = get
    with Stream(gateway, f"{RUNS}/r1/events") as stream:
        assert [(stream.next() or ("", {}))[1]["run"]["status"] for _ in range(2)] == ["running", "completed"]
        assert stream.next() is None


def test_the_stream_of_a_namespace_begins_with_its_open_runs(gateway: Gateway, service: Service) -> None:
    service.answers["list"] = lambda message: b'{"items": [], "more": false}'
    with Stream(gateway, f"{NAMESPACE}/workflow-events?workflow=flow") as stream:
        assert stream.next() == ("snapshot", {"items": [], "more": False})
        assert msgspec.json.decode(service.asked[0].data, type=ListRuns) == ListRuns("flow", "open", 1000)
        service.happen("r9", "workflow.started", workflow="other")
        service.happen("r1", "workflow.started")
        assert (stream.next() or ("", {}))[1]["subject"] == "r1"


def test_events_of_one_run_can_be_watched_before_it_is_there(gateway: Gateway, service: Service) -> None:
    with Stream(gateway, f"{NAMESPACE}/events?workflow=flow&run=r1") as stream:
        stream.listening()
        service.happen("r2", "workflow.started")
        service.happen("r1", "workflow.started")
        assert (stream.next() or ("", {}))[1]["subject"] == "r1"


STRUCTURED = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {"a": 1}}
HEADERS = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-region": "%E2%82%AC"}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "application/cloudevents+json; charset=utf-8"}, json.dumps(STRUCTURED).encode()),
        (HEADERS | {"Content-Type": "image/png"}, b"\x89"),
        (HEADERS, b""),
    ],
    ids=["structured", "binary", "no data"],
)
def test_events_reach_the_service_as_they_came(
    gateway: Gateway, service: Service, headers: dict[str, str], body: bytes
) -> None:
    service.answers["send"] = lambda message: b'{"sequence": 1}'
    answer = gateway.request("POST", f"{NAMESPACE}/events", body, headers | {"X-Other": "stays behind"})
    assert (answer.status, answer.body) == (202, b'{"sequence": 1}')
    (sent,) = service.asked
    assert (sent.subject, sent.data) == ("faas.send.default", body)
    assert {name.lower(): value for name, value in (sent.headers or {}).items()} == {
        name.lower(): value for name, value in headers.items()
    }


def test_an_event_that_the_service_refuses_is_refused(gateway: Gateway, service: Service) -> None:
    def refuse(message: Any) -> None:
        raise FaasError(Code.BAD_REQUEST, "no CloudEvent 1.0: the attribute id is missing")

    service.answers["send"] = refuse
    assert error_of(gateway.request("POST", f"{NAMESPACE}/events", b"{}")) == (400, "bad_request")
    assert error_of(gateway.request("POST", "/api/v1/namespaces/a..b/events", b"{}")) == (400, "invalid_name")
