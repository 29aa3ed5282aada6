"""What the gateway refuses before any router hears of it: names, paths, sizes, headers, what is no HTTP."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from services.contracts.headers import MAX_PAYLOAD
from tests.support.bus import running_bus
from tests.support.gateway import Gateway, Routers, error_of, ok, raw, running_gateway, running_routers


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


def test_a_caller_that_leaves_before_its_body_is_complete_starts_nothing(gateway: Gateway, routers: Routers) -> None:
    request = b"POST /default/echo HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 9\r\n\r\n{}" % gateway.port
    assert raw(gateway, request, half_close=True) == b""
    assert gateway.request("POST", "/default/echo", b"after").status == 200
    assert [message.data for message in routers.calls] == [b"after"]
