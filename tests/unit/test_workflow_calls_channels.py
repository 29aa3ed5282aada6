"""Servers and subjects of AsyncAPI documents."""

from typing import Any

import pytest
from yarl import URL

from services.contracts.workflow.auth import (
    BasicAuthentication,
    BearerAuthentication,
    DigestAuthentication,
    Endpoint,
    ExternalResource,
)
from services.contracts.workflow.calls import AsyncApiArguments, AsyncApiServer, Consume, Message, Subscription
from services.workflow.calls.asyncapi import headers_of, login_of, message_of
from services.workflow.calls.channels import Channel, channel_of
from services.workflow.calls.documents import Document
from services.workflow.calls.natsline import Inbound
from services.workflow.calls.problems import CallError

V3: dict[str, Any] = {
    "asyncapi": "3.0.0",
    "servers": {
        "web": {"host": "web.example", "protocol": "ws"},
        "main": {"host": "nats.example:4333", "protocol": "nats"},
        "region": {
            "host": "{env}.nats.example", "protocol": "nats",
            "variables": {"env": {"default": "eu", "enum": ["eu", "us"]}},
        },
    },
    "channels": {
        "news": {
            "address": "news.{topic}",
            "parameters": {"topic": {"default": "all"}},
            "servers": [{"$ref": "#/servers/region"}],
            "messages": {"item": {"correlationId": {"location": "$message.payload#/meta/id"}}},
        },
        "free": {"address": "free.{x}"},
        "bad": {"address": "a..b"},
    },
    "operations": {
        name: {"action": "send", "channel": {"$ref": f"#/channels/{name}"}} for name in ("news", "free", "bad")
    },
}  # fmt: skip
V2: dict[str, Any] = {
    "asyncapi": "2.6.0",
    "servers": {"main": {"url": "nats://nats.example:4333", "protocol": "nats"}},
    "channels": {
        "orders": {
            "publish": {"message": {"correlationId": {"location": "$message.header#/Trace"}}},
            "subscribe": {"message": {"$ref": "#/components/messages/o"}},
        },
        "once": {"subscribe": {}},
    },
    "components": {"messages": {"o": {"correlationId": {"$ref": "#/components/correlationIds/c"}}},
                   "correlationIds": {"c": {"location": "$message.header#/Trace"}}},
}  # fmt: skip


def server(name: str, **variables: Any) -> AsyncApiServer:
    given: Any = variables
    return AsyncApiServer(name=name, variables=given)


def channel(document: dict[str, Any], *, hears: bool = False, **more: Any) -> Channel:
    what: dict[str, Any] = {"message": Message()}
    if hears:
        what = {"subscription": Subscription(consume=Consume(amount=1))}
    resource = ExternalResource(endpoint=Endpoint(uri="https://x.example"))
    arguments = AsyncApiArguments(document=resource, **what, **more)
    return channel_of(Document(document, URL("https://x.example"), "the document"), arguments)


def test_operations_of_asyncapi_3() -> None:
    found = channel(V3, operation="news")
    assert (found.host, found.port, found.tls, found.subject) == ("eu.nats.example", 4222, False, "news.all")
    assert found.correlation == ("payload", ("meta", "id"))
    us = channel(V3, operation="news", server=server("region", env="us"))
    assert us.host == "us.nats.example"
    main = channel(V3, operation="news", server=AsyncApiServer(name="main"))
    assert (main.host, main.port) == ("nats.example", 4333)


def test_channels_of_asyncapi_2() -> None:
    found = channel(V2, channel="orders")
    assert (found.host, found.port, found.subject) == ("nats.example", 4333, "orders")
    assert channel(V2, channel="orders", hears=True).correlation == ("header", ("Trace",))


@pytest.mark.parametrize(
    ("document", "more", "why"),
    [
        (V3, {"channel": "news"}, "expected operation, not channel"),
        (V2, {"operation": "orders"}, "expected channel, not operation"),
        (V3, {"operation": "none"}, "no operation none; there are: news, free, bad"),
        (V2, {"channel": "none"}, "no channel none; there are: orders, once"),
        (V2, {"channel": "once"}, "once has no publish"),
        (V3, {"operation": "free"}, "the parameter x of free.{x} has no default"),
        (V3, {"operation": "bad"}, "is no NATS subject"),
        (V3, {"operation": "news", "server": AsyncApiServer(name="web")}, "no server with the protocol nats.*found ws"),
        (V3, {"operation": "news", "server": AsyncApiServer(name="gone")}, "no server gone; there are: web, main"),
        (V3, {"operation": "news", "server": server("region", env="moon")}, "variable env"),
        ({"asyncapi": "1.0.0"}, {"channel": "x"}, "expected AsyncAPI 2.x or 3.x"),
    ],
)
def test_what_is_wrong_is_told(document: dict[str, Any], more: dict[str, Any], why: str) -> None:
    with pytest.raises(CallError, match=why) as raised:
        channel(document, **more)
    assert raised.value.error["status"] == 400


def test_messages_as_the_language_has_them() -> None:
    place = Channel(host="h", port=1, tls=False, subject="s", correlation=("payload", ("meta", "id")))
    found = message_of(Inbound({"A": "b"}, b'{"meta":{"id":7}}'), place)
    assert found == {"payload": {"meta": {"id": 7}}, "headers": {"A": "b"}, "correlationId": "7"}
    assert message_of(Inbound({}, b"text"), place) == {"payload": "text", "headers": {}}
    assert message_of(Inbound({}, b"\xff"), place)["payload"] == "/w=="
    assert message_of(Inbound({}, b""), place)["payload"] is None


def test_what_nats_can_carry() -> None:
    assert headers_of({"A": 1, "B": " x "}) == {"A": "1", "B": "x"}
    wrong: Any
    for wrong in ({"A\r\nB": "x"}, {"A": "x\r\nB: y"}, {"Nats-Msg-Id": "1"}, {"A": {}}, []):
        with pytest.raises(CallError):
            headers_of(wrong)
    assert login_of(BasicAuthentication(username="u", password="p")) == {"user": "u", "pass": "p"}
    assert login_of(BearerAuthentication(token="t")) == {"auth_token": "t"}
    with pytest.raises(CallError, match="NATS takes basic"):
        login_of(DigestAuthentication(username="u", password="p"))
