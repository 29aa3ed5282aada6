"""Calls that cannot be taken at once: they wait, are passed on, or are given up; the test speaks for the watches."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from services.contracts.names import FunctionRef
from tests.support.bus import Bus
from tests.support.patience import until
from tests.support.pod import BUSY, DRAINING, OK, Answer, Gate, Request, TestPod, running_pod
from tests.support.router import (
    ADD,
    InProcess,
    function,
    not_ready,
    play_with_router,
    pod,
)


@pytest.fixture
def play(bus: Bus) -> Callable[..., None]:
    """Plays a scene with a router of its own."""

    return partial(play_with_router, bus)


def test_a_call_that_waits_is_answered_by_the_first_pod(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        async with running_pod() as one:
            router.put(function(coldStart="Wait"))
            by_function = asyncio.create_task(router.call())
            await until(lambda: router.router.forwarder.queue.calls == 1)
            router.put(function())
            by_caller = asyncio.create_task(router.call(Faas_Cold_Start="wait=10"))
            await until(lambda: router.router.forwarder.queue.calls == 2)
            router.put(pod(one.address))
            assert [(await call).status for call in (by_function, by_caller)] == [200, 200]

    play(scene)


def test_a_wait_ends_with_its_seconds_its_deadline_or_a_new_failure(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        whole, broken = function(), function(ready=not_ready("CrashLoopBackOff"))
        router.put(whole)
        assert (await router.call(Faas_Cold_Start="wait=0")).code == "function_starting"
        assert (await router.call(Faas_Cold_Start="wait=1")).code == "function_starting"
        reply = await router.call(Faas_Cold_Start="wait=30", Faas_Timeout_Ms="150")
        assert (reply.status, reply.code) == (504, "deadline_exceeded")
        waiting = asyncio.create_task(router.call(Faas_Cold_Start="wait"))
        await until(lambda: router.router.forwarder.queue.calls == 1)
        router.change(whole, broken)
        assert (await waiting).code == "function_unavailable"
        waiting = asyncio.create_task(router.call(Faas_Cold_Start="wait"))
        await until(lambda: router.router.forwarder.queue.calls == 1)
        router.change(broken, broken)
        router.remove(broken)
        assert (await waiting).code == "function_not_found"

    play(scene)


def test_a_pod_that_is_not_ready_yet_is_probed_while_calls_wait(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        async with running_pod() as one:
            one.healthy = False
            starting = pod(one.address, "add-1", "u1", ready=False)
            router.put(function(), starting)
            assert (await router.call()).code == "function_starting"
            assert one.connections == 0, "nobody waits, so nobody asks"
            waiting = asyncio.create_task(router.call(Faas_Cold_Start="wait"))
            await until(lambda: one.connections == 1)
            assert not one.requests
            one.healthy = True
            assert (await waiting).status == 200
            router.put(starting)
            assert (await router.call()).status == 200, "the same word of the watch does not undo it"
            router.put(pod(one.address, "add-1", "u1", ready=True), starting)
            assert (await router.call()).code == "function_starting"

    play(scene)


def test_concurrency_holds_and_the_rest_waits_in_order(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        gate = Gate()
        async with running_pod(gate.behave) as one, running_pod(gate.behave) as two:
            router.put(function(concurrency=3), pod(one.address), pod(two.address))
            calls = [asyncio.create_task(router.call(Faas_Id=f"c{number}")) for number in range(10)]
            await until(lambda: one.running == two.running == 3 and router.router.forwarder.queue.calls == 4)
            gate.open.set()
            assert {(await call).status for call in calls} == {200}
            assert one.most_running == two.most_running == 3
            assert set(one.runs.values()) | set(two.runs.values()) == {1}

    play(scene)


def test_a_full_queue_answers_overloaded(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        gate = Gate()
        async with running_pod(gate.behave) as one:
            router.put(function(concurrency=1), pod(one.address))
            calls = [asyncio.create_task(router.call()) for _ in range(3)]
            await until(lambda: router.router.forwarder.queue.calls == 2)
            reply = await router.call()
            assert (reply.status, reply.code, reply.headers["Retry-After"]) == (503, "overloaded", "1")
            gate.open.set()
            assert {(await call).status for call in calls} == {200}

    play(scene, function_queue_calls="2")


def test_a_waiting_call_ends_at_its_deadline_and_never_starts(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        gate = Gate()
        async with running_pod(gate.behave) as one:
            router.put(function(concurrency=1), pod(one.address))
            first = asyncio.create_task(router.call())
            await until(lambda: one.running == 1)
            reply = await router.call(Faas_Id="late", Faas_Timeout_Ms="100")
            assert (reply.status, reply.code) == (504, "deadline_exceeded")
            reply = await router.call(Faas_Id="patient")
            assert (reply.status, reply.code) == (503, "overloaded"), "max_wait bounds those without a deadline"
            gate.open.set()
            assert (await first).status == 200
            assert set(one.runs) & {"late", "patient"} == set()

    play(scene, max_wait="0.2")


def test_a_pod_that_outlives_the_timeout_or_deadline_is_given_up(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        gate = Gate()
        async with running_pod(gate.behave) as one:
            router.put(function(timeout="100ms", concurrency=1), pod(one.address))
            began = asyncio.get_running_loop().time()
            reply = await router.call()
            assert (reply.status, reply.code) == (504, "deadline_exceeded")
            assert 0.55 < asyncio.get_running_loop().time() - began < 20, "the timeout and half a second of grace"
            router.put(function(timeout="60s", concurrency=1))
            began = asyncio.get_running_loop().time()
            assert (await router.call(Faas_Timeout_Ms="50")).code == "deadline_exceeded"
            assert asyncio.get_running_loop().time() - began < 20
            gate.open.set()
            assert (await router.call()).status == 200
            assert one.connections == 3, "a connection with an answer owing is not used again"

    play(scene)


def test_busy_and_draining_pods_pass_the_call_on(play: Callable[..., None]) -> None:
    async def busy_once(request: Request) -> Answer:
        return BUSY if request.id == "first" and full.runs["first"] == 1 else OK

    async def draining(request: Request) -> Answer:
        return DRAINING

    full = TestPod(busy_once)

    async def scene(router: InProcess) -> None:
        await full.start()
        try:
            router.put(function(), pod(full.address, "full"))
            assert (await router.call(Faas_Id="first")).headers["Faas-Pod"] == "full"
            assert full.runs["first"] == 2, "busy: tried again a little later"
            async with running_pod(draining) as ending:
                ending.healthy = False
                router.put(pod(ending.address, "ending"))
                for _ in range(6):
                    assert (await router.call()).headers["Faas-Pod"] == "full"
                assert sum(ending.runs.values()) == 1, "who drains is not asked again"
        finally:
            full.stop()

    play(scene)


def test_a_pod_that_refuses_is_left_and_comes_back(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        async with running_pod() as one, running_pod() as two:
            two.stop()
            router.put(function(), pod(one.address, "one"), pod(two.address, "two"))
            for _ in range(4):
                assert (await router.call()).headers["Faas-Pod"] == "one"
            await two.start()
            seen = set()
            async with asyncio.timeout(10):
                while seen != {"one", "two"}:
                    seen.add((await router.call()).headers["Faas-Pod"])

    play(scene)


def test_when_the_only_pod_refuses_the_hint_comes_within_the_second(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        async with running_pod() as one:
            one.stop()
            router.put(function(), pod(one.address))
            reply = await router.call()
            assert (reply.status, reply.code) == (503, "function_starting")
            waiting = asyncio.create_task(router.call(Faas_Cold_Start="wait"))
            await until(lambda: router.router.forwarder.queue.calls == 1)
            await one.start()
            assert (await waiting).status == 200

    play(scene)


def test_before_the_first_lists_calls_wait(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        async with running_pod() as one:
            unknown = asyncio.create_task(router.call(ref=FunctionRef("default", "other")))
            known = asyncio.create_task(router.call())
            await until(lambda: router.router.forwarder.queue.calls == 2)
            router.put(function())
            late = asyncio.create_task(router.call())
            await until(lambda: router.router.forwarder.queue.calls == 3)
            router.put(pod(one.address))
            router.router.forwarder.on_synced()
            assert [(await call).status for call in (known, late, unknown)] == [200, 200, 404]
            assert router.router.table.routes[ADD].load.held == 0

    play(scene, synced=False)


def test_without_the_first_lists_calls_are_told_so(play: Callable[..., None]) -> None:
    async def scene(router: InProcess) -> None:
        reply = await router.call()
        assert (reply.status, reply.code) == (503, "api_unavailable")

    play(scene, synced=False, sync_wait="0.1")
