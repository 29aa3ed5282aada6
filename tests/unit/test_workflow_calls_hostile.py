"""Documents, answers and challenges that mean no good end in errors of calls, never in others."""

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from services.contracts.workflow.auth import Endpoint, ExternalResource, SecretAuthentication
from services.contracts.workflow.calls import AsyncApiArguments, Message
from services.workflow.calls.answers import content_of
from services.workflow.calls.asyncapi import message_of
from services.workflow.calls.channels import Channel, channel_of
from services.workflow.calls.digest import answer, challenge_of
from services.workflow.calls.documents import Document
from services.workflow.calls.exchange import Reply, Request
from services.workflow.calls.natsline import Inbound
from services.workflow.calls.openapi import request_of
from services.workflow.calls.operations import check_given, operation_of
from services.workflow.calls.policies import resolved
from services.workflow.calls.problems import CallError
from services.workflow.calls.redirects import redirected

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(
    ["#/components/x", "#/", "{a}", "{", "http://[", "query", "path", "body", "formData", "header", "cookie",
     "a", "x", "nats"]
)  # fmt: skip
KEYS = [
    "openapi", "swagger", "paths", "/a/{b}", "get", "post", "operationId", "parameters", "name", "in", "$ref", "schema",
    "servers", "url", "variables", "default", "requestBody", "content", "application/json", "host", "basePath",
    "schemes", "consumes", "required", "style", "explode", "collectionFormat", "asyncapi", "operations", "channel",
    "channels", "address", "messages", "correlationId", "location", "protocol", "publish", "message", "a", "x",
    "components", "enum",
]  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(KEYS), values, max_size=6)
URL_OF = URL("https://docs.example/x")


@settings(max_examples=100)
@given(
    version=st.sampled_from(["3.0.3", "2.0", 3, None]),
    rest=objects,
    item=objects,
    operation=objects,
    parameters=objects,
)
def test_openapi_documents(version: Any, rest: Any, item: Any, operation: Any, parameters: Any) -> None:
    path = {"/a/{b}": item | {"get": operation | {"operationId": "x"}}}
    document = rest | {"openapi": version, "swagger": version, "paths": path}
    with contextlib.suppress(CallError):
        found = operation_of(Document(document, URL_OF, "the document"), "x")
        check_given(found, parameters, "the document")
        made = request_of(found, parameters, "key", False)
        assert made.url.scheme in ("http", "https")


@settings(max_examples=100)
@given(version=st.sampled_from(["3.0.0", "2.6.0"]), rest=objects, operation=objects, channel=objects, server=objects)
def test_asyncapi_documents(version: str, rest: Any, operation: Any, channel: Any, server: Any) -> None:
    document = rest | {
        "asyncapi": version, "servers": {"a": server | {"protocol": "nats"}}, "channels": {"x": channel},
        "operations": {"x": {"channel": {"$ref": "#/channels/x"}} | operation},
    }  # fmt: skip
    resource = ExternalResource(endpoint=Endpoint(uri="https://x.example"))
    for names in ({"channel": "x"}, {"operation": "x"}):
        given_: Any = names
        arguments = AsyncApiArguments(document=resource, message=Message(), **given_)
        with contextlib.suppress(CallError):
            found = channel_of(Document(document, URL_OF, "the document"), arguments)
            assert not set(found.subject) & set(" \r\n\t\x00")


@given(
    kind=st.sampled_from(["application/json", "text/plain; charset=", "text/x; charset=idna", "", "x"]),
    body=st.binary(),
)
def test_answers(kind: str, body: bytes) -> None:
    with contextlib.suppress(CallError):
        content_of(Reply(200, [("Content-Type", kind)], body), "place")
    channel = Channel(host="h", port=1, tls=False, subject="s", correlation=("payload", ("a", "b")))
    assert message_of(Inbound({}, body), channel).keys() >= {"payload", "headers"}


@given(st.text(max_size=200))
def test_challenges(header: str) -> None:
    challenge = challenge_of(f"Digest {header}")
    if challenge is not None:
        with contextlib.suppress(CallError):
            made = answer(challenge, method="GET", uri="/", body=b"", username="u", password="p", cnonce="c")
            assert not set(made) & set("\r\n\x00")


@given(st.text(max_size=100))
def test_locations(location: str) -> None:
    request = Request(method="GET", url=URL("https://a.example/x"), headers={}, place="GET")
    with contextlib.suppress(CallError):
        found = redirected(request, Reply(302, [("Location", location)], b""))
        assert found is None or found.url.scheme == "https"


@given(scheme=st.sampled_from(["basic", "bearer", "digest", "oauth2", "oidc"]), secret=values)
def test_secrets(scheme: Any, secret: Any) -> None:
    with contextlib.suppress(CallError):
        resolved(SecretAuthentication(scheme=scheme, use="s"), {"s": secret})


BAD = ["http://[", "http://a:b", "//", "", 3, None, [], {}, "http://u:p@h", "http://h/{x}", "mailto:x", "/a b\n"]


@given(url=st.sampled_from(BAD), variables=objects, method=st.sampled_from(["get", "post"]))
def test_servers_and_hosts(url: Any, variables: Any, method: str) -> None:
    paths = {"/a/{b}": {method: {"operationId": "x"}}}
    for document in (
        {"openapi": "3.0.0", "servers": [{"url": url, "variables": variables}], "paths": paths},
        {"openapi": "3.0.0", "servers": url, "paths": paths},
        {"openapi": "3.0.0", "servers": [url], "paths": paths},
        {"swagger": "2.0", "host": url, "basePath": url, "schemes": [url], "consumes": url, "paths": paths},
    ):
        with contextlib.suppress(CallError):
            request_of(operation_of(Document(document, URL_OF, "the document"), "x"), {}, "key", False)


@given(host=st.sampled_from(BAD), address=st.sampled_from(BAD), variables=objects)
def test_servers_of_nats(host: Any, address: Any, variables: Any) -> None:
    server = {"host": host, "url": host, "protocol": "nats", "variables": variables}
    document = {
        "asyncapi": "3.0.0", "servers": {"a": server, "b": address},
        "channels": {"x": {"address": address, "servers": host}},
        "operations": {"x": {"channel": {"$ref": "#/channels/x"}}},
    }  # fmt: skip
    resource = ExternalResource(endpoint=Endpoint(uri="https://x.example"))
    arguments = AsyncApiArguments(document=resource, message=Message(), operation="x")
    with contextlib.suppress(CallError):
        channel_of(Document(document, URL_OF, "the document"), arguments)
