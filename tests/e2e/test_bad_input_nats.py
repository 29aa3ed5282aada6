"""Bad input through the third door: raw bytes on a connection to nats-server, as any client could send them."""

import json
import socket
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from services.contracts.headers import MAX_PAYLOAD
from tests.support.http import http
from tests.support.platform import Platform
from tests.support.source import write

Reply = tuple[dict[str, str], bytes]


class Raw:
    """A caller that speaks the NATS protocol by itself and lets nothing be checked."""

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), 40)
        self._file: IO[bytes] = self._socket.makefile("rb")
        login = {
            "user": parts.username,
            "pass": parts.password,
            "headers": True,
            "no_responders": True,
            "verbose": False,
        }
        assert self._file.readline().startswith(b"INFO ")
        self.send(b"CONNECT " + json.dumps(login).encode() + b"\r\nSUB _INBOX.raw.* 1\r\nPING\r\n")
        assert self._file.readline() == b"PONG\r\n"

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def request(self, subject: bytes, headers: bytes = b"", body: bytes = b"{}") -> Reply | str:
        """The reply's headers and body, or what the server says instead."""
        block = b"NATS/1.0\r\n" + headers + b"\r\n"
        sizes = b"%d %d" % (len(block), len(block) + len(body))
        self.send(b"HPUB " + subject + b" _INBOX.raw.1 " + sizes + b"\r\n" + block + body + b"\r\n")
        while (line := self._file.readline()) == b"PING\r\n":
            self.send(b"PONG\r\n")
        if not line.startswith(b"HMSG "):
            return line.decode().strip()
        head, total = (int(number) for number in line.split()[-2:])
        data = self._file.read(total + 2)
        lines = data[:head].decode().split("\r\n")[1:]
        return dict(line.split(": ", 1) for line in lines if line), data[head:total]

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture
def raw(platform: Platform) -> Iterator[Raw]:
    caller = Raw(platform.nats)
    yield caller
    caller.close()


@pytest.fixture(scope="module")
def seen(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file in which the function `bad-nats` leaves a line for each call that reaches it."""
    file = tmp_path_factory.mktemp("seen") / "calls"
    folder = write(
        tmp_path_factory.mktemp("source") / "bad-nats",
        f"def handle(event):\n    open({str(file)!r}, 'a').write('called\\n')\n    return 'x' * event['size']\n",
    )
    platform.faas("deploy", str(folder), "--min", "1", check=True)
    return file


def refused(reply: Reply | str) -> tuple[str, str]:
    """Status and stable code of an error reply."""
    assert isinstance(reply, tuple), reply
    headers, body = reply
    assert json.loads(body)["code"] == headers["Faas-Error"]
    return headers["Faas-Status"], headers["Faas-Error"]


@pytest.mark.parametrize("name", ["Add", "x" * 64, "naïve", "%2e%2e", "-a", "a/b", "a\0b", "x" * 3000])
def test_a_name_that_is_none_is_refused(raw: Raw, name: str) -> None:
    assert refused(raw.request(f"faas.invoke.default.{name}".encode())) == ("400", "invalid_name")


@pytest.mark.parametrize("name", ["a.b", "", "*", ">", "x" * 6000])
def test_a_name_that_is_no_token_reaches_nobody(platform: Platform, raw: Raw, seen: Path, name: str) -> None:
    reply = raw.request(f"faas.invoke.default.{name}".encode())
    if isinstance(reply, tuple):
        assert reply == ({}, b"")  # "no responders", which nats-server says in the first line
    else:
        assert reply.startswith("-ERR ")
    assert not seen.exists()
    answer = http("POST", f"{platform.gateway}/default/bad-nats", b'{"size":1}')  # nobody else is touched
    assert answer.body == b"x"
    seen.unlink()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (b"User-Agent: a\nX-Evil: 1\r\n", "invalid_header"),
        (b"User-Agent: a\rX-Evil: 1\r\n", "invalid_header"),
        (b"Content-Type: text/plain\n\nGET / HTTP/1.1\r\n", "invalid_header"),
        (b"User-Agent: a\0b\r\n", "invalid_header"),
        (b"Faas-Id: a b\r\n", "invalid_header"),
        (b"Faas-Id: a\nb\r\n", "invalid_header"),
        (b"Faas-Timeout-Ms: soon\r\n", "invalid_header"),
        (b"Faas-Cold-Start: perhaps\r\n", "invalid_header"),
        (b"Faas-Http-Method: GE T\r\n", "method_not_allowed"),
        (b"Faas-Http-Method: GET\r\nFaas-Http-Path: /a b\r\n", "invalid_header"),
        (b"User-Agent: " + b"a" * 70_000 + b"\r\n", "headers_too_large"),
    ],
)
def test_a_bad_header_reaches_no_pod(raw: Raw, seen: Path, headers: bytes, code: str) -> None:
    status, found = refused(raw.request(b"faas.invoke.default.bad-nats", headers, b'{"size":1}'))
    assert (found, int(status) // 100) == (code, 4)
    assert not seen.exists()


def test_a_message_over_the_limit_ends_its_senders_connection_alone(platform: Platform, raw: Raw, seen: Path) -> None:
    raw.send(b"PUB faas.invoke.default.bad-nats _INBOX.raw.1 %d\r\n" % (MAX_PAYLOAD + 1))
    assert raw._file.readline() == b"-ERR 'Maximum Payload Violation'\r\n"
    assert http("POST", f"{platform.gateway}/default/bad-nats", b'{"size":2}').body == b"xx"
    seen.unlink()


def test_a_result_over_the_limit_is_said_so_at_both_doors(platform: Platform, raw: Raw, seen: Path) -> None:
    body = json.dumps({"size": MAX_PAYLOAD + 1}).encode()
    reply = raw.request(b"faas.invoke.default.bad-nats", body=body)
    assert refused(reply) == ("500", "result_too_large")
    answer = http("POST", f"{platform.gateway}/default/bad-nats", body)
    assert (answer.status, answer.headers["faas-error"]) == (500, "result_too_large")
    assert str(MAX_PAYLOAD + 1) in json.loads(answer.body)["message"]
    assert http("POST", f"{platform.gateway}/default/bad-nats", b'{"size":3}').body == b"xxx"
    seen.unlink()
