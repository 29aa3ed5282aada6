"""The proxy address: what of a path, a query and header fields may pass."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.gateway.proxy import address_of, checked_path, checked_query, proxy_headers

BASE = b"/api/v1/namespaces/default/functions/web/proxy"


@pytest.mark.parametrize(
    ("tail", "path"),
    [(b"", "/"), (b"/", "/"), (b"/a/b", "/a/b"), (b"/a//b/", "/a//b/"), (b"/%20%C3%A9", "/%20%C3%A9"),
     (b"/a.b/..c", "/a.b/..c")],
)  # fmt: skip
def test_the_sub_path_travels_as_it_came(tail: bytes, path: str) -> None:
    assert address_of(BASE + tail) == (FunctionRef("default", "web"), path)


@pytest.mark.parametrize(
    "path",
    [b"/default/add", b"/api/v1/namespaces/default/functions/web", BASE + b"x", b"/x" + BASE,
     b"/api/v1/namespaces/a/b/functions/web/proxy/"],
)  # fmt: skip
def test_other_paths_are_not_proxied(path: bytes) -> None:
    assert address_of(path) is None


@pytest.mark.parametrize("name", [b"a.b", b"*", b"%2A", b"", b"A", b"x" * 64])
def test_names_are_checked(name: bytes) -> None:
    with pytest.raises(FaasError) as refusal:
        address_of(b"/api/v1/namespaces/default/functions/" + name + b"/proxy/x")
    assert refusal.value.code is Code.INVALID_NAME


@pytest.mark.parametrize(
    "path",
    ["/..", "/a/../b", "/a/./b", "/%2e%2e/a", "/.%2E", "/a%2fb", "/a%5Cb", "/%00", "/%0d%0aX:1", "/%zz", "/%", "/a b",
     "/a\\b", "/a\r\nb", "/é", "/" + "x" * 9000],
)  # fmt: skip
def test_paths_that_readers_could_disagree_on_are_refused(path: str) -> None:
    with pytest.raises(FaasError) as refusal:
        checked_path(path)
    assert refusal.value.code is Code.BAD_REQUEST


@given(st.text(alphabet=st.sampled_from("./%2eEfF5cCaA0dD \\\r\n"), max_size=24))
def test_no_path_passes_with_dots_or_line_ends(tail: str) -> None:
    try:
        path = checked_path("/" + tail)
    except FaasError:
        return
    decoded = re.sub("%2[eE]", ".", path)
    assert not any(segment in (".", "..") for segment in decoded.split("/"))
    assert path.isascii()
    assert path.isprintable()
    assert " " not in path


@given(st.binary(max_size=60))
def test_a_query_passes_whole_or_not_at_all(query: bytes) -> None:
    try:
        text = checked_query(query)
    except FaasError:
        return
    assert text.encode() == query
    assert text.isprintable()
    assert not set(text) & {" ", "#"}


def test_headers_of_a_proxied_call() -> None:
    found = {
        b"host": b"localhost:8080", b"authorization": b"Bearer secret", b"cookie": b"a=1",
        b"x-forwarded-for": b"9.9.9.9",
        b"nats-msg-id": b"1", b"faas-progress": b"x", b"connection": b"close", b"accept": b"text/html",
        b"x-other": b"1",
    }  # fmt: skip
    out = proxy_headers(found, "i-1", "PATCH", "/a", b"x=1", "127.0.0.1")
    assert out == {
        "Faas-Id": "i-1", "Faas-Http-Method": "PATCH", "Faas-Http-Path": "/a", "Faas-Http-Query": "x=1",
        "cookie": "a=1",
        "accept": "text/html", "x-forwarded-for": "9.9.9.9, 127.0.0.1", "x-forwarded-host": "localhost:8080",
        "x-forwarded-proto": "http",
    }  # fmt: skip
