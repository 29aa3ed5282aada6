"""What a caller may send: paths, header fields, preferences, body sizes."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.gateway.request import (
    Disconnected,
    call_headers,
    caller_id,
    check_length,
    cold_start,
    fields_of,
    function_of,
    preferred_wait,
    read_body,
    timeout_ms,
)

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def outcome(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns, or the FaasError that it raises."""
    try:
        return function(*arguments)
    except FaasError as error:
        return error


@given(st.binary(max_size=200))
def test_no_path_makes_a_function_of_anything_but_two_labels(tail: bytes) -> None:
    ref = outcome(function_of, b"/" + tail)
    if isinstance(ref, FaasError):
        assert ref.code is Code.INVALID_NAME
    elif ref is None:
        assert tail.count(b"/") != 1
    else:
        assert all(LABEL.fullmatch(part) for part in ref)
        assert f"/{ref}".encode() == b"/" + tail


@given(st.from_regex(LABEL, fullmatch=True), st.from_regex(LABEL, fullmatch=True))
def test_two_labels_are_a_function(namespace: str, name: str) -> None:
    assert function_of(f"/{namespace}/{name}".encode()) == FunctionRef(namespace, name)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (b"/default/a%2Eb", "'a%2Eb'"),
        (b"/default/a.b", "'a.b'"),
        (b"/default/*", "'*'"),
        (b"/default/%3E", "'%3E'"),
        (b"/Default/add", "namespace 'Default'"),
        (b"/default/" + b"x" * 6000, "6000 characters; at most 63"),
        (b"/default/" + b"x" * 64, "64 characters"),
        (b"/default/", "name is empty"),
        (b"//add", "namespace is empty"),
        ("/default/käse".encode(), "not valid"),
        (b"/../etc", "'..'"),
    ],
)
def test_a_bad_name_is_said_to_be_one(path: bytes, said: str) -> None:
    with pytest.raises(FaasError) as refusal:
        function_of(path)
    assert refusal.value.code is Code.INVALID_NAME
    assert said in refusal.value.message
    assert len(refusal.value.message) < 400


@pytest.mark.parametrize("path", [b"/", b"/healthz", b"/a/b/c", b"/default/add/", b"/api/v1/namespaces/x/functions"])
def test_other_numbers_of_segments_are_no_function(path: bytes) -> None:
    assert function_of(path) is None


def test_a_field_that_may_come_once_is_refused_twice() -> None:
    for name in (b"host", b"origin", b"content-length", b"faas-id", b"authorization", b"content-type"):
        with pytest.raises(FaasError) as refusal:
            fields_of([(name, b"a"), (b"accept", b"x"), (name, b"b")])
        assert refusal.value.code is Code.INVALID_HEADER


def test_other_fields_become_a_list() -> None:
    found = fields_of([(b"accept", b"a"), (b"cookie", b"x=1"), (b"accept", b"b"), (b"cookie", b"y=2")])
    assert found == {b"accept": b"a, b", b"cookie": b"x=1; y=2"}


CALL_HEADERS = {
    "Faas-Id", "Content-Type", "Faas-Timeout-Ms", "Faas-Cold-Start", "traceparent",
    "ce-id", "ce-source", "ce-specversion", "ce-subject", "ce-time", "ce-type", "ce-dataschema",
}  # fmt: skip
NAMES = st.sampled_from(
    [name.lower().encode() for name in CALL_HEADERS]
    + [b"authorization", b"nats-msg-id", b"faas-progress", b"faas-status", b"nats-request-info", b"prefer", b"cookie"]
)


@given(st.dictionaries(NAMES, st.binary(max_size=40), max_size=8))
def test_nothing_but_the_allowed_fields_travels_and_none_can_end_a_line(found: dict[bytes, bytes]) -> None:
    out = outcome(call_headers, found, "id-1")
    if isinstance(out, FaasError):
        assert out.code in (Code.INVALID_HEADER, Code.BAD_REQUEST)
        return
    assert out.keys() <= CALL_HEADERS
    assert out["Faas-Id"] == "id-1"
    assert not any(ord(char) < 32 or ord(char) == 127 for value in out.values() for char in value)


def test_a_valid_traceparent_travels_and_another_is_ignored() -> None:
    valid = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert call_headers({b"traceparent": valid}, "i")["traceparent"] == valid.decode()
    assert "traceparent" not in call_headers({b"traceparent": valid.upper()}, "i")


def test_cloudevent_attributes_travel_only_with_an_id() -> None:
    assert call_headers({b"ce-id": b"1", b"ce-type": b"t"}, "i").items() >= {"ce-id": "1", "ce-type": "t"}.items()
    assert "ce-type" not in call_headers({b"ce-type": b"t"}, "i")


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("wait", "wait"),
        ("WAIT", "wait"),
        ("wait=10", "wait=10"),
        ("wait = 10", "wait=10"),
        ('wait="10"', "wait=10"),
        ("wait=0", "wait=0"),
        ("wait=007", "wait=7"),
        ("respond-async, wait=5", "wait=5"),
        ("respond-async;x=1 , wait=5; y=2, wait=9", "wait=5"),
        ('foo="a, wait=3", bar', None),
        ("return=minimal", None),
        ("respond-async", None),
        ("", None),
        ("waiting=3", None),
        (",, wait", "wait"),
        ("wait;x=1", "wait"),
    ],
)
def test_the_wait_preference(text: str, wait: str | None) -> None:
    assert preferred_wait(text) == wait


@pytest.mark.parametrize(
    "text",
    ["wait=", "wait=-1", "wait=1.5", "wait=3601", "wait=abc", 'wait=""', "wait=1e3", "wait=5 5", "wait=" + "9" * 400,
     "wait, " * 500, "wait=½"],
)  # fmt: skip
def test_a_wait_that_is_no_number_of_seconds_is_refused(text: str) -> None:
    with pytest.raises(FaasError) as refusal:
        preferred_wait(text)
    assert refusal.value.code is Code.INVALID_HEADER


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=1100))
def test_any_preference_is_understood_ignored_or_refused(text: str) -> None:
    found = outcome(preferred_wait, text)
    if isinstance(found, FaasError):
        assert found.code is Code.INVALID_HEADER
    else:
        assert found is None or re.fullmatch(r"wait(=\d{1,4})?", found)


def test_faas_cold_start_goes_before_prefer() -> None:
    both = {b"faas-cold-start": b"return", b"prefer": b"wait=3"}
    assert call_headers(both, "i")["Faas-Cold-Start"] == "return"


@pytest.mark.parametrize("value", [b"return", b"wait", b"wait=3600", b"Wait=1"])
def test_cold_start_values(value: bytes) -> None:
    assert cold_start(value) == value.decode().lower()


@pytest.mark.parametrize("value", [b"", b"return=1", b"wait=", b"wait=-1", b"wait=3601", b"now", b"wait=1,wait=2"])
def test_other_cold_start_values_are_refused(value: bytes) -> None:
    with pytest.raises(FaasError, match="Faas-Cold-Start"):
        cold_start(value)


@pytest.mark.parametrize("value", [b"1", b"3600000", b"0001"])
def test_timeouts_in_range(value: bytes) -> None:
    assert timeout_ms(value) == str(int(value))


@pytest.mark.parametrize("value", [b"", b"0", b"3600001", b"-1", b"1.5", b"1s", b"99999999999999999999", b"\xb2"])
def test_timeouts_out_of_range(value: bytes) -> None:
    with pytest.raises(FaasError, match="1 to 3600000"):
        timeout_ms(value)


def test_ids() -> None:
    assert caller_id({}) is None
    assert caller_id({b"faas-id": b"job:7.a~b_c-1"}) == "job:7.a~b_c-1"
    for bad in (b"", b"a b", b"x" * 129, b"a/b", b"a\x01", b"\xe9"):
        with pytest.raises(FaasError) as refusal:
            caller_id({b"faas-id": bad})
        assert refusal.value.code is Code.INVALID_HEADER


@pytest.mark.parametrize("length", [b"101", b"9" * 30, b"-1", b"abc"])
def test_a_length_over_the_limit_is_refused_before_reading(length: bytes) -> None:
    with pytest.raises(FaasError) as refusal:
        check_length({b"content-length": length}, 100)
    assert refusal.value.code is Code.PAYLOAD_TOO_LARGE
    assert "100" in refusal.value.message


def test_a_length_within_the_limit_passes() -> None:
    check_length({b"content-length": b"100"}, 100)
    check_length({}, 100)


class Body:
    """What an ASGI server would give."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)

    async def receive(self) -> dict[str, Any]:
        return self.messages.pop(0)


def part(body: bytes, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=6), st.integers(0, 120))
def test_a_body_is_read_whole_or_refused_as_soon_as_it_is_too_large(parts: list[bytes], limit: int) -> None:
    body = Body(*(part(data, index < len(parts) - 1) for index, data in enumerate(parts)))
    whole = b"".join(parts)
    if len(whole) <= limit:
        assert asyncio.run(read_body(body.receive, limit)) == whole
        return
    with pytest.raises(FaasError) as refusal:
        asyncio.run(read_body(body.receive, limit))
    assert refusal.value.code is Code.PAYLOAD_TOO_LARGE
    read = len(parts) - len(body.messages)
    assert len(b"".join(parts[: read - 1])) <= limit  # nothing was read beyond the part that crossed the limit


def test_a_sender_that_leaves_is_noticed() -> None:
    with pytest.raises(Disconnected):
        asyncio.run(read_body(Body(part(b"a", True), {"type": "http.disconnect"}).receive, 10))
    with pytest.raises(Disconnected):
        asyncio.run(read_body(Body({"type": "http.disconnect"}).receive, 10))
