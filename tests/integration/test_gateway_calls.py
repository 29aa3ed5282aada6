"""Calls over HTTP through a real gateway and a real nats-server, to a stand-in for the routers."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from services.contracts.errors import Code, FaasError
from services.contracts.headers import MAX_PAYLOAD
from tests.support.bus import running_bus
from tests.support.gateway import Gateway, Routers, error_of, failed, ok, running_gateway, running_routers
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
    parts[1].calls.clear()
    yield parts[1]
    parts[1].answers.clear()
    parts[1].descriptions.clear()
    parts[1].held.clear()


def raw(gateway: Gateway, request: bytes, half_close: bool = False) -> bytes:
    """All that comes back for some bytes, until the gateway closes the connection."""
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as client:
        client.sendall(request)
        if half_close:
            client.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := client.recv(65536):
            received += chunk
        return received


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


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_405(gateway: Gateway, routers: Routers, method: str) -> None:
    answer = gateway.request(method, "/default/add")
    assert error_of(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert not routers.calls


BAD_NAMES = [b"a.b", b"*", b">", b"%3E", b"a%20b", b"x" * 64, b"Add", "naïve".encode(), b"%2e%2e", b"-a", b"x" * 6000,
             b"", b"a\xff", b"%00", b"a%0d%0aPUB x 1"]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES, ids=[ascii(name[:12]) for name in BAD_NAMES])
@pytest.mark.parametrize("method", [b"POST", b"GET"])
def test_a_bad_name_is_400_and_reaches_nobody(gateway: Gateway, routers: Routers, name: bytes, method: bytes) -> None:
    for path in (b"/default/" + name, b"/" + name + b"/add"):
        received = raw(
            gateway, b"%b %b HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n\r\n" % (method, path, gateway.port)
        )
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        found = json.loads(body)
        # what is no request target at all, such as one with a space, is no HTTP request either
        assert found["code"] == ("bad_request" if b" " in name else "invalid_name")
        assert len(found["message"]) < 400
    assert not routers.calls


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 404), ("/nothing", 404), ("/a/b/c", 404), ("/default/add/", 404), ("/api/v1/x", 404),
     ("/default%2Fadd", 400), ("/api/v1/namespaces/a.b/functions", 400), ("/api/v1/namespaces/A/functions/x", 400)],
)  # fmt: skip
def test_other_paths(gateway: Gateway, path: str, status: int) -> None:
    answer = gateway.request("GET", path)
    assert error_of(answer)[0] == status


def test_a_body_over_the_limit_is_413_and_the_connection_goes_on(gateway: Gateway, routers: Routers) -> None:
    size = MAX_PAYLOAD + 1
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as client:
        head = b"POST /default/big HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: %d\r\n\r\n" % (gateway.port, size)
        client.sendall(head)
        stream = client.makefile("rb")
        answered = stream.readline()  # before a byte of the body was sent
        assert answered.startswith(b"HTTP/1.1 413 ")
        message = _rest(stream)["message"]
        assert str(size) in message
        assert any(number.isdigit() and MAX_PAYLOAD - 1000 < int(number) <= MAX_PAYLOAD for number in message.split())
        client.sendall(b"x" * size)
        client.sendall(b"GET /default/add HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % gateway.port)
        assert stream.readline().startswith(b"HTTP/1.1 200 ")
    assert not routers.calls


def _rest(stream: Any) -> dict[str, Any]:
    length = 0
    while (line := stream.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        if name == b"content-length":
            length = int(value)
    return dict(json.loads(stream.read(length)))


def test_a_streamed_body_over_the_limit_is_413(gateway: Gateway, routers: Routers) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as client:
        client.sendall(
            b"POST /default/big HTTP/1.1\r\nHost: localhost:%d\r\nTransfer-Encoding: chunked\r\n\r\n" % gateway.port
        )
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        for _ in range(9):
            client.sendall(chunk)
        stream = client.makefile("rb")
        assert stream.readline().startswith(b"HTTP/1.1 413 ")
        assert _rest(stream)["code"] == "payload_too_large"
        client.sendall(b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert stream.readline().startswith(b"HTTP/1.1 200 ")
    assert not routers.calls


def test_the_largest_body_passes(gateway: Gateway, routers: Routers) -> None:
    routers.answers["default/big"] = lambda message: ok(str(len(message.data)).encode())
    body = b"x" * (MAX_PAYLOAD - 1024)
    answer = gateway.request("POST", "/default/big", body)
    assert (answer.status, answer.body) == (200, str(len(body)).encode())


def test_headers_over_the_limit_are_431(gateway: Gateway, routers: Routers) -> None:
    answer = gateway.request("POST", "/default/add", b"", {"ce-id": "1", "ce-subject": "x" * 66_000})
    assert error_of(answer) == (431, "headers_too_large")
    endless = raw(gateway, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nx: " + b"y" * 1_000_000)
    assert endless.startswith(b"HTTP/1.1 431 ")
    assert not routers.calls


@pytest.mark.parametrize(
    "field",
    [b"Faas-Id: a\x01b", b"Faas-Id: a\rb", b"Faas-Id: a\nNats-Msg-Id: 1", b"Content-Type: a\x00b", b"ce-id: a\x7fb",
     b"Faas-Id: a b", b"Faas-Id: a\r\nFaas-Id: b", b"Prefer: wait=x", b"Faas-Timeout-Ms: 0", b"Faas-Cold-Start: no",
     b"Bad Name: x", b"Content-Length: 1\r\nContent-Length: 2", b"Content-Length: -1", b"Host: other"],
)  # fmt: skip
def test_a_bad_header_is_400(gateway: Gateway, routers: Routers, field: bytes) -> None:
    start = b"POST /default/add HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n" % gateway.port
    received = raw(gateway, start + field + b"\r\n\r\n")
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 "), received
    assert json.loads(body)["code"] in ("invalid_header", "bad_request")
    assert not routers.calls


@pytest.mark.parametrize(
    "request_", [b"\r\n\r\n\x16\x03\x01", b"NONSENSE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\xff\xfe"]
)
def test_what_is_no_http_is_said_so(gateway: Gateway, request_: bytes) -> None:
    head, _, body = raw(gateway, request_).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["code"] == "bad_request"


def test_a_preference_is_honoured_and_said_so(gateway: Gateway, routers: Routers) -> None:
    answer = gateway.request("POST", "/default/echo", b"", {"Prefer": "respond-async, wait=7"})
    assert json.loads(answer.body)["headers"]["Faas-Cold-Start"] == "wait=7"
    assert answer.headers["preference-applied"] == "wait"
    assert "preference-applied" not in gateway.request("POST", "/default/echo", b"", {"Prefer": "foo"}).headers


def test_a_caller_that_half_closes_still_gets_its_answer(gateway: Gateway, routers: Routers) -> None:
    request = b"POST /default/echo HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 2\r\n\r\n{}" % gateway.port
    assert raw(gateway, request, half_close=True).startswith(b"HTTP/1.1 200 ")


def test_a_caller_that_leaves_before_its_body_is_complete_starts_nothing(gateway: Gateway, routers: Routers) -> None:
    request = b"POST /default/echo HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 9\r\n\r\n{}" % gateway.port
    assert raw(gateway, request, half_close=True) == b""
    assert gateway.request("POST", "/default/echo", b"after").status == 200
    assert [message.data for message in routers.calls] == [b"after"]


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
