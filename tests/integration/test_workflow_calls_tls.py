"""TLS of workflows' calls, HTTP and NATS: who is trusted, and who is not."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from cli.local.pki import KeyPair, create_authority, issue_server_certificate, write_key_pair
from services.contracts.workflow.auth import Endpoint, ExternalResource
from services.contracts.workflow.calls import AsyncApiArguments, Message
from services.workflow.calls import Outside
from tests.support.elsewhere import Elsewhere, nats_elsewhere
from tests.support.outside import door, get, http, problem, web

DOCUMENT = """
asyncapi: 2.6.0
servers: { main: { url: "SCHEME://localhost:PORT", protocol: nats } }
channels: { news: { publish: {} } }
"""


@pytest.fixture(scope="module")
def authority() -> KeyPair:
    return create_authority()


@pytest.fixture(scope="module")
def pair(authority: KeyPair, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    made = issue_server_certificate(authority, "localhost", [], ["localhost"])
    write_key_pair(made, folder / "tls.crt", folder / "tls.key")
    return folder / "tls.crt", folder / "tls.key"


@pytest.fixture
def trusting(authority: KeyPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ca.crt").write_bytes(authority.cert_pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))


@pytest.fixture(scope="module")
def elsewhere(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    config = f"tls {{ cert_file: {pair[0]}, key_file: {pair[1]} }}"
    with nats_elsewhere(tmp_path_factory.mktemp("nats"), config) as made:
        yield made


async def _https(pair: tuple[Path, Path], host: str) -> Any:
    """What a call of a TLS server gives."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n" + b'"safe"')
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    async with server, door() as outside:
        return await http(outside, get(f"https://{host}:{server.sockets[0].getsockname()[1]}/"))


def test_a_server_that_is_trusted_by_its_name(pair: tuple[Path, Path], trusting: None) -> None:
    assert uvloop.run(_https(pair, "localhost")).output == "safe"


def test_a_certificate_for_another_name_is_refused(pair: tuple[Path, Path], trusting: None) -> None:
    found = problem(uvloop.run(_https(pair, "127.0.0.1")))
    assert found[:2] == ("communication", 502)
    assert "certificate is not valid" in found[2]


def test_a_certificate_that_nobody_vouches_for_is_refused(pair: tuple[Path, Path]) -> None:
    assert "certificate is not valid" in problem(uvloop.run(_https(pair, "localhost")))[2]


async def _publish(outside: Outside, elsewhere: Elsewhere, scheme: str) -> Any:
    text = DOCUMENT.replace("SCHEME", scheme).replace("PORT", str(elsewhere.port))
    async with web(lambda seen: (200, {}, text.encode())) as url, outside:
        resource = ExternalResource(endpoint=Endpoint(uri=url))
        arguments = AsyncApiArguments(document=resource, channel="news", message=Message())
        return await outside.call("asyncapi", arguments, {}, "k")


@pytest.mark.parametrize("scheme", ["nats", "tls"])
def test_a_nats_server_with_tls(elsewhere: Elsewhere, trusting: None, scheme: str) -> None:
    assert uvloop.run(_publish(door(), elsewhere, scheme)).error is None


def test_a_nats_server_that_nobody_vouches_for_is_refused(elsewhere: Elsewhere) -> None:
    found = problem(uvloop.run(_publish(door(), elsewhere, "nats")))
    assert found[:2] == ("communication", 502)
    assert "can be trusted" in found[2]


def test_a_nats_server_that_has_no_tls_when_it_is_wanted_is_not_told_anything(tmp_path: Path, trusting: None) -> None:
    with nats_elsewhere(tmp_path) as plain:
        assert problem(uvloop.run(_publish(door(), plain, "tls")))[:2] == ("communication", 502)
        assert uvloop.run(_publish(door(), plain, "nats")).error is None


def test_an_answer_is_not_taken_from_clear_text(trusting: None) -> None:
    """What comes right behind INFO came before TLS: somebody in between may have written it."""

    async def scenario() -> None:
        async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b'INFO {"tls_required":true}\r\nPONG\r\n')
            await reader.read()
            writer.close()

        listening = await asyncio.start_server(server, "127.0.0.1", 0)
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            found = problem(await _publish(door(), Elsewhere(port, 0), "nats"))
            assert "greeting" in found[2]

    uvloop.run(scenario())
