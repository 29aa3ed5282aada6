"""CloudEvents 1.0 over HTTP: what is taken, what is refused, and that nothing is lost on the way back."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faas_runtime.cloudevents import CloudEvent, event_document, read_event
from faas_runtime.errors import CallError

STRUCTURED = [(b"content-type", b"application/cloudevents+json")]
CORE = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**53), 2**53), st.text(st.characters(codec="utf-8"))),
    st.lists,
    max_leaves=8,
)


@given(
    id=WORDS,
    data=st.one_of(st.none(), st.binary(), VALUES),
    subject=st.one_of(st.none(), WORDS),
    extensions=st.dictionaries(st.from_regex(r"x[a-z0-9]{0,10}", fullmatch=True), st.one_of(WORDS, st.booleans())),
)
def test_structured_round_trip(id: str, data: object, subject: str | None, extensions: dict[str, object]) -> None:
    event = CloudEvent(id=id, source="/s", type="t", data=data, subject=subject, extensions=extensions)
    again = read_event(STRUCTURED, json.dumps(event_document(event)).encode())
    assert {name: getattr(again, name) for name in CloudEvent.__slots__} == {
        name: getattr(event, name) for name in CloudEvent.__slots__
    }


def binary(**attributes: str) -> list[tuple[bytes, bytes]]:
    return [(f"ce-{name}".encode(), value.encode("latin-1")) for name, value in (CORE | attributes).items()]


def test_binary_mode() -> None:
    headers = [*binary(subject="a%20%C3%BC", time="2026-01-02T03:04:05Z", tenant="x"), (b"content-type", b"text/xml")]
    event = read_event(headers, b"<a/>")
    assert (event.subject, event.time, event.datacontenttype) == ("a ü", "2026-01-02T03:04:05Z", "text/xml")
    assert (event.data, event.extensions) == ("<a/>", {"tenant": "x"})
    assert read_event(binary(), b"").data is None
    assert read_event(binary(), b"[1]").data == [1]
    assert read_event([*binary(), (b"content-type", b"application/vnd.x+json; a=b")], b"[1]").data == [1]


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        ([], b"{}", "is no CloudEvent"),
        (binary(specversion="0.3"), b"", "specversion must be '1.0', but is '0.3'"),
        (binary(id=""), b"", "'id' must be a non-empty string"),
        (binary(), b"{", "data is not application/json"),
        ([*binary(), (b"content-type", b"text/plain")], b"\xff", "data is not text/plain"),
        ([(b"content-type", b"application/cloudevents-batch+json")], b"[]", "a batch of CloudEvents is not supported"),
        ([(b"content-type", b"application/cloudevents+xml")], b"", "only the JSON format"),
        (STRUCTURED, b"[]", "is not a JSON object"),
        (STRUCTURED, b"[" * 100_000, "is not a JSON object"),
        (STRUCTURED, json.dumps(CORE | {"id": 5}).encode(), "'id' must be a non-empty string"),
        (STRUCTURED, json.dumps(CORE | {"subject": 5}).encode(), "'subject' must be a string"),
        (STRUCTURED, json.dumps(CORE | {"X-Y": "a"}).encode(), "attribute name 'X-Y'"),
        (STRUCTURED, json.dumps(CORE | {"x": [1]}).encode(), "'x' must be a string, a whole number or a boolean"),
        (STRUCTURED, json.dumps(CORE | {"data": 1, "data_base64": ""}).encode(), "data or data_base64, not both"),
        (STRUCTURED, json.dumps(CORE | {"data_base64": "%"}).encode(), "data_base64 of the CloudEvent is not base64"),
        (STRUCTURED, json.dumps(CORE | {"data_base64": 1}).encode(), "data_base64 of the CloudEvent is not base64"),
    ],
)
def test_refused(headers: list[tuple[bytes, bytes]], body: bytes, message: str) -> None:
    with pytest.raises(CallError) as caught:
        read_event(headers, body)
    assert (caught.value.status, caught.value.code) == (400, "bad_request")
    assert message in caught.value.message


@given(
    st.lists(
        st.tuples(st.sampled_from([b"ce-id", b"ce-type", b"ce-x", b"content-type", b"ce-specversion"]), st.binary())
    ),
    st.binary(),
)
def test_anything_is_taken_or_refused(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    with contextlib.suppress(CallError):
        assert read_event(headers, body).specversion == "1.0"
