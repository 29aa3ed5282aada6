"""One workflow service: runs from start to end by control requests, with all that people ask of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import nats
import pytest

from services.contracts import subjects
from services.contracts.names import FunctionRef
from services.workflow.driver.keys import child_id
from tests.support.flow import Caller, Failure, Held, Platform, caller, running_platform

STEP = "  - s{number}: {{call: add, with: {{x: '${{ .{field} }}'}}}}"
WORKFLOWS = {
    "five": "do:\n" + "\n".join(STEP.format(number=i, field="x" if i == 0 else "") for i in range(5)),
    "caught": """
do:
  - guarded:
      try:
        - work: {call: failing, with: {x: 1}}
      catch:
        as: found
        do:
          - keep: {set: "${ $found }"}
""",
    "naps": """
do:
  - short: {wait: {milliseconds: 50}}
  - long: {wait: {milliseconds: 1300}}
  - done: {set: {slept: true}}
""",
    "forever": "do:\n  - nap: {wait: {hours: 3}}\n  - done: {set: {woke: true}}\n",
    "asks": "do:\n  - ask: {call: held, with: {}}\n  - more: {call: add, with: {x: '${ .x }'}}\n",
    "parent": """
do:
  - child:
      run:
        workflow: {namespace: default, name: five, version: latest, input: {x: 10}}
  - done: {set: {child: "${ . }"}}
""",
    "spawner": """
do:
  - child:
      run:
        await: false
        workflow: {namespace: default, name: forever, version: latest, input: {}}
  - done: {set: {spawned: true}}
""",
    "orphan": "do:\n  - child: {run: {workflow: {namespace: default, name: nowhere, version: latest, input: {}}}}\n",
    "watcher": "do:\n  - child: {run: {workflow: {namespace: default, name: forever, version: latest, input: {}}}}\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("flow")) as running:
        for name, text in WORKFLOWS.items():
            running.deploy(name, text)
        with running.running():
            yield running


def play(platform: Platform, scene: Callable[[Caller], Awaitable[None]]) -> None:
    """Runs a scene with a caller whose ``add`` adds one and whose ``held`` leaves its calls to the scene."""

    async def main() -> None:
        async with caller(platform.bus) as made:
            made.functions["add"] = lambda event: event["x"] + 1
            made.functions["held"] = hold
            await asyncio.wait_for(scene(made), 60)  # noqa: TID251  # the scene ends or the test fails

    asyncio.run(main())


def hold(event: Any) -> None:
    raise Held


def test_a_run_is_driven_to_its_end_and_shown(platform: Platform) -> None:
    async def scene(made: Caller) -> None:
        started = await made.ask("start", "five", {"input": {"x": 1}, "id": "shown"})
        assert (started.status, started.json["run"]["status"], started.json["input"]) == (201, "running", {"x": 1})
        view = await made.ended("shown")
        assert (view["output"], view["error"], view["waiting"]) == (6, None, [])
        again = await made.ask("start", "five", {"input": {"x": 5}, "id": "shown"})
        assert (again.status, again.json["output"], again.json["input"]) == (200, 6, {"x": 1})
        assert len(made.effects) == 5
        trace = (await made.ask("trace", "shown")).json
        assert [node["name"] for node in trace["root"]["children"]] == [f"s{i}" for i in range(5)]
        pages, start = [], 0
        while page := (await made.ask("history", "shown", {"start": start, "limit": 2})).json:
            pages += page["entries"]
            if not (start := page["next"]):
                break
        records = [record["record"] for entry in pages for record in entry["records"]]
        assert (records[0], records[-1], len(pages)) == ("RunStarted", "RunCompleted", 6)
        document = (await made.ask("definition", "shown")).json
        assert document["document"]["name"] == "five"
        listed = (await made.ask("list", "runs", {"workflow": "five", "status": "completed"})).json
        assert "shown" in [run["id"] for run in listed["items"]]

    play(platform, scene)


def test_what_can_not_be_asked_is_refused_with_the_reason(platform: Platform) -> None:
    async def scene(made: Caller) -> None:
        async def code(verb: str, name: str, body: Any = None) -> str:
            return str((await made.ask(verb, name, body)).json["code"])

        assert await code("start", "nothing") == "workflow_not_found"
        assert await code("get", "nothing") == "run_not_found"
        assert await code("start", "five", {"id": "A.b"}) == "invalid_name"
        assert await code("start", "five", {"wait": "long"}) == "bad_request"
        assert await code("dance", "shown") in ("not_found", "run_not_found")
        await made.run("five", {"x": 1}, id="taken")
        assert await code("start", "naps", {"id": "taken"}) == "conflict"
        refused = (await made.ask("cancel", "taken")).json
        assert refused["code"] == "conflict"
        assert refused["message"] == (
            "the run default/taken is completed, so it can't be cancelled: a running or suspended run can"
        )

    play(platform, scene)


def test_an_error_of_a_function_can_be_caught(platform: Platform) -> None:
    def failing(event: Any) -> None:
        raise Failure(500, "handler_failed", "ValueError: no")

    async def scene(made: Caller) -> None:
        made.functions["failing"] = failing
        error = (await made.run("caught"))["output"]
        assert (error["status"], error["detail"]) == (500, "handler_failed: ValueError: no")
        assert error["type"].endswith("/errors/communication")
        assert error["instance"] == "/do/0/guarded/try/0/work"

    play(platform, scene)


def test_what_can_not_be_taken_now_is_asked_again_with_the_same_key(platform: Platform) -> None:
    refusals = [Failure(503, "overloaded"), Failure(503, "function_starting"), Failure(503, "draining")]

    def failing(event: Any) -> str:
        if refusals:
            raise refusals.pop()
        return "at last"

    async def scene(made: Caller) -> None:
        made.functions["failing"] = failing
        assert (await made.run("caught"))["output"] == "at last"
        assert list(made.effects.values()) == [4]

    play(platform, scene)


def test_an_unknown_outcome_is_an_error_for_a_function_that_is_not_idempotent(platform: Platform) -> None:
    def failing(event: Any) -> None:
        raise Failure(502, "outcome_unknown", "the Pod went away")

    async def scene(made: Caller) -> None:
        made.functions["failing"] = failing
        assert (await made.run("caught"))["output"]["detail"] == "outcome_unknown: the Pod went away"
        assert list(made.effects.values()) == [1]

    play(platform, scene)


def test_timers_near_and_far(platform: Platform) -> None:
    async def scene(made: Caller) -> None:
        began = time.monotonic()
        view = await made.run("naps")
        assert view["output"] == {"slept": True}
        assert 1.34 < time.monotonic() - began < 5
        long = await made.ask("start", "forever", {"id": "long"})
        assert long.status == 201
        waiting = (await made.ask("get", "long")).json["waiting"]
        assert [(one["pointer"], one["kind"]) for one in waiting] == [("/do/0/nap", "timer")]

    play(platform, scene)


def test_pause_resume_cancel_and_retry(platform: Platform) -> None:
    failures = [Failure(500, "handler_failed", "once")]

    def failing_once(event: Any) -> int:
        if failures:
            raise failures.pop()
        return int(event["x"]) + 1

    async def scene(made: Caller) -> None:
        await made.ask("start", "asks", {"id": "steered"})
        message, _ = await made.held.get()
        assert (await made.ask("pause", "steered")).json["run"]["status"] == "suspended"
        assert (await made.ask("pause", "steered")).json["code"] == "conflict"
        await made.answer(message, {"x": 1})
        assert (await made.ask("resume", "steered")).json["run"]["status"] == "running"
        assert (await made.ended("steered"))["output"] == 2
        await made.ask("start", "asks", {"id": "stopped"})
        await made.held.get()
        assert (await made.ask("cancel", "stopped")).json["run"]["status"] == "cancelled"
        assert (await made.ask("get", "stopped")).json["run"]["status"] == "cancelled"
        made.functions["add"] = failing_once
        faulted = await made.run("five", {"x": 1}, id="failed")
        assert faulted["run"]["status"] == "faulted"
        assert faulted["error"]["detail"] == "handler_failed: once"
        assert (await made.ask("retry", "failed")).status == 200
        again = await made.ended("failed")
        assert again["output"] == 6, again["error"]

    play(platform, scene)


def test_children(platform: Platform) -> None:
    async def scene(made: Caller) -> None:
        assert (await made.run("parent"))["output"] == {"child": 15}
        assert (await made.run("spawner"))["output"] == {"spawned": True}
        orphan = await made.run("orphan")
        assert orphan["error"]["detail"].startswith("workflow_not_found")
        await made.ask("start", "watcher", {"id": "watcher-1"})
        child = child_id("default.watcher-1.1", "forever")
        while (await made.ask("get", child)).status != 200:
            pass  # each look is a request and takes its time
        assert (await made.ask("cancel", "watcher-1")).status == 200
        assert (await made.ended(child))["run"]["status"] == "cancelled"

    play(platform, scene)


def test_a_caller_on_the_bus_asks_for_a_run(platform: Platform) -> None:
    async def scene(made: Caller) -> None:
        plain = await nats.connect(platform.bus.caller_url)
        try:
            subject = subjects.run(FunctionRef("default", "five"))
            reply = await plain.request(subject, b'{"x":2}', timeout=10, headers={"Faas-Id": "by-bus"})
            assert (reply.headers or {})["Faas-Status"] == "201"
            assert (await made.ended("by-bus"))["output"] == 7
            wrong = await plain.request(subject, b"{no", timeout=10)
            assert (wrong.headers or {})["Faas-Error"] == "invalid_json"
        finally:
            await plain.close()

    play(platform, scene)


def test_starts_at_once_with_one_id_are_one_run_also_before_its_workflow_was_looked_at(platform: Platform) -> None:
    async def scene(made: Caller) -> None:
        for number in range(5):
            await asyncio.to_thread(platform.deploy, f"fresh-{number}", WORKFLOWS["five"])
            asked = {"input": {"x": 1}, "id": f"same-{number}"}
            answers = await asyncio.gather(*(made.ask("start", f"fresh-{number}", asked) for _ in range(20)))
            assert sorted(answer.status for answer in answers) == [200] * 19 + [201]
            view = await made.ended(f"same-{number}")
            assert (view["output"], view["error"]) == (6, None)
        assert len(made.effects) == 25

    play(platform, scene)
