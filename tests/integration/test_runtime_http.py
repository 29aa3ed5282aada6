"""HTTP/1.1 on the wire: however the bytes are cut, whatever they are, the worker answers or closes and goes on."""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterator

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.runtime import Pod, pod

ECHO = """
    import os
    def handle(body: bytes, context):
        return [context.method, context.path, body.decode("latin-1"), len(context.headers)]
"""
SIMPLE = b"POST / HTTP/1.1\r\nHost: x\r\nFaas-Id: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nX-Trailer: dropped\r\n\r\n"
)


class Reader:
    """Collects answers as a client's parser sees them."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.answers: list[tuple[int, bytes]] = []
        self._body = b""

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        self.answers.append((self.parser.get_status_code(), self._body))
        self._body = b""

    def read(self, connection: socket.socket, count: int) -> list[tuple[int, bytes]]:
        """Read until that many answers are there or the connection ends."""
        while len(self.answers) < count and (data := connection.recv(65536)):
            self.parser.feed_data(data)
        return self.answers


@pytest.fixture(scope="module")
def echo() -> Iterator[Pod]:
    with pod(ECHO, FAAS_CONCURRENCY="50") as running:
        worker = running.workers
        yield running
        assert running.workers == worker  # nothing here has cost a process
        assert "Traceback" not in running.log


def exchange(running: Pod, *parts: bytes, answers: int = 1) -> list[tuple[int, bytes]]:
    with running.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)
        return Reader().read(connection, answers)


@pytest.mark.parametrize(("request_bytes", "headers"), [(SIMPLE, 3), (CHUNKED, 2)])
def test_split_at_every_byte(echo: Pod, request_bytes: bytes, headers: int) -> None:
    expected = json.dumps(["POST", "/", "hello", headers], separators=(",", ":")).encode()
    with echo.connect() as kept:
        kept.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for cut in range(1, len(request_bytes)):
            kept.sendall(request_bytes[:cut])
            # A round trip on another connection, so that the first part has been read by itself.
            if cut % 8 == 0:
                exchange(echo, SIMPLE)
            kept.sendall(request_bytes[cut:])
            reader = Reader()
            assert reader.read(kept, 1) == [(200, expected)], cut
    assert exchange(echo, *(request_bytes[i : i + 1] for i in range(len(request_bytes)))) == [(200, expected)]


def test_pipelined_requests_are_answered_in_order(echo: Pod) -> None:
    requests = b"".join(
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        for body in (str(number).encode() for number in range(200))
    )
    answers = exchange(echo, requests, answers=200)
    assert [json.loads(body)[2] for _, body in answers] == [str(number) for number in range(200)]


def test_a_garbled_request_after_good_ones_does_not_cost_their_answers(echo: Pod) -> None:
    answers = exchange(echo, SIMPLE + SIMPLE + b"\x00\x01garbage\r\n\r\n", answers=3)
    assert [status for status, _ in answers] == [200, 200]


def test_a_client_may_close_its_half(echo: Pod) -> None:
    with echo.connect() as connection:
        connection.sendall(SIMPLE)
        connection.shutdown(socket.SHUT_WR)
        assert Reader().read(connection, 2)[0][0] == 200


def test_head_has_no_body(echo: Pod) -> None:
    answer = echo.call(None, {"Faas-Proxy": "1"}, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 10
    assert echo.call(None, method="HEAD", path="/healthz").status == 200


def test_expect_continue(echo: Pod) -> None:
    with echo.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hello")
        assert Reader().read(connection, 1)[0][0] == 200
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_http_1_0_is_answered_and_closed(echo: Pod) -> None:
    with echo.connect() as connection:
        connection.sendall(SIMPLE.replace(b"1.1", b"1.0"))
        assert b"Connection: close\r\n" in connection.recv(1000)
        assert connection.recv(1000) == b""


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nHo st: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nA: b\x00c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + b"".join(b"H%d: x\r\n" % i for i in range(200)) + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nH: " + b"x" * 70_000, 431),
        (b"POST /" + b"x" * 70_000, 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 8388609\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFF\r\n" + b"x" * 9_000_000, 413),
    ],
)
def test_refused_requests(echo: Pod, request_bytes: bytes, status: int) -> None:
    with echo.connect() as connection:
        sender = threading.Thread(target=_send, args=(connection, request_bytes))
        sender.start()
        ((found, body),) = Reader().read(connection, 2)  # the answer, and then the end of the connection
        sender.join()
    assert found == status
    assert json.loads(body)["code"] == ("payload_too_large" if status == 413 else "bad_request")
    assert exchange(echo, SIMPLE)[0][0] == 200


def _send(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # refused before all of it was sent
        connection.sendall(data)


PIECES = st.sampled_from(
    [
        *(bytes([byte]) for byte in b"\r\n :/\x00\xff0aZ"),
        *(b"POST / HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\n", b"Content-Length: 3\r\n", b"Host: x\r\n", b"\r\n\r\n"),
        *(
            b"Transfer-Encoding: chunked\r\n",
            b"Faas-Timeout-Ms: 1\r\n",
            b"abc",
            b"3\r\nabc\r\n",
            b"0\r\n\r\n",
            b"HTTP/9",
        ),
        *(b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Upgrade: h2c\r\nConnection: upgrade\r\n"),
        SIMPLE,
        CHUNKED,
    ]
)


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(st.one_of(PIECES, st.binary(max_size=40)), min_size=1, max_size=12), together=st.booleans())
def test_whatever_arrives_the_worker_goes_on(echo: Pod, parts: list[bytes], together: bool) -> None:
    before = echo.workers
    with echo.connect() as connection, contextlib.suppress(OSError):  # closed in the middle of what was refused
        for part in [b"".join(parts)] if together else parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    assert echo.workers == before
    assert echo.call(b"1").status == 200


def test_many_idle_connections(echo: Pod) -> None:
    connections = [echo.connect() for _ in range(500)]
    try:
        for connection in connections[::7]:
            connection.sendall(SIMPLE)
            assert Reader().read(connection, 1)[0][0] in (200, 503)
    finally:
        for connection in connections:
            connection.close()
    assert len(os.listdir(f"/proc/{echo.workers[0]}/fd")) < 1000
