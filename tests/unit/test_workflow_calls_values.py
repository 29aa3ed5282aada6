"""Arguments of calls as HTTP writes them; which calls may be repeated."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from services.contracts.workflow.auth import Endpoint, ExternalResource
from services.contracts.workflow.calls import (
    AsyncApiArguments,
    Consume,
    HttpArguments,
    Message,
    OpenApiArguments,
    Subscription,
)
from services.workflow.calls import repeatable
from services.workflow.calls.exchange import Reply, Request
from services.workflow.calls.problems import CallError
from services.workflow.calls.redirects import redirected
from services.workflow.calls.values import body_of, headers_of, method_of, query_of, url_of


def test_headers_are_texts_by_lower_case_name() -> None:
    given = {"X-Number": 3, "X-True": True, "X-Gone": None, "x-text": " a b "}
    assert headers_of(given) == {"x-number": "3", "x-true": "true", "x-text": "a b"}
    assert headers_of(None) == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"X": "a\r\nY: b"}, {"X": "a\nb"}, {"X": "a\x00"}, {"X\r\nY": "a"}, {"X Y": "a"}, {"": "a"}, {"X:": "a"},
        {"Host": "other"}, {"content-length": 3}, {"Transfer-Encoding": "chunked"}, {"Connection": "x"},
        {"Proxy-Authorization": "x"}, {"X": {"a": 1}}, {"X": [1]}, "text", [1],
    ],
)  # fmt: skip
def test_headers_that_would_split_or_move_a_request_are_refused(headers: Any) -> None:
    with pytest.raises(CallError) as raised:
        headers_of(headers)
    assert raised.value.error["status"] == 400


@given(st.text(max_size=50), st.text(max_size=50))
def test_no_header_has_a_line_break(name: str, value: str) -> None:
    try:
        made = headers_of({name: value})
    except CallError:
        return
    for text in [*made.keys(), *made.values()]:
        assert not set(text) & set("\r\n\x00")


def test_query_parameters_are_added_to_those_of_the_uri() -> None:
    query = query_of({"a b": "x&y", "list": [1, None, "z"], "none": None, "yes": True, "ü": "ö"})
    url = url_of("https://x.example/p%2Fq/é?own=1%202#part", query)
    assert str(url) == (
        "https://x.example/p%2Fq/%C3%A9?own=1%202&a%20b=x%26y&list=1&list=z&yes=true&%C3%BC=%C3%B6"
    )  # fmt: skip
    with pytest.raises(CallError, match="an object"):
        query_of({"a": {"b": 1}})


@pytest.mark.parametrize(
    "uri", ["/relative", "ftp://x.example", "//x.example/", "file:///etc/passwd", "http://u:p@x.example/",
            "x", "http://u@x.example/", "http://[::1", "http://x.example:99999/", None, {"a": 1}],
)  # fmt: skip
def test_what_is_no_http_uri_is_refused_without_being_shown(uri: Any) -> None:
    with pytest.raises(CallError) as raised:
        url_of(uri, [])
    assert raised.value.error["status"] == 400
    assert "x.example" not in raised.value.error["detail"]


def test_a_uri_without_a_host_is_one_that_nobody_answers_at() -> None:
    for uri in ("https://", "http:", "http:///path"):
        with pytest.raises(CallError) as raised:
            url_of(uri, [])
        assert (raised.value.error["type"].rpartition("/")[2], raised.value.error["status"]) == ("communication", 503)


def test_methods() -> None:
    assert method_of("get") == "GET"
    wrong: Any
    for wrong in ("", "GET /", "CONNECT", "trace", "a\r\nb", {}, ["get"]):
        with pytest.raises(CallError):
            method_of(wrong)


def test_bodies_by_content_type() -> None:
    assert body_of(None, "") == (None, "")
    assert body_of({"a": [1]}, "") == (b'{"a":[1]}', "application/json")
    assert body_of("text", "") == (b'"text"', "application/json")
    assert body_of("text", "text/plain; charset=utf-8")[0] == b"text"
    assert body_of({"a": 1}, "application/merge-patch+json")[0] == b'{"a":1}'
    assert body_of({"a": "b c", "d": [1, 2]}, "application/x-www-form-urlencoded")[0] == b"a=b+c&d=1&d=2"
    assert body_of({"a": 1}, "application/x-amz-json-1.1")[0] == b'{"a":1}'
    assert body_of('{"a":1}', "application/x-ndjson")[0] == b'{"a":1}'
    assert (body_of(5, "text/plain")[0], body_of(True, "text/plain")[0]) == (b"5", b"true")
    with pytest.raises(CallError, match="text/xml takes a text"):
        body_of({"a": 1}, "text/xml")


def _redirect(location: str, status: int = 302, **more: Any) -> Request | None:
    headers = {"authorization": "s", "cookie": "s", "x-api-key": "s", "accept": "a", "content-type": "j"}
    url = URL(more.pop("url", "https://a.example/x/y?z=1"))
    method, body = more.pop("method", "GET"), more.pop("body", None)
    request = Request(method=method, url=url, headers=headers, body=body, place="GET https://a.example")
    return redirected(request, Reply(status, [("Location", location)], b""))


def test_a_redirect_to_the_same_origin_keeps_what_was_sent() -> None:
    target = _redirect("../up?q=2#f")
    assert target is not None
    assert str(target.url) == "https://a.example/up?q=2"
    assert target.headers["authorization"] == "s"


@pytest.mark.parametrize("location", ["https://b.example/", "https://a.example:444/", "//c.example/"])
def test_a_redirect_to_another_origin_drops_what_may_be_a_credential(location: str) -> None:
    target = _redirect(location)
    assert target is not None
    assert target.headers == {"accept": "a", "content-type": "j"}


def test_redirects_change_the_method_as_browsers_do() -> None:
    for status, method in ((301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")):
        target = _redirect("/t", status, method="POST", body=b"x")
        assert target is not None
        assert (target.method, target.body) == (method, b"x" if method == "POST" else None)
        assert ("content-type" in target.headers) == (method == "POST")
    put = _redirect("/t", 302, method="PUT", body=b"x")
    assert put is not None
    assert put.method == "PUT"


def test_what_is_no_redirect_is_not_followed_and_tls_is_not_given_up() -> None:
    assert _redirect("/t", 304) is None
    assert _redirect("", 302) is None
    for location in ("http://a.example/", "file:///etc/passwd", "https://u:p@b.example/", "http://["):
        with pytest.raises(CallError):
            _redirect(location)


def _document() -> ExternalResource:
    return ExternalResource(endpoint=Endpoint(uri="https://x.example"))


def test_which_calls_may_be_repeated() -> None:
    endpoint = Endpoint(uri="https://x.example")
    may = {
        method: repeatable("http", HttpArguments(method=method, endpoint=endpoint))
        for method in ("get", "HEAD", "options", "put", "DELETE", "post", "PATCH", "custom")
    }
    assert [method for method, yes in may.items() if yes] == ["get", "HEAD", "options", "put", "DELETE"]
    assert not repeatable("openapi", OpenApiArguments(document=_document(), operation_id="x"))
    assert not repeatable("asyncapi", AsyncApiArguments(document=_document(), channel="c", message=Message()))
    hears = AsyncApiArguments(document=_document(), channel="c", subscription=Subscription(consume=Consume(amount=1)))
    assert repeatable("asyncapi", hears)
