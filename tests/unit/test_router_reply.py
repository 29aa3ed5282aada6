"""Replies from Pods' answers and from errors."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.contracts import headers
from services.contracts.errors import Code, FaasError
from services.router.connection import Answer
from services.router.reply import error_code, from_answer, from_error

JSON = (b"Content-Type", b"application/json")


def test_an_answer_keeps_status_type_duration_and_body() -> None:
    fields = [JSON, (b"Content-Length", b"2"), (b"faas-duration", b"1.25")]
    reply = from_answer(Answer(200, fields, b"{}"), "add-1")
    assert reply == (
        200,
        "",
        {"Faas-Status": "200", "Faas-Pod": "add-1", "Content-Type": "application/json", "Faas-Duration": "1.25"},
        b"{}",
    )


def test_an_error_of_the_pod_keeps_its_code_and_retry_after() -> None:
    answer = Answer(500, [JSON, (b"Faas-Error", b"handler_failed"), (b"Retry-After", b"3")], b"{}")
    reply = from_answer(answer, "add-1")
    assert (reply.status, reply.code) == (500, "handler_failed")
    assert reply.headers["Faas-Error"] == "handler_failed"
    assert reply.headers["Retry-After"] == "3"
    assert error_code(answer) == "handler_failed"
    assert error_code(Answer(200, [JSON], b"")) == ""


def test_only_listed_headers_come_back_and_lists_are_joined() -> None:
    fields = [
        (b"X-Secret", b"no"), (b"Server", b"no"), (b"Faas-Pod", b"forged"), (b"Faas-Status", b"200"),
        (b"Location", b"/x"), (b"Vary", b"a"), (b"vary", b"b"),
    ]  # fmt: skip
    reply = from_answer(Answer(302, fields, b""), "add-1")
    assert reply.headers == {"Faas-Status": "302", "Faas-Pod": "add-1", "location": "/x", "vary": "a, b"}


def test_no_cookie_is_lost() -> None:
    cookies = ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2", "c=3"]
    for count in (1, 3):
        fields = [(b"Set-Cookie", cookie.encode()) for cookie in cookies[:count]]
        reply = from_answer(Answer(200, fields, b""), "add-1")
        assert headers.unpack_cookies(reply.headers) == cookies[:count]


def test_a_result_that_fits_into_no_message_is_too_large() -> None:
    reply = from_answer(Answer(200, [JSON], bytes(headers.MAX_PAYLOAD)), "add-1")
    assert (reply.status, reply.code) == (500, "result_too_large")
    assert reply.headers["Faas-Pod"] == "add-1"
    assert str(headers.MAX_PAYLOAD) in msgspec.json.decode(reply.body)["message"]
    many = [(b"Link", b"x" * 1000)] * 80
    assert from_answer(Answer(200, many, b""), "add-1").code == "result_too_large"
    fits = from_answer(Answer(200, [JSON], bytes(headers.MAX_PAYLOAD - 200)), "add-1")
    assert fits.status == 200
    headers.check_size(fits.headers, fits.body)


def test_errors_carry_code_status_and_retry_after() -> None:
    reply = from_error(FaasError(Code.OVERLOADED, "full", retry_after=1), "add-1")
    assert (reply.status, reply.code) == (503, "overloaded")
    assert reply.headers == {
        "Faas-Status": "503", "Faas-Error": "overloaded", "Content-Type": "application/json", "Faas-Pod": "add-1",
        "Retry-After": "1",
    }  # fmt: skip
    assert msgspec.json.decode(reply.body) == {"code": "overloaded", "message": "full"}


NAMES = st.sampled_from([b"Content-Type", b"faas-error", b"Set-Cookie", b"Vary", b"Link", b"Faas-Duration", b"X"])


@given(st.integers(100, 999), st.lists(st.tuples(NAMES, st.binary(max_size=30)), max_size=6), st.binary(max_size=30))
def test_no_answer_puts_a_control_character_on_the_bus(
    status: int, fields: list[tuple[bytes, bytes]], body: bytes
) -> None:
    reply = from_answer(Answer(status, fields, body), "add-1")
    assert reply.body == body
    for name, value in reply.headers.items():
        assert headers.check_value(name, value) == value
