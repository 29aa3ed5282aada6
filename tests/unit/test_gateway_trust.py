"""Hosts, origins and tokens."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts import archives
from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.gateway.trust import Hosts, InvalidTokens, Tokens, Trust, bearer, read_tokens, split_port

DIGEST = "a" * 64


def code_of(hosts: Hosts, **fields: str) -> Code | None:
    try:
        hosts.check({name.encode(): value.encode("latin-1") for name, value in fields.items()})
    except FaasError as error:
        return error.code
    return None


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080", "127.9.8.7:8080"])
def test_loopback_with_the_own_port_is_this_gateway(host: str) -> None:
    assert code_of(Hosts("", 8080), host=host) is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:8080", "", ":8080",
     "10.0.0.1:8080", "[::2]:8080", "127.0.0.1:8080:8080", "127.0.0.1:8080@evil", "2130706433:8080", "0x7f.1:8080",
     "localhost:08080", "127.0.0.1:8080/", "[::1:8080"],
)  # fmt: skip
def test_any_other_host_is_misdirected(host: str) -> None:
    assert code_of(Hosts("", 8080), host=host) is Code.MISDIRECTED


def test_a_request_without_a_host_is_refused() -> None:
    assert code_of(Hosts("*", 8080)) is Code.BAD_REQUEST


def test_the_own_port_may_be_the_default_one() -> None:
    assert code_of(Hosts("", 80), host="localhost") is None
    assert code_of(Hosts("", 80), host="localhost", origin="http://localhost") is None


def test_allowed_names() -> None:
    hosts = Hosts("Gateway.faas, faas.example:8443,", 8080)
    assert code_of(hosts, host="gateway.faas") is None
    assert code_of(hosts, host="gateway.faas:1234") is None
    assert code_of(hosts, host="faas.example:8443") is None
    assert code_of(hosts, host="faas.example") is Code.MISDIRECTED
    assert code_of(hosts, host="a.gateway.faas") is Code.MISDIRECTED
    assert code_of(Hosts("*", 8080), host="anything", origin="https://anybody") is None


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"])
def test_own_pages_may_call(origin: str) -> None:
    assert code_of(Hosts("", 8080), host="localhost:8080", origin=origin) is None


@pytest.mark.parametrize(
    "origin",
    ["null", "", "http://evil.example", "http://localhost:3000", "https://localhost", "file://localhost:8080",
     "http://localhost:8080.evil.example", "http://evil@localhost:8080"],
)  # fmt: skip
def test_foreign_pages_may_not(origin: str) -> None:
    assert code_of(Hosts("", 8080), host="localhost:8080", origin=origin) is Code.FORBIDDEN


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=60))
def test_no_host_but_a_loopback_one_passes(host: str) -> None:
    if code_of(Hosts("", 8080), host=host) is None:
        name, port = split_port(host.lower(), "80")
        assert port == "8080"
        assert name == "localhost" or name.startswith(("127.", "[", "::", "0"))


def test_tokens_open_their_namespaces_and_no_others() -> None:
    tokens = Tokens({"one": ["a", "b"], "all": ["*"]})
    tokens.check("one", "a")
    tokens.check("all", "zzz")
    tokens.check("all", None)
    for token, namespace, code in (
        (None, "a", Code.UNAUTHORIZED),
        ("two", "a", Code.UNAUTHORIZED),
        ("on", "a", Code.UNAUTHORIZED),
        ("one", "c", Code.FORBIDDEN),
        ("one", None, Code.FORBIDDEN),
    ):
        with pytest.raises(FaasError) as refusal:
            tokens.check(token, namespace)
        assert refusal.value.code is code


@pytest.mark.parametrize(
    ("value", "token"),
    [(b"Bearer abc", "abc"), (b"bearer  abc ", "abc"), (b"Basic abc", None), (b"Bearer", None), (b"Bearer ", None)],
)
def test_bearer(value: bytes, token: str | None) -> None:
    assert bearer({b"authorization": value}) == token


def test_with_tokens_the_host_is_not_looked_at() -> None:
    trust = Trust(Hosts("", 8080), Tokens({"t": ["a"]}))
    trust.check({b"host": b"anything", b"authorization": b"Bearer t"}, "a")
    with pytest.raises(FaasError):
        trust.check({b"host": b"localhost:8080"}, "a")


def test_a_pods_token_opens_its_archive_alone() -> None:
    trust = Trust(Hosts("", 8080), Tokens({}), b"key")
    token = archives.fetch_token(b"key", FunctionRef("a", "add"), DIGEST)
    found = {b"authorization": f"Bearer {token}".encode()}
    assert trust.may_fetch(found, "a", DIGEST)
    assert not trust.may_fetch(found, "b", DIGEST)
    assert not trust.may_fetch(found, "a", "b" * 64)
    assert not trust.may_fetch({}, "a", DIGEST)


def test_without_a_key_no_pods_token_counts() -> None:
    token = archives.fetch_token(b"", FunctionRef("a", "add"), DIGEST)
    assert not Trust(Hosts("", 1), Tokens({}), b"").may_fetch(
        {b"authorization": f"Bearer {token}".encode()}, "a", DIGEST
    )


def test_a_tokens_file(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps({"t": ["a"]}))
    read_tokens(str(file)).check("t", "a")
    for bad in ("", "[]", '{"t": "a"}', "{"):
        file.write_text(bad)
        with pytest.raises(InvalidTokens, match="FAAS_TOKENS_FILE"):
            read_tokens(str(file))
    with pytest.raises(InvalidTokens, match="No such file"):
        read_tokens(str(tmp_path / "absent"))
