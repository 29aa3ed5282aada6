"""The counting connection against a real nats-server: every event, whatever its shape, and what is between them."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import pytest

from cli.local import pki
from cli.local.ports import free_port
from cli.local.topology import nats_server
from services.common.settings import Common
from services.contracts.subjects import RECEIVED_ALL
from services.scaler.feed import PAUSE, Counter, Feed
from tests.support.bus import Bus, running_bus
from tests.support.patience import until

KNOWN = b"faas.event.default.function.known.received"


def settings(bus: Bus) -> Common:
    env = bus.environment("scaler")
    return Common(nats_url=bus.url, nats_user="scaler", nats_password_file=env["FAAS_NATS_PASSWORD_FILE"])


class Listening:
    """A Feed with what it has counted and found unknown."""

    def __init__(self, common: Common) -> None:
        self.counts = {KNOWN: 0}
        self.unknown: list[bytes] = []
        self.feed = Feed(common, RECEIVED_ALL, self.counts, self.unknown.append)


@asynccontextmanager
async def listening(common: Common) -> AsyncIterator[Listening]:
    found = Listening(common)
    task = asyncio.create_task(found.feed.run())
    try:
        await until(lambda: found.feed.connection is not None)
        yield found
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def publisher(bus: Bus) -> AsyncIterator[Any]:
    client = await nats.connect(bus.user_url("admin"))
    try:
        yield client
    finally:
        await client.close()


def test_every_event_is_counted_once_whatever_its_payload(bus: Bus) -> None:
    """Empty ones, ones over many packets, ones that look like the protocol, ones with headers."""
    payloads = [b"", b"x", b"\r\n", b"MSG a 1 5\r\nhello\r\n", b"PING\r\n", b"-ERR 'x'\r\n", b"y" * 300_000, b"z" * 255]

    async def main() -> None:
        async with listening(settings(bus)) as found, publisher(bus) as client:
            for number in range(2_000):
                await client.publish(KNOWN.decode(), payloads[number % len(payloads)])
                if number % 100 == 0:
                    await client.publish(KNOWN.decode(), b"body", headers={"A": "b"})
                    await client.publish("faas.event.default.function.other.received", b"")
                    await client.publish("faas.event.default.function.known.completed", b"")
            await client.flush()
            await until(lambda: found.counts[KNOWN] == 2_020)
            await asyncio.sleep(2 * PAUSE)  # as long as it lets events gather, and again: none comes twice
            assert found.counts == {KNOWN: 2_020}
            assert found.unknown == [b"faas.event.default.function.other.received"] * 20

    asyncio.run(main())


def test_a_lost_server_is_found_again_under_another_number(tmp_path: Path) -> None:
    async def main(bus: Bus) -> None:
        async with listening(settings(bus)) as found:
            first = found.feed.connection
            bus.kill()
            await until(lambda: found.feed.connection is None)
            bus.restart()
            await until(lambda: found.feed.connection is not None)
            assert found.feed.connection != first
            async with publisher(bus) as client:
                await client.publish(KNOWN.decode(), b"x")
                await client.flush()
                await until(lambda: found.counts[KNOWN] == 1)

    with running_bus(tmp_path) as bus:
        asyncio.run(main(bus))


def test_a_silent_server_is_given_up(tmp_path: Path) -> None:
    async def main(bus: Bus) -> None:
        async with listening(settings(bus)) as found:
            bus.pause()
            await until(lambda: found.feed.connection is None)
            bus.resume()
            await until(lambda: found.feed.connection is not None)

    with running_bus(tmp_path) as bus:
        asyncio.run(main(bus))


def test_a_wrong_password_is_told_once_and_tried_again(bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "scaler")

    async def main() -> None:
        found = Listening(Common(nats_url=bus.url, nats_user="scaler"))
        task = asyncio.create_task(found.feed.run())
        await until(lambda: caplog.text.count("Authorization Violation") >= 2)
        assert found.feed.connection is None
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(main())
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1


def test_a_server_that_wants_tls_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = pki.create_authority()
    pki.write_key_pair(authority, tmp_path / "ca.crt", tmp_path / "ca.key")
    pki.write_key_pair(
        pki.issue_server_certificate(authority, "nats", ["127.0.0.1"]), tmp_path / "nats.crt", tmp_path / "nats.key"
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    port = free_port(set())
    tls = {"cert_file": str(tmp_path / "nats.crt"), "key_file": str(tmp_path / "nats.key")}
    (tmp_path / "nats.conf").write_text(json.dumps({"listen": f"127.0.0.1:{port}", "tls": tls}))
    server = subprocess.Popen([nats_server(), "-c", str(tmp_path / "nats.conf")], stderr=subprocess.DEVNULL)

    async def main() -> None:
        async with listening(Common(nats_url=f"tls://127.0.0.1:{port}")) as found:
            client = await nats.connect(f"tls://127.0.0.1:{port}")
            for _ in range(1_000):
                await client.publish(KNOWN.decode(), b"x" * 300)
            await client.close()
            await until(lambda: found.counts[KNOWN] == 1_000)

    try:
        asyncio.run(main())
    finally:
        server.terminate()
        server.wait(10)


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_cut_at_any_byte_changes_nothing(cut: int) -> None:
    async def main() -> None:
        counts = {KNOWN: 0}
        unknown: list[bytes] = []
        counter = Counter(counts, unknown.append)
        event = b"MSG " + KNOWN + b" 1 "
        stream = b"PING\r\n" + event + b"4\r\n\r\n\r\n\r\n+OK\r\nMSG a.b 1 reply.to 2\r\nhi\r\n" + event + b"0\r\n\r\n"
        for begin in range(0, len(stream), cut):
            counter.data_received(stream[begin : begin + cut])
        assert counts == {KNOWN: 2}
        assert unknown == [b"a.b"]

    asyncio.run(main())
