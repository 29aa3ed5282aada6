"""Headers of calls are checked, and nothing of them can add a line to the request that a Pod gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts import headers
from services.contracts.errors import Code, FaasError
from services.router import request
from services.router.coldstart import Preference


def read(body: bytes = b"{}", **fields: str) -> request.Request:
    """Reads a message's headers; underscores stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return request.read(named, body, "add.default", request.call_id(named) or "made")


def lines(asked: request.Request) -> list[str]:
    """The lines of the request's head."""
    assert asked.head.endswith(b"Faas-Timeout-Ms: ")
    return asked.head.decode("latin-1").split("\r\n")


def code_of(**fields: str) -> Code:
    """The code of the error that these headers make."""
    with pytest.raises(FaasError) as caught:
        read(**fields)
    return caught.value.code


def test_a_call_without_headers_is_a_post_of_its_body() -> None:
    asked = request.read(None, b"12345", "add.default", "made-1")
    assert lines(asked) == [
        "POST / HTTP/1.1", "Host: add.default", "Faas-Id: made-1", "Content-Length: 5", "Faas-Timeout-Ms: ",
    ]  # fmt: skip
    assert asked.outside
    assert asked.timeout is None


def test_what_a_gateway_sends_is_read() -> None:
    asked = read(
        Faas_Id="abc", Faas_Progress="faas.sys.progress.gw", Faas_Timeout_Ms="1500", Faas_Cold_Start="wait=3",
        Content_Type="application/json", traceparent="00-1-2-01", Ce_Id="7", X_Other="no", Authorization="no",
    )  # fmt: skip
    assert (asked.id, asked.outside, asked.progress, asked.timeout) == ("abc", False, "faas.sys.progress.gw", 1.5)
    assert asked.preference == Preference(wait=True, seconds=3.0)
    sent = lines(asked)
    assert sent[:5] == [
        "POST / HTTP/1.1", "Host: add.default", "Faas-Id: abc", "Content-Length: 2", "Content-Type: application/json",
    ]  # fmt: skip
    assert sorted(sent[5:-1]) == ["Ce-Id: 7", "traceparent: 00-1-2-01"]


def test_a_caller_of_another_account_cannot_speak_for_a_gateway() -> None:
    asked = read(Faas_Progress="faas.sys.progress.gw", Nats_Request_Info='{"acc":"default"}')
    assert asked.outside
    assert asked.progress == ""


def test_a_request_through_the_proxy_address_keeps_method_path_and_query() -> None:
    asked = read(Faas_Http_Method="PUT", Faas_Http_Path="/a/b%20c", Faas_Http_Query="x=1&y=[2]", Cookie="a=1")
    assert lines(asked)[:5] == [
        "PUT /a/b%20c?x=1&y=[2] HTTP/1.1", "Host: add.default", "Faas-Id: made", "Faas-Proxy: 1", "Content-Length: 2",
    ]  # fmt: skip
    assert "Cookie: a=1" in lines(asked)
    head = read(body=b"", Faas_Http_Method="HEAD")
    assert head.without_body
    assert lines(head)[0] == "HEAD / HTTP/1.1"
    assert not any(line.startswith("Content-Length") for line in lines(head))
    assert "Content-Length: 0" in lines(read(body=b"", Faas_Http_Method="POST"))


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e3", "abc", "10 ", "1" * 13, "٣"])
def test_times_that_are_no_whole_milliseconds_are_refused(text: str) -> None:
    assert code_of(Faas_Timeout_Ms=text) is Code.INVALID_HEADER


def test_a_time_is_bounded_by_what_the_bus_can_answer() -> None:
    assert read(Faas_Timeout_Ms="999999999999").timeout == 3600.0
    assert read(Faas_Timeout_Ms="0").timeout == 0.0


@pytest.mark.parametrize("text", ["", " ", "a b", "a\nb", "a\r", "é", "x" * 129, "a/b", '"'])
def test_ids_of_other_characters_or_lengths_are_refused(text: str) -> None:
    assert code_of(Faas_Id=text) is Code.INVALID_HEADER


@pytest.mark.parametrize("method", ["get", "CONNECT", "TRACE", "", "GET /", "POST\r\n"])
def test_other_methods_are_refused(method: str) -> None:
    assert code_of(Faas_Http_Method=method) is Code.METHOD_NOT_ALLOWED


@pytest.mark.parametrize("path", ["", "a", "/a b", "/a\r\nX: y", "/a?b", "/a#b", "/é", "/" + "a" * 8192, "http://x/"])
def test_paths_that_cannot_stand_in_a_request_line_are_refused(path: str) -> None:
    assert code_of(Faas_Http_Method="GET", Faas_Http_Path=path) is Code.INVALID_HEADER


@pytest.mark.parametrize("query", ["a b", "a\n", "a#b", "é", "a" * 8193])
def test_queries_that_cannot_stand_in_a_request_line_are_refused(query: str) -> None:
    assert code_of(Faas_Http_Method="GET", Faas_Http_Query=query) is Code.INVALID_HEADER


@pytest.mark.parametrize("name", ["Content-Type", "traceparent", "Cookie", "ce-subject"])
@pytest.mark.parametrize("value", ["a\nX: y", "a\r", "\0", "a\x7f", "€"])
def test_values_with_control_characters_or_beyond_latin_1_are_refused(name: str, value: str) -> None:
    assert code_of(**{name.replace("-", "_"): value}) is Code.INVALID_HEADER


KNOWN = st.sampled_from(
    [
        headers.CONTENT_TYPE, headers.ID, headers.TIMEOUT_MS, headers.COLD_START, headers.TRACEPARENT, headers.METHOD,
        headers.PATH, headers.QUERY, headers.PROGRESS, "cookie", "Accept", "ce-id",
    ]
)  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=20), st.sampled_from(["GET", "/", "wait", "5", "a=1", "x\r\ny: z", "/ HTTP/1.1\r\n"])
)


@given(st.dictionaries(st.one_of(KNOWN, st.text(max_size=10)), VALUES, max_size=6))
def test_no_header_adds_a_line_to_the_request(fields: dict[str, str]) -> None:
    try:
        asked = request.read(fields, b"", "add.default", request.call_id(fields) or "made")
    except FaasError as error:
        if error.code not in (Code.INVALID_HEADER, Code.METHOD_NOT_ALLOWED):
            raise
        return
    head = asked.head.decode("latin-1")
    first, *rest = head.split("\r\n")
    assert first.count(" ") == 2
    assert first.endswith(" HTTP/1.1")
    assert len(rest) <= len(fields) + 5
    assert all(": " in line for line in rest)
    assert "\n" not in head.replace("\r\n", "")
    assert "\r" not in head.replace("\r\n", "")


def test_headers_beyond_what_a_pod_takes_are_refused() -> None:
    assert code_of(User_Agent="a" * 70_000) == Code.HEADERS_TOO_LARGE
    assert len(read(User_Agent="a" * 65_000).head) < headers.MAX_HEADERS
