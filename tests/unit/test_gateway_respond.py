"""From a reply on the bus to an HTTP answer."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts import headers
from services.contracts.errors import Code, FaasError
from services.gateway.respond import reply_headers, send_body, send_error, status_of


@pytest.mark.parametrize("text", ["200", "204", "404", "599"])
def test_statuses(text: str) -> None:
    assert status_of({"Faas-Status": text}) == int(text)


@pytest.mark.parametrize("text", ["", "100", "101", "199", "600", "20", "2000", "²00", "abc", "-20"])
def test_a_status_that_ends_no_call_is_an_internal_error(text: str) -> None:
    with pytest.raises(FaasError) as refusal:
        status_of({"Faas-Status": text})
    assert refusal.value.code is Code.INTERNAL


def test_allow_listed_headers_travel_back_and_no_others() -> None:
    reply = {
        "Faas-Status": "200", "Content-Type": "text/html", "Faas-Pod": "p", "Faas-Duration": "1.5", "Retry-After": "2",
        "Faas-Error": "busy", "etag": '"1"', "location": "/x", "server": "mine", "connection": "close",
        "transfer-encoding": "chunked", "content-length": "3", "access-control-allow-origin": "*",
    } | headers.pack_cookies(["a=1; Path=/", "b=2"])  # fmt: skip
    assert sorted(reply_headers(reply, "i")) == sorted(
        [
            (b"faas-id", b"i"), (b"content-type", b"text/html"), (b"faas-pod", b"p"), (b"faas-duration", b"1.5"),
            (b"retry-after", b"2"), (b"faas-error", b"busy"), (b"etag", b'"1"'), (b"location", b"/x"),
            (b"set-cookie", b"a=1; Path=/"), (b"set-cookie", b"b=2"),
        ]
    )  # fmt: skip


@given(st.dictionaries(st.sampled_from(["Content-Type", "etag", "set-cookie", "set-cookie-1", "Faas-Pod"]), st.text()))
def test_no_value_can_end_a_line(reply: dict[str, str]) -> None:
    for _, value in reply_headers(reply, "i"):
        assert not any(byte < 32 or byte == 127 for byte in value)


def sent(coroutine_of: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    asyncio.run(coroutine_of(send))
    return messages


def test_a_status_without_a_body_has_neither_body_nor_length() -> None:
    start, body = sent(lambda send: send_body(send, 204, [], b"ignored"))
    assert (start["headers"], body["body"]) == ([], b"")


def test_an_error_is_its_document_with_its_code_in_a_header() -> None:
    error = FaasError(Code.FUNCTION_STARTING, "starting", retry_after=2)
    start, body = sent(lambda send: send_error(send, error, "i-1"))
    fields = dict(start["headers"])
    assert start["status"] == 503
    assert (fields[b"faas-error"], fields[b"retry-after"], fields[b"faas-id"]) == (b"function_starting", b"2", b"i-1")
    assert body["body"] == b'{"code":"function_starting","message":"starting"}'


def test_who_has_no_token_is_told_how_to_send_one() -> None:
    start, _ = sent(lambda send: send_error(send, FaasError(Code.UNAUTHORIZED, "no")))
    assert dict(start["headers"])[b"www-authenticate"].startswith(b"Bearer")
