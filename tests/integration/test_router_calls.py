"""Calls through a router with a real bus and real Pods; the test speaks for the watches."""

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec
import pytest
from nats.aio.msg import Msg

from services.contracts import headers, subjects
from services.contracts.messages import Description, LoadReport, Progress
from services.contracts.names import FunctionRef
from tests.support.bus import Bus
from tests.support.patience import until
from tests.support.pod import Answer, Gate, Request, http_answer, running_pod
from tests.support.router import (
    ADD,
    InProcess,
    client,
    function,
    not_ready,
    play_with_router,
    pod,
    settle,
)


@pytest.fixture
def play(bus: Bus) -> Callable[..., None]:
    """Plays a scene with a router of its own."""

    return partial(play_with_router, bus)


def test_a_call_is_answered_by_the_pod(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        async with running_pod() as one:
            router.put(function(), pod(one.address, "add-1"))
            reply = await router.call(b'{"x":3}', Faas_Id="call-1", Faas_Timeout_Ms="5000", Content_Type="text/x")
            assert reply.status == 200
            assert reply.body == b'{"ok":true}'
            assert reply.headers == {
                "Faas-Status": "200", "Faas-Pod": "add-1", "Content-Type": "application/json", "Faas-Duration": "0.10",
            }  # fmt: skip
            (request,) = one.requests
            assert request.line == "POST / HTTP/1.1"
            assert request.body == b'{"x":3}'
            assert request.headers["content-type"] == "text/x"
            assert request.id == "call-1"
            assert 4000 < int(request.headers["faas-timeout-ms"]) <= 5000
            for _ in range(5):
                assert (await router.call()).status == 200
            assert one.connections == 1, "the connection is used again"
            assert len(one.runs) == 6, "calls without an id get one of their own"

    play(scene)


def test_an_http_function_gets_method_path_and_query_and_all_cookies_come_back(play: Callable[..., None]) -> None:
    async def behave(request: Request) -> Answer:
        if request.line.startswith("HEAD"):
            return b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nETag: x\r\n\r\n"
        return http_answer(b"made", "201 Created", "Set-Cookie: a=1", "Set-Cookie: b=2, c", "Location: /x", "X-No: 1")

    async def scene(router: InProcess) -> None:
        async with running_pod(behave) as one:
            router.put(function(), pod(one.address))
            reply = await router.call(
                Faas_Http_Method="PUT", Faas_Http_Path="/a/b", Faas_Http_Query="q=1", Cookie="k=v"
            )
            assert one.requests[0].line == "PUT /a/b?q=1 HTTP/1.1"
            assert one.requests[0].headers["cookie"] == "k=v"
            assert one.requests[0].headers["faas-proxy"] == "1"
            assert reply.status == 201
            assert headers.unpack_cookies(reply.headers) == ["a=1", "b=2, c"]
            assert reply.headers["location"] == "/x"
            assert "X-No" not in reply.headers
            head = await router.call(b"", Faas_Http_Method="HEAD", Faas_Http_Path="/")
            assert (head.status, head.body, head.headers["etag"]) == (200, b"", "x")

    play(scene)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Faas_Id": "a b"}, "invalid_header"),
        ({"Faas_Timeout_Ms": "soon"}, "invalid_header"),
        ({"Faas_Cold_Start": "maybe"}, "invalid_header"),
        ({"Faas_Http_Method": "BREW"}, "method_not_allowed"),
        ({"Faas_Http_Method": "GET", "Faas_Http_Path": "/a b"}, "invalid_header"),
        ({"Faas_Timeout_Ms": "0"}, "deadline_exceeded"),
    ],
)
def test_bad_headers_are_refused_before_any_pod_sees_them(
    play: Callable[..., None], fields: dict[str, str], code: str
) -> None:
    async def scene(router: InProcess) -> None:
        async with running_pod() as one:
            router.put(function(), pod(one.address))
            assert (await router.call(**fields)).code == code
            assert not one.requests

    play(scene)


def test_unknown_functions_and_bad_names(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        reply = await router.call(ref=FunctionRef("default", "nobody"))
        assert (reply.status, reply.code) == (404, "function_not_found")
        assert "default/nobody" in reply.message
        reply = await router.call(ref=FunctionRef("default", "No_Label"))
        assert (reply.status, reply.code) == (400, "invalid_name")

    play(scene)


def test_a_function_without_pods_is_starting_or_says_why_not(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        router.put(function())
        reply = await router.call()
        assert (reply.status, reply.code, reply.headers["Retry-After"]) == (503, "function_starting", "1")
        router.put(function(ready=not_ready("ImagePullBackOff", "not there")))
        reply = await router.call()
        assert (reply.status, reply.code) == (503, "function_unavailable")
        assert "ImagePullBackOff: not there" in reply.message

    play(scene)


def test_answers_beyond_the_limits_are_too_large(play: Callable[..., None]) -> None:
    async def behave(request: Request) -> Answer:
        size = int(request.body)
        return http_answer(bytes(size)) if size >= 0 else http_answer(b"", "200 OK", f"Link: {'x' * -size}")

    async def scene(router: InProcess) -> None:
        async with running_pod(behave) as one:
            router.put(function(), pod(one.address))
            for size in (headers.MAX_PAYLOAD + 1, headers.MAX_PAYLOAD, -70_000):
                reply = await router.call(str(size).encode())
                assert (reply.status, reply.code) == (500, "result_too_large"), size
            reply = await router.call(str(headers.MAX_PAYLOAD - 300).encode())
            assert (reply.status, len(reply.body)) == (200, headers.MAX_PAYLOAD - 300)

    play(scene)


def test_describe(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        one = function()
        one.status.replicas = 2
        router.put(one)
        answer = await router.client.request(subjects.describe(ADD), b"")
        assert (answer.headers or {})["Faas-Status"] == "200"
        assert msgspec.json.decode(answer.data, type=Description).replicas == 2
        answer = await router.client.request(subjects.describe(FunctionRef("default", "other")), b"")
        assert (answer.headers or {})["Faas-Error"] == "function_not_found"

    play(scene)


def test_events_reports_and_signs_of_life(play: Callable[..., None], bus: Bus) -> None:
    async def scene(router: InProcess) -> None:
        gate = Gate()
        watcher = await client(bus, "admin")
        seen: list[Msg] = []

        async def keep(message: Msg) -> None:
            seen.append(message)

        for subject in (subjects.EVENTS_ALL, subjects.LOAD, subjects.progress("gw")):
            await watcher.subscribe(subject, cb=keep)
        await settle(watcher)
        async with running_pod(gate.behave) as one:
            router.put(function(concurrency=1), pod(one.address, "add-1"))
            held = router.call(Faas_Id="long", Faas_Progress=subjects.progress("gw"))
            calls = [asyncio.create_task(held), asyncio.create_task(router.call(Faas_Id="next"))]
            await until(lambda: any(message.subject == subjects.progress("gw") for message in seen))
            gate.open.set()
            for call in calls:
                assert (await call).status == 200
            await until(lambda: sum(message.subject.endswith(".completed") for message in seen) == 2)
            await until(lambda: reports(seen)[-1].functions == [])
        life = [message for message in seen if message.subject == subjects.progress("gw")]
        assert msgspec.json.decode(life[0].data, type=Progress).ids == ["long"]
        received = [message for message in seen if message.subject.endswith(".received")]
        assert [msgspec.json.decode(message.data)["data"]["id"] for message in received] == ["next"]
        said = reports(seen)
        first = next(report for report in said if report.functions)
        assert first.functions[0].function == "default/add"
        assert any(load.in_flight == 1 and load.queued == 1 for report in said for load in report.functions)
        assert [report.sequence for report in said] == sorted({report.sequence for report in said})

    play(scene)


def reports(seen: list[Msg]) -> list[LoadReport]:
    """The load reports among messages."""
    return [msgspec.json.decode(one.data, type=LoadReport) for one in seen if one.subject == subjects.LOAD]


def test_a_plain_client_of_another_account_is_served(play: Callable[..., None], bus: Bus) -> None:
    async def scene(router: InProcess) -> None:
        caller = await client(bus, "caller-default")
        seen: list[Msg] = []

        async def keep(message: Msg) -> None:
            seen.append(message)

        await caller.subscribe(subjects.RECEIVED_ALL, cb=keep)
        await settle(caller)
        async with running_pod() as one:
            router.put(function(), pod(one.address))
            reply = await caller.request(subjects.invoke(ADD), b"{}", headers={"Faas-Progress": "faas.sys.progress.x"})
            assert (reply.headers or {})["Faas-Status"] == "200"
            await until(lambda: seen)

    play(scene)


def test_messages_that_are_no_requests_are_ignored(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        async with running_pod() as one:
            router.put(function(), pod(one.address))
            await router.client.publish(subjects.invoke(ADD), b"{}")
            await router.client.publish(subjects.invoke(ADD), b"{}", reply="faas.sys.load")
            assert (await router.call()).status == 200
            assert len(one.requests) == 1
            assert router.router.totals.without_reply == 2

    play(scene)
