"""Documents fetched over HTTP; AsyncAPI against a real nats-server, and against servers that only look like one."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import nats
import pytest

from services.contracts.workflow.auth import BasicAuthentication, BearerAuthentication, Endpoint, ExternalResource
from services.contracts.workflow.calls import (
    AsyncApiArguments,
    Consume,
    Message,
    OpenApiArguments,
    Subscription,
)
from services.workflow.calls import Limits, Outside, parse_networks
from tests.support.elsewhere import Elsewhere, nats_elsewhere
from tests.support.outside import Raw, Reply, Seen, answer, door, problem, raw, web

YAML = """
asyncapi: 3.0.0
servers:
  main: { host: "ADDRESS", protocol: nats }
channels:
  news: { address: tenant.news, messages: { item: { correlationId: { location: '$message.header#/Trace' } } } }
  wild: { address: "tenant.>" }
operations:
  tell: { action: send, channel: { $ref: '#/channels/news' } }
  all: { action: receive, channel: { $ref: '#/channels/wild' } }
"""


USERS = """
authorization { users: [
  { user: shop, password: secret }
  { user: reader, password: secret, permissions: { publish: nothing } }
] }
"""
USER = BasicAuthentication(username="shop", password="secret")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    with nats_elsewhere(tmp_path_factory.mktemp("nats"), USERS) as made:
        yield made


def asyncapi(url: str, operation: str = "tell", **more: Any) -> AsyncApiArguments:
    resource = ExternalResource(endpoint=Endpoint(uri=f"{url}/asyncapi.yaml"))
    return AsyncApiArguments(document=resource, operation=operation, **more)


def spec(address: str) -> Any:
    return lambda seen: (200, {"content-type": "application/yaml"}, YAML.replace("ADDRESS", address).encode())


def message(payload: Any = None, headers: Any = None) -> Any:
    given: Any = payload
    return Message(payload=given, headers=headers)


def hears(amount: int = 1) -> Subscription:
    return Subscription(consume=Consume(amount=amount))


def test_publish_and_subscribe(elsewhere: Elsewhere) -> None:
    async def scenario() -> None:
        got: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        plain = await nats.connect(f"nats://shop:secret@127.0.0.1:{elsewhere.port}")
        async with web(spec(f"127.0.0.1:{elsewhere.port}")) as url, door() as outside, asyncio.timeout(20):
            hear = asyncapi(url, "all", subscription=hears(), authentication=USER)
            subscription = asyncio.create_task(outside.call("asyncapi", hear, {}, "k", got.put))
            seen = await plain.subscribe("tenant.>")
            tell = asyncapi(url, message=message({"n": 1}, {"Trace": "t-1"}), authentication=USER)
            await elsewhere.subscribed("tenant.>", 2)
            assert (await outside.call("asyncapi", tell, {}, "k.7")).error is None
            published = await seen.next_msg(5)
            assert published.subject == "tenant.news"
            assert json.loads(published.data) == {"n": 1}
            assert published.headers == {"Trace": "t-1", "Nats-Msg-Id": "k.7"}
            found = await got.get()
            assert found["payload"] == {"n": 1}
            assert found["headers"]["Trace"] == "t-1"
            await plain.publish("tenant.other", b"words")
            assert await got.get() == {"payload": "words", "headers": {}}
            subscription.cancel()
            await asyncio.gather(subscription, return_exceptions=True)
        await plain.close()

    asyncio.run(scenario())


def test_wrong_credentials_and_subjects_that_are_not_permitted(elsewhere: Elsewhere) -> None:
    async def scenario() -> None:
        async with web(spec(f"127.0.0.1:{elsewhere.port}")) as url, door() as outside:
            wrong = BasicAuthentication(username="shop", password="hunter2")
            for policy in (wrong, None, BearerAuthentication(token="hunter2")):
                call = asyncapi(url, message=message(1), authentication=policy)
                found = problem(await outside.call("asyncapi", call, {}, "k"))
                assert found[:2] == ("authentication", 401), found
                assert "hunter2" not in found[2]
            wild = asyncapi(url, "all", message=message(1), authentication=USER)
            assert problem(await outside.call("asyncapi", wild, {}, "k"))[:2] == ("configuration", 400)
            reader = BasicAuthentication(username="reader", password="secret")
            forbidden = asyncapi(url, message=message(1), authentication=reader)
            found = problem(await outside.call("asyncapi", forbidden, {}, "k"))
            assert found[:2] == ("authorization", 403)

    asyncio.run(scenario())


@pytest.mark.parametrize("address", ["127.0.0.2:PORT", "169.254.169.254", "[::1]:PORT", "10.0.0.1", "0x7f.0.0.2:PORT"])
def test_the_servers_of_a_document_are_under_the_same_address_rules(elsewhere: Elsewhere, address: str) -> None:
    async def scenario() -> None:
        only = Limits(allowed=parse_networks("127.0.0.1"))
        async with web(spec(address.replace("PORT", str(elsewhere.port)))) as url, Outside(only) as outside:
            found = problem(await outside.call("asyncapi", asyncapi(url, message=message(1)), {}, "k"))
            assert found[:2] == ("authorization", 403)
            assert "NATS server" in found[2]

    asyncio.run(scenario())


INFO = b'INFO {"server_id":"x","max_payload":1048576,"headers":true}\r\n'


async def _talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, says: bytes) -> None:
    writer.write(INFO)
    await reader.readuntil(b"PING\r\n")
    writer.write(b"PONG\r\n" + says)
    await writer.drain()
    await reader.read()


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak"),
        (b"MSG tenant.news 1 99999999999\r\n", "bytes; 1048576 are allowed"),
        (b"MSG tenant.news 1 -5\r\n", "bytes; 1048576 are allowed"),
        (b"HMSG tenant.news 1 9 x\r\n", "without its size"),
        (b"x" * 100_000, "does not speak"),
    ],
)
def test_servers_that_only_look_like_nats(says: bytes, why: str) -> None:
    async def scenario() -> None:
        server: Raw = lambda reader, writer: _talk(reader, writer, says)  # noqa: E731
        async with raw(server) as address, web(spec(address)) as url, door() as outside, asyncio.timeout(20):
            found = await outside.call("asyncapi", asyncapi(url, subscription=hears()), {}, "k", _nobody)
            assert why in problem(found)[2]

    asyncio.run(scenario())


async def _nobody(_: dict[str, Any]) -> None:
    raise AssertionError("there was no message")


def test_a_server_that_does_not_greet_is_given_up() -> None:
    async def scenario() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with raw(silent) as address, web(spec(address)) as url, door(connect=0.3) as outside:
            found = await outside.call("asyncapi", asyncapi(url, subscription=hears()), {}, "k", _nobody)
            assert problem(found)[:2] == ("timeout", 408)

    asyncio.run(scenario())


def openapi(url: str, operation: str = "getPet", **more: Any) -> OpenApiArguments:
    resource = ExternalResource(endpoint=Endpoint(uri=f"{url}/openapi", **more.pop("document", {})))
    return OpenApiArguments(document=resource, operation_id=operation, **more)


OPENAPI = """
openapi: 3.1.0
servers: [ { url: /v1 } ]
paths:
  /pets/{id}:
    get: { operationId: getPet, parameters: [ { name: id, in: path, required: true } ] }
    put: { operationId: putPet, parameters: [ { name: id, in: path, required: true } ],
           requestBody: { content: { application/json: {} } } }
"""


def test_openapi_calls_by_documents_in_yaml_and_json_that_are_fetched_once_a_minute() -> None:
    async def scenario() -> None:
        requests: list[Seen] = []

        def handler(seen: Seen) -> Reply:
            if seen.path == "/openapi":
                return 200, {"content-type": "text/plain"}, OPENAPI.encode()
            if seen.path == "/v1/pets/9":
                return answer("none", 404)
            return answer({"path": seen.path, "method": seen.method, "body": seen.body.decode()})

        async with web(handler, requests) as url, door() as outside:
            given: Any = {"id": 7}
            found = await outside.call("openapi", openapi(url, parameters=given), {}, "k")
            assert found.output == {"path": "/v1/pets/7", "method": "GET", "body": ""}
            changes: Any = {"id": 7, "body": {"name": "n"}}
            found = await outside.call("openapi", openapi(url, "putPet", parameters=changes), {}, "k")
            assert found.output == {"path": "/v1/pets/7", "method": "PUT", "body": '{"name":"n"}'}
            gone: Any = {"id": 9}
            assert problem(await outside.call("openapi", openapi(url, parameters=gone), {}, "k"))[1] == 404
            assert problem(await outside.call("openapi", openapi(url, "x"), {}, "k"))[:2] == ("configuration", 400)
            policy = BearerAuthentication(token="t")
            call = openapi(url, parameters=given, authentication=policy, output="response")
            assert (await outside.call("openapi", call, {}, "k")).output["statusCode"] == 200
            assert [seen.path for seen in requests].count("/openapi") == 1
            assert requests[-1].headers["authorization"] == "Bearer t"

    asyncio.run(scenario())


def test_documents_that_are_none() -> None:
    async def scenario() -> None:
        bodies = {
            "/list": b"[1]", "/bad": b"a: [", "/bomb": b"a: &a [1,2,3]\n" + b"".join(
                b"%c: &%c [%s]\n" % (c + 1, c + 1, b",".join([b"*%c" % c] * 9)) for c in range(97, 110)),
            "/large": b"x" * 2000,
        }  # fmt: skip
        async with web(lambda seen: (200, {}, bodies[seen.path])) as url, door(max_document=1000) as outside:
            for path, why in (
                ("/list", "expected an object"), ("/bad", "neither JSON nor YAML"), ("/bomb", "neither JSON nor YAML"),
                ("/large", "1000 are allowed"),
            ):  # fmt: skip
                resource = ExternalResource(endpoint=Endpoint(uri=url + path))
                call = OpenApiArguments(document=resource, operation_id="x")
                assert why in problem(await outside.call("openapi", call, {}, "k"))[2], path

    asyncio.run(scenario())
