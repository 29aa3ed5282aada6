"""Calls over HTTP through a real gateway and a real nats-server, to a stand-in for the routers."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from services.contracts.errors import Code, FaasError
from tests.support.bus import running_bus
from tests.support.gateway import Gateway, Routers, error_of, failed, ok, raw, running_gateway, running_routers
from tests.support.patience import eventually


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Routers]]:
    directory = tmp_path_factory.mktemp("gateway")
    with running_bus(directory) as bus, running_routers(bus) as routers, running_gateway(directory, bus) as gateway:
        yield gateway, routers


@pytest.fixture
def gateway(parts: tuple[Gateway, Routers]) -> Gateway:
    return parts[0]


@pytest.fixture
def routers(parts: tuple[Gateway, Routers]) -> Iterator[Routers]:
    parts[1].clear()
    yield parts[1]
    parts[1].clear()


def in_flight(gateway: Gateway) -> float:
    text = gateway.request("GET", "/metrics").body.decode()
    return float(text.split("\nfaas_gateway_calls_in_flight ")[1].split("\n")[0])


def test_a_call_carries_body_and_the_allowed_headers_and_nothing_else(gateway: Gateway, routers: Routers) -> None:
    body = bytes(range(256))
    sent = {
        "Content-Type": "image/png", "Faas-Id": "mine-1", "Faas-Timeout-Ms": "2500", "Faas-Cold-Start": "wait=3",
        "Authorization": "Bearer secret", "Nats-Msg-Id": "1", "Faas-Progress": "faas.sys.load", "Cookie": "a=1",
        "Nats-Request-Info": "{}", "Faas-Http-Method": "DELETE", "ce-id": "e", "ce-type": "t",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }  # fmt: skip
    answer = gateway.request("POST", "/default/echo", body, sent)
    assert answer.status == 200
    arrived: dict[str, Any] = json.loads(answer.body)
    assert arrived["body"].encode("latin-1") == body
    assert arrived["headers"] == {
        "Faas-Id": "mine-1", "Content-Type": "image/png", "Faas-Timeout-Ms": "2500", "Faas-Cold-Start": "wait=3",
        "ce-id": "e", "ce-type": "t", "traceparent": sent["traceparent"],
    }  # fmt: skip
    progress = (routers.calls[-1].headers or {})["Faas-Progress"]
    assert progress.startswith("faas.sys.progress.")
    assert answer.headers["faas-id"] == "mine-1"
    assert (answer.headers["faas-pod"], answer.headers["faas-duration"]) == ("pod-1", "0.5")


def test_each_call_has_an_id_of_its_own(gateway: Gateway, routers: Routers) -> None:
    ids = {gateway.request("POST", "/default/echo", b"{}").headers["faas-id"] for _ in range(5)}
    assert len(ids) == 5
    assert {(message.headers or {})["Faas-Id"] for message in routers.calls} == ids


def test_a_functions_answer_comes_through_whole(gateway: Gateway, routers: Routers) -> None:
    fields = {"Faas-Status": "201", "Content-Type": "text/plain", "set-cookie": "a=1", "set-cookie-1": "b=2",
              "etag": "x", "server": "mine"}  # fmt: skip
    routers.answers["default/made"] = lambda _: (fields, b"made")
    answer = gateway.request("POST", "/default/made")
    assert (answer.status, answer.body, answer.headers["etag"]) == (201, b"made", "x")
    assert answer.all("set-cookie") == ["a=1", "b=2"]
    assert "server" not in answer.headers


def test_an_error_of_the_router_is_passed_on(gateway: Gateway, routers: Routers) -> None:
    error = FaasError(Code.FUNCTION_STARTING, "function default/cold is starting: try again in 1 s", retry_after=1)
    routers.answers["default/cold"] = lambda _: failed(error)
    answer = gateway.request("POST", "/default/cold", b"{}")
    assert error_of(answer) == (503, "function_starting")
    assert answer.headers["retry-after"] == "1"
    assert "try again in 1 s" in json.loads(answer.body)["message"]


def test_an_answer_without_a_usable_status_is_an_internal_error(gateway: Gateway, routers: Routers) -> None:
    routers.answers["default/odd"] = lambda _: ({"Content-Type": "text/plain"}, b"odd")
    assert error_of(gateway.request("POST", "/default/odd")) == (500, "internal")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_get_describes(gateway: Gateway, routers: Routers, method: str) -> None:
    answer = gateway.request(method, "/team/add")
    assert answer.status == 200
    if method == "GET":
        described = json.loads(answer.body)
        assert described.keys() == {"name", "namespace", "replicas", "readyReplicas", "revision", "conditions"}
        assert (described["namespace"], described["name"], described["readyReplicas"]) == ("team", "add", 1)
    assert not routers.calls


def test_get_of_an_absent_function_is_404(gateway: Gateway, routers: Routers) -> None:
    error = FaasError(Code.FUNCTION_NOT_FOUND, "there is no function team/absent")
    routers.descriptions["team/absent"] = lambda _: failed(error)
    assert error_of(gateway.request("GET", "/team/absent")) == (404, "function_not_found")


def test_a_preference_is_honoured_and_said_so(gateway: Gateway, routers: Routers) -> None:
    answer = gateway.request("POST", "/default/echo", b"", {"Prefer": "respond-async, wait=7"})
    assert json.loads(answer.body)["headers"]["Faas-Cold-Start"] == "wait=7"
    assert answer.headers["preference-applied"] == "wait"
    assert "preference-applied" not in gateway.request("POST", "/default/echo", b"", {"Prefer": "foo"}).headers


def test_a_caller_that_half_closes_still_gets_its_answer(gateway: Gateway, routers: Routers) -> None:
    request = b"POST /default/echo HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 2\r\n\r\n{}" % gateway.port
    assert raw(gateway, request, half_close=True).startswith(b"HTTP/1.1 200 ")


def test_a_caller_that_leaves_does_not_end_its_call(gateway: Gateway, routers: Routers) -> None:
    routers.answers["default/slow"] = lambda _: None
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as client:
        client.sendall(b"POST /default/slow HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 0\r\n\r\n" % gateway.port)
        eventually(lambda: len(routers.held) == 1)
    assert in_flight(gateway) == 1
    routers.release(ok())
    eventually(lambda: in_flight(gateway) == 0)
    assert gateway.request("POST", "/default/echo", b"").status == 200


def test_many_calls_on_one_connection_keep_their_order(gateway: Gateway, routers: Routers) -> None:
    one = b"POST /default/echo HTTP/1.1\r\nHost: localhost:%d\r\nFaas-Id: n-%d\r\nContent-Length: 0\r\n\r\n"
    last = one.replace(b"Content-Length", b"Connection: close\r\nContent-Length")
    received = raw(gateway, b"".join((one if n < 9 else last) % (gateway.port, n) for n in range(10)))
    ids = [line for line in received.split(b"\r\n") if line.startswith(b"faas-id")]
    assert ids == [b"faas-id: n-%d" % n for n in range(10)]


def test_proxied_requests_reach_the_function_as_they_are(gateway: Gateway, routers: Routers) -> None:
    path = "/api/v1/namespaces/default/functions/web/proxy/a/b%20c?x=1&y=%2F"
    answer = gateway.request("PUT", path, b"body", {"Accept": "text/html", "Authorization": "secret", "Cookie": "a=1"})
    arrived = json.loads(answer.body)
    fields = arrived["headers"]
    assert (fields["Faas-Http-Method"], fields["Faas-Http-Path"]) == ("PUT", "/a/b%20c")
    assert (fields["Faas-Http-Query"], fields["accept"], fields["cookie"]) == ("x=1&y=%2F", "text/html", "a=1")
    assert "secret" not in answer.body.decode()
    assert routers.calls[-1].subject == "faas.invoke.default.web"
    assert gateway.request("GET", path.partition("?")[0] + "/../../x").status == 400


def test_a_head_request_through_the_proxy_has_no_body(gateway: Gateway, routers: Routers) -> None:
    answer = gateway.request("HEAD", "/api/v1/namespaces/default/functions/web/proxy/")
    assert (answer.status, answer.body) == (200, b"")


def test_probes_and_figures(gateway: Gateway, routers: Routers) -> None:
    gateway.request("POST", "/team/counted", b"")
    routers.answers["team/absent"] = lambda _: failed(FaasError(Code.FUNCTION_NOT_FOUND, "absent"))
    gateway.request("POST", "/team/absent", b"")
    assert gateway.request("GET", "/healthz").body == b"ok\n"
    assert gateway.request("GET", "/readyz").body == b"ok\n"
    figures = gateway.request("GET", "/metrics").body.decode()
    assert 'faas_gateway_calls_total{function="counted",namespace="team",status="2xx"} 1.0' in figures
    assert "absent" not in figures  # a caller cannot make up labels
    assert "process_cpu_seconds_total" in figures


def test_the_documentation_needs_nothing_from_elsewhere(gateway: Gateway) -> None:
    page = gateway.request("GET", "/docs")
    text = page.body.decode()
    assert page.headers["content-type"].startswith("text/html")
    for path in ("/{namespace}/{name}", "/proxy/{path}", "/archives/{digest}", "/logs", "/events"):
        assert path in text
    assert "http://" not in text
    assert "https://" not in text
    assert "<script" not in text
    document = json.loads(gateway.request("GET", "/openapi.json").body)
    assert "post" in document["paths"]["/{namespace}/{name}"]


def test_a_lost_router_is_noticed_by_its_silence(gateway: Gateway, routers: Routers) -> None:
    routers.answers["default/lost"] = lambda _: None
    began = time.monotonic()
    answer = gateway.request("POST", "/default/lost", b"")
    assert error_of(answer) == (502, "router_lost")
    assert 2.9 < time.monotonic() - began < 20


def test_the_callers_time_ends_its_call(gateway: Gateway, routers: Routers) -> None:
    routers.answers["default/late"] = lambda _: None
    began = time.monotonic()
    answer = gateway.request("POST", "/default/late", b"", {"Faas-Timeout-Ms": "100"})
    assert error_of(answer) == (504, "deadline_exceeded")
    assert time.monotonic() - began < 20
