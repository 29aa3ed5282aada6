"""Answers as bytes: nothing of an author's can change the frame."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faas_runtime.call import Call
from faas_runtime.context import Function
from faas_runtime.errors import CallError
from faas_runtime.invoke import Codec, Handler, compile_sync
from faas_runtime.limits import MAX_RESULT
from faas_runtime.response import Response, answer, error_answer, json_answer


class Parsed:
    """An answer as a client's parser sees it."""

    def __init__(self, data: bytes) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = 0
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(data)
        self.status = parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.complete += 1


class Nowhere:
    """A connection that is never answered here."""

    def respond(self, call: Call, answer: bytes) -> None:
        raise AssertionError


def result_of(result: object) -> Parsed:
    run = compile_sync(Handler(lambda event: result, "sync", "json", False, Codec()), Function("a", "b", "c"))
    parsed = Parsed(run(Call(Nowhere(), b"POST", b"/", [], b"1", True)))
    assert parsed.complete == 1
    return parsed


TEXTS = st.text(max_size=30)
NAMES = st.one_of(TEXTS, st.sampled_from(["X-A", "Connection", "Faas-Error", "content-length"]))


@given(
    body=st.one_of(st.none(), st.binary(), TEXTS, st.dictionaries(TEXTS, st.integers())),
    status=st.integers(200, 599),
    headers=st.dictionaries(
        st.one_of(TEXTS, st.sampled_from(["X-A", "Connection", "Faas-Error", "content-length"])), TEXTS
    ),
    content_type=st.one_of(st.none(), TEXTS),
)
def test_whatever_an_author_answers_is_one_whole_response(
    body: object, status: int, headers: dict[str, str], content_type: str | None
) -> None:
    try:
        response = Response(body, status, headers, content_type)
    except ValueError:
        return
    parsed = result_of(response)
    names = [name for name, _ in parsed.headers]
    assert b"connection" not in names
    assert names.count(b"content-length") <= 1
    assert (b"faas-error" in names) == (parsed.status == 500 and parsed.body.startswith(b'{"code":'))
    if b"faas-error" not in names:
        assert parsed.status == status


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "ü"])
@pytest.mark.parametrize("value", ["", "fine"])
def test_header_names(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="is no HTTP header name"):
        Response(headers={name: value})


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0", "\u20ac"])
def test_header_values(value: str) -> None:
    with pytest.raises(ValueError, match="header X cannot have the value"):
        Response(headers={"X": value})
    with pytest.raises(ValueError, match="is no content type"):
        Response(content_type=value)


@pytest.mark.parametrize("status", [0, 99, 100, 101, 199, 600, "200", None, 200.0])
def test_status(status: object) -> None:
    with pytest.raises(ValueError, match="status must be a whole number from 200 to 599"):
        Response(status=status)  # type: ignore[arg-type]


def test_the_limit_counts_body_and_headers() -> None:
    assert Parsed(json_answer(b"1" * MAX_RESULT, 0.0)).status == 200
    with pytest.raises(CallError, match=f"the result has {MAX_RESULT + 1} bytes, the limit is {MAX_RESULT}"):
        json_answer(b"1" * (MAX_RESULT + 1), 0.0)
    with pytest.raises(CallError, match="the result has"):
        answer(200, "a/b", [(b"x", b"y" * 100)], b"1" * (MAX_RESULT - 50), 0.0)


@given(code=st.sampled_from(["busy", "handler_failed"]), message=st.text())
def test_error_answer(code: str, message: str) -> None:
    try:
        message.encode()
    except UnicodeEncodeError:
        return
    parsed = Parsed(error_answer(500, code, message))
    assert (parsed.status, parsed.complete, (b"faas-error", code.encode()) in parsed.headers) == (500, 1, True)
