"""Faults between router and Pod at every byte: never run twice, always answered, with the right code."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from tests.support.bus import Bus
from tests.support.patience import until
from tests.support.pod import OK, Answer, Request, TestPod, http_answer, running_pod
from tests.support.proxy import Ending, Proxy, running_proxy
from tests.support.router import InProcess, function, pod, router_in_process

Scene = Callable[[InProcess, TestPod, Proxy], Coroutine[Any, Any, None]]


@pytest.fixture
def play(bus: Bus) -> Callable[[Scene], None]:
    """Plays a scene with a router, a Pod and a proxy between them."""

    def run(scene: Scene) -> None:
        async def main() -> None:
            async with (
                asyncio.timeout(110),
                router_in_process(bus) as router,
                running_pod() as one,
                running_proxy(one.address) as proxy,
            ):
                await scene(router, one, proxy)

        uvloop.run(main())

    return run


BODY = b'{"x":3,"y":4}'
CALL = {"Faas_Id": "c" * 8, "Content_Type": "application/json", "Faas_Timeout_Ms": "9000"}


async def request_size(router: InProcess, one: TestPod, proxy: Proxy) -> int:
    """Bytes of the request that ``CALL`` makes."""
    router.put(function(), target := pod((proxy.host, proxy.port)))
    assert (await router.call(BODY, **CALL)).status == 200
    (request,) = one.requests
    router.remove(target)
    lines = [request.line, *(f"{name}: {value}" for name, value in request.headers.items())]
    return len("\r\n".join(lines)) + 4 + len(request.body)


async def cut(
    router: InProcess, one: TestPod, proxy: Proxy, request: int | None, response: int | None
) -> tuple[int, str, int]:
    """Status, code and number of runs of one call whose first connection is cut."""
    one.runs.clear()
    proxy.cut_request, proxy.cut_response, proxy.cuts = request, response, 1
    target = pod((proxy.host, proxy.port))
    router.put(target)
    reply = await router.call(BODY, **CALL)
    router.remove(target)
    assert max(one.runs.values(), default=0) == one.runs[CALL["Faas_Id"]]
    return reply.status, reply.code, one.runs[CALL["Faas_Id"]]


@pytest.mark.parametrize("ending", list(Ending))
def test_cut_anywhere_in_the_request_it_never_ran_and_nobody_claims_to_know(
    play: Callable[[Scene], None], ending: Ending
) -> None:
    async def scene(router: InProcess, one: TestPod, proxy: Proxy) -> None:
        size = await request_size(router, one, proxy)
        proxy.ending = ending
        seen: Counter[tuple[int, str, int]] = Counter()
        for offset in range(size):
            seen[found := await cut(router, one, proxy, offset, None)] += 1
            # closed before our first byte was written: it certainly never started, and the second attempt succeeds
            assert found in ((502, "outcome_unknown", 0), (200, "", 1)), offset
            assert found[0] == 502 or offset == 0, offset
        assert seen[502, "outcome_unknown", 0] >= size - 1

    play(scene)


@pytest.mark.parametrize("ending", list(Ending))
def test_cut_anywhere_in_the_response_it_ran_once_and_the_outcome_is_unknown(
    play: Callable[[Scene], None], ending: Ending
) -> None:
    async def scene(router: InProcess, one: TestPod, proxy: Proxy) -> None:
        router.put(function())
        proxy.ending = ending
        for offset in range(len(OK) + 1):
            status, code, runs = await cut(router, one, proxy, None, offset)
            if offset == 0 and (runs == 0 or status == 200):
                assert runs == (status == 200)
                continue  # cut before the request came to it, or even before it was written: then it was sent again
            assert runs == 1, offset
            # a reset may overtake the last bytes
            whole = offset == len(OK) and status == 200
            assert whole or (status, code) == (502, "outcome_unknown"), offset

    play(scene)


def test_cut_anywhere_an_idempotent_call_is_repeated_and_answered(play: Callable[[Scene], None]) -> None:
    async def scene(router: InProcess, one: TestPod, proxy: Proxy) -> None:
        size = await request_size(router, one, proxy)
        router.put(function(idempotent=True))
        for offset in range(0, size, 7):
            assert await cut(router, one, proxy, offset, None) == (200, "", 1), offset
        for offset in range(0, len(OK), 3):
            status, _, runs = await cut(router, one, proxy, None, offset)
            assert status == 200, offset
            assert runs in (1, 2), offset

    play(scene)


def test_an_idempotent_call_is_sent_three_times_at_most(play: Callable[[Scene], None]) -> None:
    async def die(request: Request) -> Answer:
        return None

    async def scene(router: InProcess, one: TestPod, proxy: Proxy) -> None:
        one.behave = die
        router.put(function(idempotent=True), pod((proxy.host, proxy.port)))
        reply = await router.call(**CALL)
        assert (reply.status, reply.code) == (502, "outcome_unknown")
        assert one.runs[CALL["Faas_Id"]] == 3

    play(scene)


def test_a_pod_killed_in_the_middle_of_a_call(play: Callable[[Scene], None]) -> None:
    async def scene(router: InProcess, one: TestPod, proxy: Proxy) -> None:
        async def never(request: Request) -> Answer:
            await asyncio.sleep(60)
            return OK

        one.behave = never
        router.put(function(), pod(one.address))
        call = asyncio.create_task(router.call(**CALL))
        await until(lambda: one.running == 1)
        one.stop()
        reply = await call
        assert (reply.status, reply.code) == (502, "outcome_unknown")
        assert one.runs[CALL["Faas_Id"]] == 1

    play(scene)


def test_a_connection_that_the_pod_closed_while_idle_is_not_used(play: Callable[[Scene], None]) -> None:
    async def scene(router: InProcess, one: TestPod, proxy: Proxy) -> None:
        router.put(function(), pod(one.address))
        for number in range(30):
            one.close_connections()
            if number % 2:
                await asyncio.sleep(0.01)  # long enough for the router to see the end, or not at all
            assert (await router.call()).status == 200, number
        assert set(one.runs.values()) == {1}

    play(scene)


def test_a_call_to_a_stalled_connection_ends_at_its_deadline(play: Callable[[Scene], None]) -> None:
    async def scene(router: InProcess, one: TestPod, proxy: Proxy) -> None:
        router.put(function(), pod((proxy.host, proxy.port)))
        proxy.flowing.clear()
        reply = await router.call(Faas_Timeout_Ms="200")
        assert (reply.status, reply.code) == (504, "deadline_exceeded")
        proxy.flowing.set()
        assert (await router.call()).status == 200

    play(scene)


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (b"this is no HTTP\r\n\r\n", 502, "outcome_unknown"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", 502, "outcome_unknown"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 502, "outcome_unknown"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n", 200, ""),
        (b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nuntil the end", 200, ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", 200, ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", 200, ""),
        (http_answer(b"", "200 OK", "X: " + "y" * 70_000), 500, "result_too_large"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000, 500, "result_too_large"),
    ],
)
def test_strange_answers(play: Callable[[Scene], None], answer: bytes, status: int, code: str) -> None:
    async def scene(router: InProcess, one: TestPod, proxy: Proxy) -> None:
        async def strange(request: Request) -> Answer:
            if request.id != "strange":
                return OK
            return answer if b"HTTP/1.0" not in answer else await say_and_close()

        async def say_and_close() -> Answer:
            asyncio.get_running_loop().call_later(0.05, one.close_connections)
            return answer

        one.behave = strange
        router.put(function(), pod(one.address))
        reply = await router.call(Faas_Id="strange")
        assert (reply.status, reply.code) == (status, code)
        assert one.runs["strange"] == 1
        after = await router.call()
        assert (after.status, after.body) == (200, b'{"ok":true}'), "what followed is nobody's answer"

    play(scene)


def test_idle_connections_are_closed_before_servers_close_them(play: Callable[[Scene], None]) -> None:
    async def scene(router: InProcess, one: TestPod, proxy: Proxy) -> None:
        router.put(function(), pod(one.address))
        for _ in range(3):  # a machine that stalls may be late once
            assert (await router.call()).status == 200
            assert len(one.open_connections) == 1
            began = asyncio.get_running_loop().time()
            await until(lambda: not one.open_connections)
            took = asyncio.get_running_loop().time() - began
            assert took > 3.5
            if took < 4.8:
                return
        raise AssertionError(f"closed after {took:.1f} s: a server would have closed it before")

    play(scene)
