"""Archives in a real object store, and events as they happen."""

import asyncio
import hashlib
import http.client
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import pytest

from services.contracts import archives, events
from services.contracts.archives import MAX_ARCHIVE
from services.contracts.names import FunctionRef
from services.gateway.archive_store import CHUNK, STREAM
from tests.support.bus import Bus, running_bus
from tests.support.gateway import Gateway, Routers, running_gateway, running_routers
from tests.support.patience import PATIENCE, eventually

KEY = "the platform's secret"


@pytest.fixture(scope="module")
def gateway(bus: Bus) -> Iterator[Gateway]:
    key = bus.directory / "archive-key"
    key.write_text(KEY + "\n")
    with running_gateway(bus.directory, bus, archive_key_file=str(key)) as gateway:
        yield gateway


@pytest.fixture
def routers(bus: Bus) -> Iterator[Routers]:
    with running_routers(bus) as routers:
        yield routers


def path_of(body: bytes, namespace: str = "default") -> str:
    return archives.path(namespace, hashlib.sha256(body).hexdigest())


def chunks_kept(bus: Bus) -> dict[str, int]:
    """Messages in the store by kind of subject."""

    async def ask() -> dict[str, int]:
        client = await nats.connect(bus.user_url("admin"))
        try:
            info = await client.jetstream().stream_info(STREAM, subjects_filter=">")
        finally:
            await client.close()
        return dict(info.state.subjects or {})

    return asyncio.run(ask())


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 5 * CHUNK - 7])
def test_an_archive_comes_back_as_it_was(gateway: Gateway, size: int) -> None:
    body = os.urandom(size)
    path = path_of(body)
    assert gateway.request("HEAD", path).status == 404
    stored = gateway.request("PUT", path, body)
    assert (stored.status, json.loads(stored.body)["size"]) == (201, size)
    head = gateway.request("HEAD", path)
    assert (head.status, head.headers["content-length"]) == (200, str(size))
    found = gateway.request("GET", path)
    assert (found.status, found.body, found.headers["content-type"]) == (200, body, "application/gzip")
    assert gateway.request("GET", path_of(body, "other")).status == 404


def test_an_archive_that_is_there_is_not_read_again(gateway: Gateway, bus: Bus) -> None:
    body = os.urandom(3 * CHUNK)
    path = path_of(body)
    assert gateway.request("PUT", path, body).status == 201
    before = chunks_kept(bus)
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as client:
        head = b"PUT %b HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n"
        client.sendall(head % (path.encode(), gateway.port, len(body)))
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")  # not 100: the body is not wanted
    assert chunks_kept(bus) == before


def test_what_is_not_the_address_says_is_refused_and_leaves_nothing(gateway: Gateway, bus: Bus) -> None:
    gateway.request("PUT", path_of(b"there"), b"there")
    before = chunks_kept(bus)
    answer = gateway.request("PUT", path_of(b"right"), os.urandom(2 * CHUNK))
    assert (answer.status, answer.headers["faas-error"]) == (422, "invalid_resource")
    assert hashlib.sha256(b"right").hexdigest() in json.loads(answer.body)["message"]
    assert gateway.request("GET", path_of(b"right")).status == 404
    assert chunks_kept(bus) == before


def test_an_upload_that_breaks_off_leaves_nothing(gateway: Gateway, bus: Bus) -> None:
    gateway.request("PUT", path_of(b"there"), b"there")
    before = chunks_kept(bus)
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as client:
        head = b"PUT %b HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 9000000\r\n\r\n"
        client.sendall(head % (path_of(b"other").encode(), gateway.port) + os.urandom(4 * CHUNK))
        eventually(lambda: len(chunks_kept(bus)) > len(before))
    eventually(lambda: chunks_kept(bus) == before)


def test_too_large_an_archive_is_413_before_it_is_read(gateway: Gateway) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    connection.putrequest("PUT", path_of(b"large"))
    connection.putheader("Content-Length", str(MAX_ARCHIVE + 1))
    connection.endheaders()
    answer = connection.getresponse()
    message = json.loads(answer.read())["message"]
    connection.close()
    assert answer.status == 413
    assert str(MAX_ARCHIVE) in message
    assert str(MAX_ARCHIVE + 1) in message


@pytest.mark.parametrize("digest", ["abc", "A" * 64, "g" * 64, "a" * 65, "a" * 63 + "%2F"])
@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_a_digest_that_is_none_is_400(gateway: Gateway, method: str, digest: str) -> None:
    answer = gateway.request(method, f"/api/v1/namespaces/default/archives/{digest}", b"")
    assert (answer.status, answer.headers["faas-error"]) == (400, "invalid_name")


def test_two_uploads_of_one_archive_make_one(gateway: Gateway, bus: Bus) -> None:
    body = os.urandom(3 * CHUNK)
    path, before = path_of(body), len(chunks_kept(bus))
    head = b"PUT %b HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    clients = [socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) for _ in range(2)]
    for client in clients:
        client.sendall(head % (path.encode(), gateway.port, len(body)) + body[:CHUNK])
    for client in clients:
        client.sendall(body[CHUNK:])
        with client, client.makefile("rb") as stream:
            assert stream.readline().split()[1] in (b"201", b"200")
            stream.read()
    assert gateway.request("GET", path).body == body
    assert len(chunks_kept(bus)) == before + 2  # one subject of chunks, one of the object


def test_the_memory_of_the_gateway_stays_small(gateway: Gateway) -> None:
    body = os.urandom(1024 * 1024) * 64
    path = path_of(body)
    before = _peak(gateway)
    assert gateway.request("PUT", path, body).status == 201
    answer = gateway.request("GET", path)
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(body).digest()
    assert _peak(gateway) - before < 24 * 1024


def _peak(gateway: Gateway) -> int:
    """The largest resident size so far, KiB."""
    text = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmHWM")))


def test_a_store_that_an_operator_configured_is_used_as_it_is(gateway: Gateway, bus: Bus, tmp_path: Path) -> None:
    assert gateway.request("PUT", path_of(b"first"), b"first").status in (200, 201)
    with running_gateway(tmp_path, bus, archive_replicas="3") as other:
        assert other.request("PUT", path_of(b"second"), b"second").status == 201
        assert other.request("GET", path_of(b"first")).body == b"first"


def test_without_jetstream_it_says_so(tmp_path: Path) -> None:
    with running_bus(tmp_path) as bus, running_gateway(tmp_path, bus) as gateway:
        bus.kill()
        eventually(lambda: not gateway.ready())
        for method in ("HEAD", "GET", "PUT"):
            answer = gateway.request(method, path_of(b"x"), b"x" if method == "PUT" else None)
            assert (answer.status, answer.headers["faas-error"]) == (503, "bus_unavailable")


def test_with_tokens_only_their_bearers_and_the_functions_pods_get_archives(bus: Bus, tmp_path: Path) -> None:
    tokens, key = tmp_path / "tokens.json", tmp_path / "key"
    tokens.write_text(json.dumps({"one": ["default"], "other": ["team"]}))
    key.write_text(KEY)
    body = os.urandom(1000)
    path, digest = path_of(body), hashlib.sha256(body).hexdigest()
    with running_gateway(tmp_path, bus, tokens_file=str(tokens), archive_key_file=str(key)) as gateway:

        def status(method: str, token: str, where: str = path) -> int:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return gateway.request(method, where, body if method == "PUT" else None, headers).status

        assert [status("PUT", token) for token in ("", "guess", "other", "one")] == [401, 401, 403, 201]
        pod = archives.fetch_token(KEY.encode(), FunctionRef("default", "add"), digest)
        assert [status("GET", token) for token in ("", "other", "one", pod)] == [401, 403, 200, 200]
        assert status("PUT", pod) == 401
        assert status("GET", pod, path_of(b"another")) == 401
        assert status("GET", pod, path_of(body, "team")) == 401
        assert gateway.request("POST", "/default/add", b"").headers["www-authenticate"].startswith("Bearer")
        assert gateway.request("GET", "/metrics").status == 401
        assert gateway.request("GET", "/healthz").status == gateway.request("GET", "/docs").status == 200

        tokens.write_text(json.dumps({"new": ["*"]}))
        eventually(lambda: status("HEAD", "new") == 200)
        assert status("HEAD", "one") == 401
        tokens.write_text("{")  # a broken file leaves the last good one in force
        eventually(lambda: "the old tokens stay in force" in gateway.log.read_text())
        assert status("HEAD", "new") == 200
        assert gateway.request("GET", "/metrics", headers={"Authorization": "Bearer new"}).status == 200


class Reader:
    """A reader of server-sent events."""

    def __init__(self, gateway: Gateway, path: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
        self._connection.request("GET", path)
        self.response = self._connection.getresponse()

    def next(self) -> Any:
        """The next comment or event."""
        lines = []
        while (line := self.response.readline().decode().rstrip("\n")) or not lines:
            lines.append(line)
        text = "\n".join(lines)
        return json.loads(text.removeprefix("data: ")) if text.startswith("data: ") else text

    def close(self) -> None:
        self.response.close()
        self._connection.close()


def test_events_come_as_they_happen(gateway: Gateway, routers: Routers) -> None:
    reader = Reader(gateway, "/api/v1/namespaces/default/events")
    assert reader.response.headers["content-type"].startswith("text/event-stream")
    assert reader.next() == ": listening"
    gateway.request("POST", "/other/add", b"{}")
    gateway.request("POST", "/default/add", b"{}", {"Faas-Id": "mine"})
    event = reader.next()
    reader.close()
    assert event["specversion"] == "1.0"
    assert (event["type"], event["source"]) == ("dev.faas.function.received", "/namespaces/default/functions/add")
    assert event["data"] == {"id": "mine", "via": "http", "version": 1}


def test_events_of_one_function(gateway: Gateway, routers: Routers) -> None:
    reader = Reader(gateway, "/api/v1/namespaces/default/events?function=b")
    assert reader.next() == ": listening"
    for name in ("a", "b"):
        ended = events.Ended(name, 200, 1.5, "pod-1")
        routers.publish(*events.function_event(FunctionRef("default", name), events.COMPLETED, name, ended, 0.0))
    event = reader.next()
    reader.close()
    assert event["data"]["id"] == "b"


def test_a_quiet_stream_shows_that_it_lives(gateway: Gateway, routers: Routers) -> None:
    reader = Reader(gateway, "/api/v1/namespaces/quiet/events")
    assert [reader.next(), reader.next()] == [": listening", ": "]
    reader.close()


@pytest.mark.parametrize("path", ["a.b/events", "default/events?function=a.*", "default/events?function="])
def test_bad_names_reach_no_subscription(gateway: Gateway, path: str) -> None:
    assert gateway.request("GET", f"/api/v1/namespaces/{path}").status == 400


def test_a_reader_that_leaves_is_forgotten(gateway: Gateway, routers: Routers, bus: Bus) -> None:
    with running_gateway(bus.directory, bus) as fresh:
        before = _descriptors(fresh)
        readers = [Reader(fresh, "/api/v1/namespaces/default/events") for _ in range(5)]
        assert [reader.next() for reader in readers] == [": listening"] * 5
        for reader in readers:
            reader.close()
        eventually(lambda: _descriptors(fresh) <= before)


def _descriptors(gateway: Gateway) -> int:
    return len(os.listdir(f"/proc/{gateway.process.pid}/fd"))
