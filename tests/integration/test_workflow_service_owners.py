"""Several workflow services share the runs: one dies, leaves, is stopped or starts again, and the runs go on."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from services.common.progress import SILENCE
from tests.support.flow import Caller, Held, Platform, Service, caller, running_platform, until

ASKS = """
do:
  - first: {{call: add, with: {{x: 0}}}}
  - guarded:
      try:
        - ask: {{call: {function}, with: {{}}}}
      catch:
        as: found
        do:
          - keep: {{set: "${{ {{x: 100, lost: $found.detail}} }}"}}
  - last: {{call: add, with: {{x: "${{ .x }}"}}}}
  - both: {{set: {{sum: "${{ . }}"}}}}
"""
NAPS = "do:\n  - nap: {wait: {milliseconds: 1500}}\n  - last: {call: add, with: {x: 1}}\n"


LARGE = """
do:
  - fetch: {call: large, with: {}, export: {as: "${ . }"}}
  - ask: {call: again, with: {}, output: {as: "${ $context }"}}
  - measure: {set: {length: "${ .text | length }"}}
  - send: {call: length, with: {text: "${ $context.text }"}}
"""
LEFT = "the rest is the next owner's"
"""What a service that stops writes when it carries out no more commands."""
TWICE = """
do:
  - first: {call: once, with: {}}
  - guarded:
      try:
        - second: {call: once, with: {}}
      catch:
        do:
          - lost: {set: {lost: true}}
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("owners")) as running:
        running.function("again", idempotent=True)
        running.function("once")
        running.deploy("asks-again", ASKS.format(function="again"))
        running.deploy("asks-once", ASKS.format(function="once"))
        running.deploy("asks-twice", TWICE)
        running.deploy("large", LARGE)
        running.deploy("naps", NAPS)
        running.deploy(
            "parent", "do:\n  - child: {run: {workflow: {namespace: default, name: naps, version: latest}}}\n"
        )
        yield running


def play(platform: Platform, scene: Callable[[Caller], Awaitable[None]]) -> None:
    """Runs a scene with a caller whose ``again`` and ``once`` leave their calls to the scene."""

    def hold(event: Any) -> None:
        raise Held

    async def main() -> None:
        async with caller(platform.bus) as made, asyncio.timeout(90):
            made.functions |= {"add": lambda event: event["x"] + 1, "again": hold, "once": hold}
            await scene(made)

    asyncio.run(main())


async def owner_of(made: Caller, run: str, services: dict[str, Service]) -> tuple[Service, Service]:
    """The service that drives a run, and the other one."""
    name = (await made.ask("get", run)).json["run"]["owner"].partition("/")[0]
    other = next(each for each in services if each != name)
    return services[name], services[other]


def test_runs_of_a_killed_service_go_on_at_another(platform: Platform) -> None:
    async def scene(made: Caller) -> None:
        for workflow in ("asks-again", "asks-once"):
            await made.ask("start", workflow, {"id": workflow})
            await made.held.get()
        await made.ask("start", "parent", {"id": "parent-1", "input": {}})
        victim, _ = await owner_of(made, "asks-again", services)
        began = time.monotonic()
        victim.kill()
        message, _ = await made.held.get()  # asked again: it is idempotent
        assert time.monotonic() - began < 6
        await made.answer(message, {"x": 41})
        assert (await made.ended("asks-again"))["output"] == {"sum": 42}
        victim.start()
        await until(victim.ready)
        await made.ended("parent-1")
        await made.ended("asks-once")  # its call is lost with its owner, or has no sign of life from a router
        assert max(made.effects.values()) == 2, "only the call whose outcome was lost was made again"

    with platform.running("a") as a, platform.running("b") as b:
        services = {"a": a, "b": b}
        play(platform, scene)


def test_a_lost_outcome_of_a_function_that_is_not_idempotent_is_an_error(platform: Platform) -> None:
    async def scene(made: Caller) -> None:
        await made.ask("start", "asks-once", {"id": "lost"})
        await made.held.get()
        service.kill()
        service.start()
        view = await made.ended("lost")
        assert view["output"] == {"sum": 101}
        trace = (await made.ask("trace", "lost")).json
        assert "outcome unknown" in str(trace)
        assert set(made.effects.values()) == {1}

    with platform.running("c") as service:
        play(platform, scene)


def test_a_service_that_leaves_hands_its_runs_over_at_once(platform: Platform) -> None:
    """Its calls end, the next ones are the other's, and nothing is lost or made twice."""

    async def scene(made: Caller) -> None:
        for number in range(6):
            await made.ask("start", "asks-once", {"id": f"left-{number}"})
        held = [await made.held.get() for _ in range(6)]
        await made.ask("start", "naps", {"id": "left-naps", "input": {}})
        leaving = asyncio.create_task(asyncio.to_thread(services["d"].stop))
        await until(lambda: LEFT in services["d"].log.read_text())
        for message, _ in held:
            await made.answer(message, {"x": 1})
        assert await leaving == 0
        began = time.monotonic()
        for number in range(6):
            assert (await made.ended(f"left-{number}"))["output"] == {"sum": 2}
        assert time.monotonic() - began < 20, "they had to wait until it was held for dead"
        await made.ended("left-naps")
        assert set(made.effects.values()) == {1}

    with platform.running("d", dead_seconds="60") as d, platform.running("e", dead_seconds="60") as e:
        services = {"d": d, "e": e}
        play(platform, scene)


def test_a_call_that_was_left_to_the_next_owner_is_made_once(platform: Platform) -> None:
    """The one who leaves has recorded its beginning and not made it; the next one makes it, and dies of it."""

    async def scene(made: Caller) -> None:
        await made.ask("start", "asks-twice", {"id": "left-twice"})
        message, _ = await made.held.get()
        leaving = asyncio.create_task(asyncio.to_thread(service.stop))
        await until(lambda: LEFT in service.log.read_text())
        await made.answer(message, {})
        await leaving
        service.start()
        await made.held.get()  # the second call, for the first time
        service.kill()
        service.start()
        assert (await made.ended("left-twice"))["output"] == {"lost": True}
        assert sorted(made.effects.values()) == [1, 1]

    with platform.running("j") as service:
        play(platform, scene)


def test_a_stopped_service_that_wakes_up_makes_no_call_again(platform: Platform) -> None:
    """Nobody tells it that its run has another owner: it finds out before it asks again of a router that is silent."""

    async def scene(made: Caller) -> None:
        await made.ask("start", "asks-again", {"id": "stopped"})
        await made.held.get()  # nothing is heard of the router that has it: after 3 s it counts as lost
        owner, _ = await owner_of(made, "stopped", services)
        owner.pause(signal.SIGSTOP)
        again, _ = await made.held.get()
        owner.pause(signal.SIGCONT)
        async with made.progress(again):
            await until(lambda: "run default/stopped is driven by another" in owner.log.read_text())
            await asyncio.sleep(SILENCE)  # it would be asked again now
        await made.answer(again, {"x": 2})
        assert (await made.ended("stopped"))["output"] == {"sum": 3}
        # by each owner once: what became of the first call was unknown, and the function is idempotent
        assert sorted(made.effects.values()) == [1, 1, 2]

    with platform.running("f") as f, platform.running("g") as g:
        services = {"f": f, "g": g}
        play(platform, scene)


def test_the_answer_to_a_stopped_service_is_not_taken(platform: Platform) -> None:
    async def scene(made: Caller) -> None:
        await made.ask("start", "asks-again", {"id": "late"})
        message, _ = await made.held.get()
        owner, _ = await owner_of(made, "late", services)
        owner.pause(signal.SIGSTOP)
        again, _ = await made.held.get()
        await made.answer(message, {"x": 1})
        owner.pause(signal.SIGCONT)
        async with made.progress(again):
            await until(lambda: "run default/late is driven by another" in owner.log.read_text())
        await made.answer(again, {"x": 2})
        assert (await made.ended("late"))["output"] == {"sum": 3}
        assert sorted(made.effects.values()) == [1, 1, 2]

    with platform.running("l") as first, platform.running("m") as second:
        services = {"l": first, "m": second}
        play(platform, scene)


def test_large_values_outlive_their_service(platform: Platform) -> None:
    text = "ü" * 300_000

    async def scene(made: Caller) -> None:
        made.functions |= {"large": lambda event: {"text": text}, "length": lambda event: len(event["text"])}
        await made.ask("start", "large", {"id": "large-1", "input": {"note": "n" * 100_000}})
        await made.held.get()
        service.kill()
        service.start()
        message, _ = await made.held.get()
        await made.answer(message, {})
        view = await made.ended("large-1")
        assert (view["output"], len(view["input"]["note"])) == (len(text), 100_000)

    with platform.running("k") as service:
        play(platform, scene)


def test_nats_server_is_killed_under_runs(platform: Platform) -> None:
    async def scene(made: Caller) -> None:
        for number in range(20):
            await made.ask("start", "naps", {"id": f"outage-{number}", "input": {}})
        platform.bus.kill()
        await until(lambda: all("nats: disconnected" in service.log.read_text() for service in services))
        platform.bus.restart()
        for number in range(20):
            assert (await made.ended(f"outage-{number}"))["run"]["status"] == "completed"

    with platform.running("h") as h, platform.running("i") as i:
        services = (h, i)
        play(platform, scene)
