"""CloudEvents from outside: what is taken, in which form, and what is said about the others."""

from typing import Any

import msgspec
import pytest

from services.contracts.errors import Code, FaasError
from services.workflow.events.cloudevents import MAX_EVENT, read

EVENT: dict[str, Any] = {"specversion": "1.0", "id": "e-1", "source": "/shop", "type": "order.placed"}


def structured(**changes: Any) -> dict[str, Any]:
    """The event after it has passed the door as a JSON document."""
    event = {name: value for name, value in (EVENT | changes).items() if value is not None}
    decoded: dict[str, Any] = msgspec.json.decode(read("default", {}, msgspec.json.encode(event)).data)
    return decoded


def test_an_event_passes_with_its_extensions_and_data() -> None:
    more = {"time": "2026-01-31T12:00:00.5+01:00", "subject": "x", "region": "eu", "retries": 3, "urgent": True}
    data = {"a": [1, None, "ü"], "Nats-Msg-Id": "data may have any name"}
    assert structured(data=data, **more) == EVENT | more | {"data": data}


def test_binary_mode_is_the_same_event() -> None:
    fields = {
        "ce-specversion": "1.0",
        "Ce-Id": "e-1",
        "CE-Source": "/shop",
        "ce-type": "order.placed",
        "ce-region": "eu",
    }
    incoming = read("default", fields | {"Content-Type": "application/json", "Nats-Msg-Id": "theirs"}, b'{"n":1}')
    assert msgspec.json.decode(incoming.data) == EVENT | {
        "region": "eu",
        "datacontenttype": "application/json",
        "data": {"n": 1},
    }
    assert incoming.key == read("default", {}, msgspec.json.encode(EVENT)).key


@pytest.mark.parametrize(
    ("written", "meant"),
    [("%E2%82%AC %22x%22", '€ "x"'), ('"quoted \\"x\\""', 'quoted "x"'), ("100%", "100%"), ('"', '"'), ("a+b", "a+b")],
)
def test_headers_are_decoded_as_the_bindings_say(written: str, meant: str) -> None:
    fields = {f"ce-{name}": value for name, value in EVENT.items()} | {"ce-region": written}
    assert msgspec.json.decode(read("default", fields, b"").data)["region"] == meant


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("text/plain", "grüße".encode(), {"data": "grüße"}),
        ("application/octet-stream", b"\x00\xff", {"data_base64": "AP8="}),
        ("application/vnd.x+json", b"[1]", {"data": [1]}),
        ("", b"7", {"data": 7}),
        ("application/json", b"", {}),
    ],
)
def test_data_in_binary_mode(content_type: str, body: bytes, expected: dict[str, Any]) -> None:
    fields = {f"ce-{name}": value for name, value in EVENT.items()} | {"Content-Type": content_type}
    event = msgspec.json.decode(read("default", fields, body).data)
    assert {name: value for name, value in event.items() if name.startswith("data") and name != "datacontenttype"} == (
        expected
    )


def test_the_same_source_and_id_are_the_same_event_in_one_namespace_alone() -> None:
    keys = {
        read(namespace, {}, msgspec.json.encode(EVENT | changes)).key
        for namespace, changes in (
            ("default", {}),
            ("default", {"type": "other", "data": 1}),
            ("default", {"id": "e-2"}),
            ("default", {"source": "/s"}),
            ("other", {}),
        )
    }
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": None}, "id is missing"),
        ({"id": ""}, "id must be a text"),
        ({"id": 5}, "id must be a text"),
        ({"source": None}, "source is missing"),
        ({"type": ["a"]}, "type must be a text"),
        ({"specversion": None}, "specversion is missing"),
        ({"specversion": "0.3"}, "specversion is '0.3'"),
        ({"time": "yesterday"}, "time is 'yesterday'"),
        ({"time": "2026-02-31T12:00:00Z"}, "time is"),
        ({"data": 1, "data_base64": "AA=="}, "both data and data_base64"),
        ({"data_base64": "%%"}, "not base64"),
        ({"Region": "eu"}, "'Region'"),
        ({"a.b": "eu"}, "'a.b'"),
        ({"region": {"a": 1}}, "region must be"),
        ({"count": 2**31}, "count must be"),
    ],
)
def test_what_is_no_cloudevent_is_refused_with_the_reason(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(FaasError, match=r".*") as refused:
        structured(**changes)
    assert refused.value.code is Code.BAD_REQUEST
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", Code.INVALID_JSON),
        (b"{", Code.INVALID_JSON),
        (b"[" * 100_000, Code.INVALID_JSON),
        (b'{"a": "\xff"}', Code.INVALID_JSON),
        (b"[]", Code.BAD_REQUEST),
        (b'"text"', Code.BAD_REQUEST),
        (msgspec.json.encode(EVENT | {"data": "x" * MAX_EVENT}), Code.PAYLOAD_TOO_LARGE),
    ],
)
def test_hostile_bodies_are_refused(body: bytes, code: Code) -> None:
    with pytest.raises(FaasError) as refused:
        read("default", {}, body)
    assert refused.value.code is code


def test_every_problem_is_told() -> None:
    with pytest.raises(FaasError) as refused:
        read("default", {}, b"{}")
    assert refused.value.details == [
        f"the attribute {name} is missing" for name in ("specversion", "id", "source", "type")
    ]
