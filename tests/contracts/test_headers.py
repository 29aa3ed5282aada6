"""Headers on the bus: their size as nats-py sends them, and what an outsider may set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts import headers
from services.contracts.errors import Code, FaasError

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,30}", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=80)


@given(st.dictionaries(NAMES, VALUES, max_size=20))
def test_size_is_at_least_what_goes_over_the_wire(found: dict[str, str]) -> None:
    wire = b"NATS/1.0\r\n" + b"".join(f"{key}: {value}\r\n".encode() for key, value in found.items()) + b"\r\n"
    assert len(wire) <= headers.size(found) <= len(wire) + 16


def test_a_message_over_the_limit_is_refused_with_both_numbers() -> None:
    body = b"x" * (headers.MAX_PAYLOAD - headers.size({"A": "b"}))
    headers.check_size({"A": "b"}, body)
    with pytest.raises(FaasError) as refusal:
        headers.check_size({"A": "b"}, body + b"x")
    assert refusal.value.code == Code.PAYLOAD_TOO_LARGE
    assert str(len(body) + 1) in refusal.value.message
    assert str(len(body)) in refusal.value.message
    with pytest.raises(FaasError) as refusal:
        headers.check_size({"A": "b" * headers.MAX_HEADERS}, b"")
    assert refusal.value.code == Code.HEADERS_TOO_LARGE


@given(VALUES, st.sampled_from([chr(code) for code in (*range(32), 127)]), VALUES)
def test_no_control_character_passes(before: str, control: str, after: str) -> None:
    with pytest.raises(FaasError) as refusal:
        headers.check_value("X-Name", before + control + after)
    assert refusal.value.code == Code.INVALID_HEADER
    assert headers.check_value("X-Name", before) == before


def test_a_callers_credentials_reach_no_function() -> None:
    secret = {"authorization", "proxy-authorization", "host", "connection", "transfer-encoding", "content-length"}
    assert not secret & headers.FORWARDED_REQUEST
    assert not {"connection", "transfer-encoding", "content-length", "keep-alive"} & headers.FORWARDED_RESPONSE
    assert all(name == name.lower() for name in headers.FORWARDED_REQUEST | headers.FORWARDED_RESPONSE)
