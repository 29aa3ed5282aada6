"""Scaling by what comes over the real bus: calls, load reports, silence."""

import asyncio
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
import nats
import pytest

from tests.support.patience import PATIENCE, eventually
from tests.support.scaler import FakeRouter, Stack, fake_router, running_stack

QUICK = {"window": "2s", "panicWindow": "1s", "scaleToZeroAfter": "1s", "max": 6}
STEADIER = QUICK | {"scaleToZeroAfter": "2500ms"}
"""Where a test's own stall must not look like the end of its load."""
NAMES = ("waker", "crowd", "busy", "patient", "brief", "told", "edge")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """With Functions that have all been ready and have gone to zero."""
    with running_stack(tmp_path_factory.mktemp("stack")) as stack, stack.running_scaler():
        for name in NAMES:
            stack.deploy(name, scale=STEADIER if name in ("patient", "brief") else QUICK)
        eventually(lambda: all(stack.is_ready(name) for name in NAMES), "ready")
        eventually(lambda: not any(stack.replicas(name) or stack.pods(name) for name in NAMES), "asleep")
        eventually(lambda: all(_says_asleep(stack, name) for name in NAMES), "they say so")
        yield stack


def _says_asleep(stack: Stack, name: str) -> bool:
    status = stack.status(name)
    asleep = stack.condition(name)["reason"] == "ScaledToZero"
    return bool(asleep and status["replicas"] == status["readyReplicas"] == 0)


def play(stack: Stack, script: Callable[[FakeRouter], Awaitable[None]]) -> None:
    """Runs ``script`` as a router on the bus."""

    async def main() -> None:
        async with fake_router(stack.bus) as router:
            await script(router)

    asyncio.run(main())


async def until(look: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Like ``eventually``, leaving the event loop free."""
    return await asyncio.to_thread(eventually, look, what, seconds)


async def keep_reporting(router: FakeRouter, **loads: tuple[int, int, float]) -> None:
    """Reports the same each quarter of a second until cancelled."""
    while True:
        await router.report(**loads)
        await asyncio.sleep(0.25)


async def keep_calling(router: FakeRouter, name: str) -> None:
    """Five calls each tenth of a second until cancelled."""
    while True:
        await router.received(name, 5)
        await asyncio.sleep(0.1)


def test_a_call_at_zero_brings_a_pod_and_silence_takes_it_again(stack: Stack) -> None:
    assert stack.is_ready("waker"), "callable, though nothing runs"

    async def script(router: FakeRouter) -> None:
        await router.received("waker")
        await until(lambda: stack.replicas("waker") == 1, "a Pod is asked for")
        await until(lambda: stack.status("waker")["readyReplicas"] == 1, "ready")

    play(stack, script)
    eventually(lambda: stack.replicas("waker") == 0, "asleep again")
    eventually(lambda: stack.condition("waker")["reason"] == "ScaledToZero", "it says so")


def test_waiting_callers_get_as_many_pods_as_they_need_at_once(stack: Stack) -> None:

    async def script(router: FakeRouter) -> None:
        await router.report(crowd=(0, 34, 34.0))
        await until(lambda: stack.replicas("crowd") >= 4, "four Pods")

    play(stack, script)


def test_load_scales_out_and_its_end_scales_in(stack: Stack) -> None:

    async def script(router: FakeRouter) -> None:
        await router.received("busy")
        load = asyncio.create_task(keep_reporting(router, busy=(10, 30, 40.0)))
        await until(lambda: stack.replicas("busy") == 6, "as many as it may have")
        load.cancel()
        load = asyncio.create_task(keep_reporting(router, busy=(3, 0, 3.0)))
        await until(lambda: stack.replicas("busy") == 1, "what the rest needs")
        load.cancel()

    play(stack, script)
    eventually(lambda: stack.replicas("busy") == 0, "asleep")


def test_a_long_call_keeps_its_pod_and_a_dead_router_does_not(stack: Stack) -> None:

    async def script(router: FakeRouter) -> None:
        await router.received("patient")
        load = asyncio.create_task(keep_reporting(router, patient=(1, 0, 1.0)))
        await until(lambda: stack.replicas("patient") == 1, "a Pod")
        began = time.monotonic()
        while time.monotonic() - began < 3.5:  # longer than an idle one would stay
            assert await asyncio.to_thread(stack.replicas, "patient") == 1
            await asyncio.sleep(0.2)
        load.cancel()

    play(stack, script)
    eventually(lambda: stack.replicas("patient") == 0, "its router is gone, and so is its call", 15)


def test_steady_calls_keep_it_awake_though_no_report_catches_them(stack: Stack) -> None:
    """Calls of a millisecond are over before a report; their events count."""

    async def script(router: FakeRouter) -> None:
        calls = asyncio.create_task(keep_calling(router, "brief"))
        await until(lambda: stack.replicas("brief") == 1, "a Pod")
        began = time.monotonic()
        while time.monotonic() - began < 3.5:  # longer than an idle one would stay
            assert await asyncio.to_thread(stack.replicas, "brief") == 1
            await asyncio.sleep(0.2)
        calls.cancel()

    play(stack, script)


def test_each_change_is_told_as_an_event(stack: Stack) -> None:
    heard: list[dict[str, Any]] = []

    async def main() -> None:
        client = await nats.connect(stack.bus.user_url("admin"))
        subscription = await client.subscribe("faas.event.default.function.told.scaled")
        async with fake_router(stack.bus) as router:
            await client.flush()
            await router.received("told")
            for _ in range(2):
                heard.append(msgspec.json.decode((await subscription.next_msg(PATIENCE)).data))
        await client.close()

    asyncio.run(main())
    up, down = heard
    assert up["type"] == "dev.faas.function.scaled"
    assert up["source"] == "/namespaces/default/functions/told"
    assert up["data"] == {"replicas": 1, "previous": 0, "reason": "a call came in", "version": 1}
    assert down["data"] == {"replicas": 0, "previous": 1, "reason": "idle", "version": 1}
    assert up["id"] != down["id"]


def test_metrics_tell_of_each_function(stack: Stack) -> None:
    async def script(router: FakeRouter) -> None:
        await router.received("waker", 30)
        await until(lambda: stack.replicas("waker") == 1, "a Pod is asked for")

    play(stack, script)
    url = stack.scaler().url

    def lines() -> list[str]:
        return urllib.request.urlopen(f"{url}/metrics", timeout=10).read().decode().splitlines()  # type: ignore[no-any-return]

    wanted = 'faas_function_replicas_wanted{function="waker",namespace="default"} 1.0'
    eventually(lambda: wanted in lines(), "the Pod is counted")
    rate = next(line for line in lines() if line.startswith('faas_function_calls_per_second{function="waker"'))
    assert float(rate.split()[1]) > 0
    assert "faas_scaler_leader 1.0" in lines()
    assert any(line.startswith('faas_scaler_writes_total{action="ScaleReplicaSet",outcome="ok"}') for line in lines())


def test_a_call_right_at_the_fall_to_zero_is_not_lost(stack: Stack) -> None:
    """Calls every so often around the moment of scaling down always end with a Pod."""

    async def script(router: FakeRouter) -> None:
        for pause in (0.0, 1.9, 2.3, 2.7):
            await asyncio.sleep(pause)  # the moment of the call is what varies
            await router.received("edge")
            await until(lambda: stack.replicas("edge") == 1, "a Pod is asked for")
            await until(lambda: stack.status("edge")["readyReplicas"] == 1, "ready")

    play(stack, script)


def test_nonsense_on_the_bus_is_ignored(stack: Stack) -> None:
    async def main() -> None:
        client = await nats.connect(stack.bus.user_url("admin"))
        await client.publish("faas.sys.load", b"{not json")
        await client.publish("faas.sys.load", b'{"router":"x","sequence":1,"functions":[{"function":"a/b"}]}')
        await client.publish("faas.event.default.function.unknown.received", b"")
        await client.publish("faas.event.UPPER.function.b*d.received", b"")
        await client.flush()
        await client.close()

    asyncio.run(main())
    stack.deploy("unimpressed")
    eventually(lambda: stack.is_ready("unimpressed"), "ready")
