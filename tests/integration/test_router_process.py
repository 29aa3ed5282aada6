"""The router as a process: with a real API server and nats-server, their absence, and its own end."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error

from services.contracts import subjects
from services.contracts.messages import LoadReport
from tests.support.apiserver import prepare
from tests.support.bus import running_bus
from tests.support.patience import PATIENCE, until
from tests.support.pod import OK, Answer, Request, running_pod
from tests.support.router import Reply, client
from tests.support.routerstage import FUNCTIONS, PODS, Stage, answers, call, play


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A running nats-server, and an API server that was not started yet."""
    (tmp_path / "bus").mkdir()
    server = prepare(tmp_path / "api")
    with running_bus(tmp_path / "bus") as bus:
        yield Stage(tmp_path, server, bus)
    if server.process is not None and server.process.poll() is None:
        server.stop()


def test_it_follows_the_watches(stage: Stage) -> None:
    async def scene() -> None:
        stage.start_api()
        caller = await client(stage.bus)
        with stage.router() as router:
            await until(router.ready)
            assert (await call(caller)).code == "function_not_found"
            await stage.deploy()
            await answers(caller, 503)
            async with running_pod() as one:
                stage.add_pod(one, "add-1")
                await answers(caller, 200)
                stage.set_ready("add-1", False)
                await answers(caller, 503)
                stage.set_ready("add-1", True)
                await answers(caller, 200)
                stage.api.delete(f"{PODS}/add-1", gracePeriodSeconds=30)
                await answers(caller, 503)
                stage.api.delete(f"{FUNCTIONS}/add")
                await answers(caller, 404)
                assert 'faas_router_calls_total{code="function_starting"' not in router.metrics()
                assert "faas_router_refused_total" in router.metrics()

    play(scene)


def test_it_starts_before_everything_else(stage: Stage) -> None:
    async def scene() -> None:
        stage.bus.kill()
        with stage.router() as router:
            await until(lambda: router.url)
            assert not router.ready()
            stage.bus.restart()
            caller = await client(stage.bus)
            waiting = asyncio.create_task(first_answer(caller))
            await asyncio.to_thread(stage.start_api)
            await stage.deploy()
            async with running_pod() as one:
                stage.add_pod(one, "add-1")
                await until(router.ready)
                await answers(caller, 200)
                assert (await waiting).status in (200, 404, 503), "it was answered"

    async def first_answer(caller: Client) -> Reply:
        while True:
            with contextlib.suppress(Error):
                return await call(caller, 10.0)
            await asyncio.sleep(0.01)

    play(scene)


def test_without_the_api_server_it_goes_on_with_what_it_knows(stage: Stage) -> None:
    async def scene() -> None:
        stage.start_api()
        await stage.deploy()
        caller = await client(stage.bus)
        async with running_pod() as one, running_pod() as two:
            stage.add_pod(one, "add-1")
            with stage.router():
                await answers(caller, 200)
                stage.server.stop(kill=True)
                for _ in range(50):
                    assert (await call(caller)).status == 200
                stage.start_api()
                stage.add_pod(two, "add-2")
                await until(lambda: bool(asyncio.ensure_future(quiet(caller))) and bool(two.requests))

    async def quiet(caller: Client) -> None:
        with contextlib.suppress(Error):
            await call(caller)

    play(scene)


def test_calls_in_flight_survive_a_lost_connection_to_the_bus(stage: Stage) -> None:
    async def scene() -> None:
        stage.start_api()
        await stage.deploy()
        opened = asyncio.Event()

        async def behave(request: Request) -> Answer:
            if request.id == "held":
                await opened.wait()
            return OK

        async with running_pod(behave) as one:
            stage.add_pod(one, "add-1")
            caller = await client(stage.bus)
            with stage.router() as router:
                await answers(caller, 200)
                held = asyncio.create_task(call(caller, 30.0, Faas_Id="held"))
                await until(lambda: one.runs["held"] == 1)
                stage.bus.restart()
                await until(lambda: caller.is_connected)
                await answers(caller, 200)
                opened.set()
                await until(lambda: 'code=""' in router.metrics())
                held.cancel()  # its inbox is another one after the restart: that is the gateway's to notice
                assert one.runs["held"] == 1

    play(scene)


def test_sigterm_lets_calls_end_and_says_that_nothing_is_left(stage: Stage) -> None:
    async def scene() -> None:
        stage.start_api()
        await stage.deploy()
        opened = asyncio.Event()

        async def behave(request: Request) -> Answer:
            if request.id.startswith("held"):
                await opened.wait()
            return OK

        reports: list[LoadReport] = []

        async def keep(message: Msg) -> None:
            reports.append(msgspec.json.decode(message.data, type=LoadReport))

        async with running_pod(behave) as one:
            stage.add_pod(one, "add-1")
            caller, watcher = await client(stage.bus), await client(stage.bus, "admin")
            await watcher.subscribe(subjects.LOAD, cb=keep)
            with stage.router() as router:
                await answers(caller, 200)
                held = [asyncio.create_task(call(caller, 30.0, Faas_Id=f"held-{number}")) for number in range(5)]
                await until(lambda: one.running == 5)
                router.terminate()
                async with asyncio.timeout(PATIENCE):
                    while True:  # nobody takes calls any more
                        try:
                            await call(caller, 1.0)
                        except Error:
                            break
                assert not any(one.done() for one in held)
                opened.set()
                assert [(await one).status for one in held] == [200] * 5
                assert await router.ended() == 0
                await until(lambda: reports and reports[-1].functions == [])

    play(scene)


def test_the_drain_is_bounded(stage: Stage) -> None:
    async def scene() -> None:
        stage.start_api()
        await stage.deploy(concurrency=1)

        async def behave(request: Request) -> Answer:
            if request.id == "held":
                await asyncio.sleep(60)
            return OK

        async with running_pod(behave) as one:
            stage.add_pod(one, "add-1")
            caller = await client(stage.bus)
            with stage.router(drain="0.3") as router:
                await answers(caller, 200)
                held = asyncio.create_task(call(caller, 30.0, Faas_Id="held"))
                await until(lambda: one.runs["held"] == 1)
                waiting = asyncio.create_task(call(caller, 30.0))
                await until(
                    lambda: 'faas_router_calls_queued{function="add",namespace="default"} 1' in router.metrics()
                )
                router.terminate()
                assert (await held).code == "outcome_unknown"
                assert (await waiting).code == "draining"
                assert await router.ended() == 0

    play(scene)


def test_it_ends_in_order_when_everything_else_is_gone(stage: Stage) -> None:
    async def scene() -> None:
        stage.start_api()
        with stage.router() as router:
            await until(router.ready)
            stage.bus.kill()
            stage.server.stop(kill=True)
            await until(lambda: not router.ready())
            router.terminate()
            assert await router.ended() == 0
        with stage.router("late") as router:
            await until(lambda: router.url)
            router.terminate()
            assert await router.ended() == 0, "it never had a connection"

    play(scene)


def test_settings_that_cannot_be_used_are_named(stage: Stage) -> None:
    async def scene() -> None:
        with stage.router(queue_calls="0", idle_timeout="soon") as router:
            assert await router.ended() == 2
            said = router.log.read_text()
            assert "FAAS_QUEUE_CALLS='0'" in said
            assert "FAAS_IDLE_TIMEOUT='soon'" in said
            assert "Traceback" not in said

    play(scene)


def test_a_rolling_restart_of_two_routers_loses_no_call(stage: Stage) -> None:
    async def scene() -> None:
        stage.start_api()
        await stage.deploy(concurrency=20)

        async def behave(request: Request) -> Answer:
            await asyncio.sleep(0.005)
            return OK

        async with running_pod(behave) as one, running_pod(behave) as two:
            stage.add_pod(one, "add-1")
            stage.add_pod(two, "add-2")
            caller = await client(stage.bus)
            outcomes: Counter[str] = Counter()
            stop = asyncio.Event()

            async def load() -> None:
                while not stop.is_set():
                    try:
                        reply = await call(caller, 10.0)
                        outcomes[f"{reply.status} {reply.code}"] += 1
                    except Error as error:
                        outcomes[type(error).__name__] += 1

            with stage.router("a") as first, stage.router("b") as second:
                await until(first.ready)
                await until(second.ready)
                async with asyncio.TaskGroup() as tasks:
                    for _ in range(16):
                        tasks.create_task(load())
                    for router in (first, second, first):
                        router.terminate()
                        assert await router.ended() == 0
                        router.log.write_text("")
                        router.start()
                        await until(router.ready)
                        before = outcomes.total()
                        await until(lambda before=before: outcomes.total() > before + 200)
                    stop.set()
            assert set(outcomes) == {"200 "}, outcomes
            assert outcomes["200 "] == sum((one.runs + two.runs).values())
            assert max((one.runs + two.runs).values()) == 1

    play(scene)
