"""Arbitrary bytes on a connection: the gateway answers or closes, survives, and lets nothing odd reach the bus."""

import re
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.bus import running_bus
from tests.support.gateway import Gateway, Routers, running_gateway, running_routers

SUBJECT = re.compile(r"faas\.invoke(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?){2}")
ALLOWED = re.compile(
    "Faas-Id|Faas-Progress|Faas-Timeout-Ms|Faas-Cold-Start|Content-Type|traceparent|ce-[a-z]+"
    "|Faas-Http-(Method|Path|Query)|accept|cookie|x-forwarded-(for|host|proto)"
)

METHOD = st.sampled_from([b"POST", b"GET", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"post", b"FOO"])
SEGMENT = st.sampled_from(
    [b"default", b"add", b"api", b"v1", b"namespaces", b"functions", b"proxy", b"archives", b"events", b"..", b"*",
     b">", b"a.b", b"%2e", b"%00", b"%0d%0a", b"", b"x" * 70, b"A", b"\xc3\xa4", b"a?b=%zz", b"a#b"]
)  # fmt: skip
PATH = st.lists(SEGMENT, max_size=8).map(lambda parts: b"/" + b"/".join(parts)) | st.just(b"/default/add")
VALUE = st.sampled_from(
    [b"x", b"", b"a\x00b", b"a\nb: c", b"wait=1", b"wait=x", b"0", b"-1", b"100", b"chunked", b"chunked, chunked",
     b"100-continue", b"close", b"upgrade", b"Bearer x", b"\xff", b"a, b", b"\tx\t"]
)  # fmt: skip
NAME = st.sampled_from(
    [b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Upgrade", b"Expect", b"Faas-Id", b"Prefer",
     b"Origin", b"Faas-Timeout-Ms", b"Nats-Msg-Id", b"Faas-Progress", b"Content-Type", b"ce-id", b"Bad Name", b":",
     b"Authorization", b"Cookie", b"Accept"]
)  # fmt: skip
Request = tuple[bytes, bytes, list[tuple[bytes, bytes]], bool, bytes]
REQUEST = st.tuples(METHOD, PATH, st.lists(st.tuples(NAME, VALUE), max_size=4), st.booleans(), st.binary(max_size=40))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Routers]]:
    directory = tmp_path_factory.mktemp("gateway")
    with running_bus(directory) as bus, running_routers(bus) as routers, running_gateway(directory, bus) as gateway:
        yield gateway, routers
        assert "traceback" not in gateway.log.read_text()


def exchange(gateway: Gateway, data: bytes) -> bytes:
    """What comes back once this side says that it is done."""
    received = b""
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while chunk := client.recv(65536):
                received += chunk
        except ConnectionError:
            pass  # cut off, which is an answer to nonsense
    return received


def check(gateway: Gateway, routers: Routers, received: bytes) -> None:
    assert received == b"" or re.match(rb"HTTP/1\.1 [1-5]\d\d ", received), received
    assert not received.startswith(b"HTTP/1.1 500 "), received
    assert gateway.request("GET", "/healthz").status == 200
    for message in routers.calls:
        assert SUBJECT.fullmatch(message.subject)
        for name, value in (message.headers or {}).items():
            assert ALLOWED.fullmatch(name), name
            assert not any(ord(char) < 32 or ord(char) == 127 for char in value)
    routers.calls.clear()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(REQUEST, min_size=1, max_size=2))
def test_odd_requests(parts: tuple[Gateway, Routers], requests: list[Request]) -> None:
    gateway, routers = parts
    data = b""
    for method, path, fields, with_host, body in requests:
        head = [b"%b %b HTTP/1.1" % (method, path)]
        head += [b"Host: localhost:%d" % gateway.port] if with_host else []
        head += [b"%b: %b" % field for field in fields]
        data += b"\r\n".join([*head, b"", b""]) + body
    check(gateway, routers, exchange(gateway, data))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_odd_bytes(parts: tuple[Gateway, Routers], data: bytes) -> None:
    gateway, routers = parts
    check(gateway, routers, exchange(gateway, data))
    head = b"POST /default/add HTTP/1.1\r\nHost: localhost:%d\r\n" % gateway.port
    check(gateway, routers, exchange(gateway, head + data))
