"""Calls by AsyncAPI through the real service and a NATS server elsewhere: the specification's examples, and a
subscription whose service is killed."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import pytest

from tests.support.elsewhere import Elsewhere, nats_elsewhere
from tests.support.flow import Caller, Platform, running_platform
from tests.support.workflows import OPENWORKFLOW
from tests.workflow import stubs
from tests.workflow.ctk.driver import Case, Outcome
from tests.workflow.ctk.memory import MemoryDriver
from tests.workflow.ctk.phrases import has
from tests.workflow.ctk.run import run_directory
from tests.workflow.ctk.service import ServiceDriver
from tests.workflow.stubs import TOKEN

EXAMPLES = OPENWORKFLOW / "examples"
example = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the specification's examples are not beside the checkout")
BOB = {"from": {"firstName": "Bob", "lastName": "Lee"}}
ANN = {"from": {"firstName": "Ann", "lastName": "Lee"}}
INPUT = {"userId": "u1", "contact": {"firstName": "Ann", "lastName": "Lee"}, "consumedMessages": [1, 2, 3, 4, 5]}
MESSAGE = {"correlationId": {"location": "$message.header#/User"}}


def document(port: int) -> dict[str, Any]:
    channel = {"address": "notifications", "messages": {"n": MESSAGE}}
    return {
        "asyncapi": "3.0.0",
        "servers": {"staging": {"host": f"127.0.0.1:{port}", "protocol": "nats"}},
        "channels": {"notifications": channel, "pets": {"address": "pets.found"}},
        "operations": {
            "getNotifications": {"action": "receive", "channel": {"$ref": "#/channels/notifications"}},
            "findPetsByStatus": {"action": "send", "channel": {"$ref": "#/channels/pets"}},
        },
    }


def document_2(port: int) -> dict[str, Any]:
    return {
        "asyncapi": "2.6.0",
        "servers": {"staging": {"url": f"nats://127.0.0.1:{port}", "protocol": "nats"}},
        "channels": {"/notifications": {"subscribe": {"message": MESSAGE}}},
    }


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    with nats_elsewhere(tmp_path_factory.mktemp("nats")) as made:
        yield made


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("asyncapi")) as made, made.running(allowed_addresses="127.0.0.0/8"):
        yield made


def case(name: str, hosts: dict[str, str], **more: Any) -> Case:
    text = (EXAMPLES / f"call-asyncapi-{name}.yaml").read_text()
    return Case(definition=text, hosts=hosts, **more)


def subscribe(platform: Platform, elsewhere: Elsewhere, name: str, subject: str, **more: Any) -> Outcome:
    """The outcome of a subscription that is sent messages of Bob and Ann, twice."""

    async def play(hosts: dict[str, str]) -> Outcome:
        driver = ServiceDriver(platform)
        client = await nats.connect(f"nats://127.0.0.1:{elsewhere.port}")
        async with driver.calling() as caller, asyncio.TaskGroup() as tasks:
            run = tasks.create_task(driver.play(caller, case(name, hosts, input=INPUT, **more)))
            await elsewhere.subscribed(subject)
            for body in (BOB, ANN, BOB, ANN):
                await client.publish(subject, json.dumps(body).encode(), headers={"User": "u1"})
            await client.close()
        return run.result()

    with stubs.stubs() as hosts:
        return asyncio.run(play(hosts))


@example
def test_publish(platform: Platform, tmp_path: Path) -> None:
    async def play(port: int, hosts: dict[str, str]) -> tuple[Outcome, Any]:
        driver = ServiceDriver(platform)
        client = await nats.connect(f"nats://{TOKEN}@127.0.0.1:{port}")
        subscription = await client.subscribe("pets.found")
        await client.flush()
        async with driver.calling() as caller:
            outcome = await driver.play(caller, case("publish", hosts, input={"pet": {"id": 7}, "token": TOKEN}))
        message = await subscription.next_msg(10)
        await client.close()
        return outcome, json.loads(message.data)

    with nats_elsewhere(tmp_path, f"authorization {{ token: {TOKEN} }}") as made, stubs.stubs() as hosts:
        stubs.documents["asyncapi"] = document(made.port)
        outcome, payload = asyncio.run(play(made.port, hosts))
    assert (outcome.status, payload) == ("completed", {"petId": 7}), outcome.error


@example
def test_subscribe_while(platform: Platform, elsewhere: Elsewhere) -> None:
    stubs.documents["asyncapi"] = document(elsewhere.port)
    outcome = subscribe(platform, elsewhere, "subscribe-consume-while", "notifications")
    has(outcome.output, [{"payload": ANN, "correlationId": "u1", "headers": {"User": "u1"}}], "output")


@example
def test_subscribe_until_for_some_time(platform: Platform, elsewhere: Elsewhere) -> None:
    stubs.documents["asyncapi"] = document_2(elsewhere.port)
    outcome = subscribe(platform, elsewhere, "subscribe-consume-until", "/notifications")
    has(outcome.output, [{"payload": ANN, "correlationId": "u1"}], "output")


@example
def test_subscribe_forever_with_something_to_do_for_each(platform: Platform, elsewhere: Elsewhere) -> None:
    stubs.documents["asyncapi"] = document(elsewhere.port)
    name = "subscribe-consume-forever-foreach"
    outcome = subscribe(platform, elsewhere, name, "notifications", cancel_at=2.0)
    assert outcome.status == "cancelled", outcome.error
    has(outcome.emitted, [{"data": {"message": {"payload": ANN}}}] * 2, "events")


AMOUNT = """
document: { dsl: '1.0.3', namespace: default, name: collect, version: '1.0.0' }
do:
  - collect:
      call: asyncapi
      with:
        document: { endpoint: https://fake.com/docs/asyncapi.json }
        operation: getNotifications
        subscription: { consume: { amount: 3 } }
      output: { as: '[.[].payload.n]' }
"""


def test_messages_that_were_consumed_stay_so_when_the_service_is_killed(tmp_path: Path, elsewhere: Elsewhere) -> None:
    async def play(platform: Platform, hosts: dict[str, str]) -> Outcome:
        driver = ServiceDriver(platform)
        client = await nats.connect(f"nats://127.0.0.1:{elsewhere.port}")
        with platform.running(allowed_addresses="127.0.0.0/8") as service:
            async with driver.calling() as caller, asyncio.TaskGroup() as tasks:
                run = tasks.create_task(driver.play(caller, Case(definition=AMOUNT, hosts=hosts)))
                await elsewhere.subscribed("notifications")
                await client.publish("notifications", b'{"n": 1}')
                (summary,) = await _runs(caller)
                while b'"EventConsumed"' not in (await caller.ask("history", summary["id"])).body:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)  # the history is asked, it does not tell
                service.kill()
                await elsewhere.subscribed("notifications", 0)
                service.start()
                await elsewhere.subscribed("notifications")
                for number in (2, 3):
                    await client.publish("notifications", b'{"n": %d}' % number)
                await client.close()
            return run.result()

    stubs.documents["asyncapi"] = document(elsewhere.port)
    with stubs.stubs() as hosts, running_platform(tmp_path) as platform:
        outcome = asyncio.run(play(platform, hosts))
    assert outcome.output == [1, 2, 3]


async def _runs(caller: Caller) -> list[dict[str, Any]]:
    return list((await caller.ask("list", "runs")).json["items"])


BOTH = """
Feature: messages
  Scenario: what one branch tells another hears
    Given a workflow with definition:
    \"\"\"yaml
    document: { dsl: '1.0.3', namespace: default, name: both, version: '1.0.0' }
    do:
      - both:
          fork:
            branches:
              - hear:
                  call: asyncapi
                  with:
                    document: { endpoint: https://fake.com/docs/asyncapi.json }
                    operation: getNotifications
                    subscription: { filter: '${ .payload.n > 1 }', consume: { amount: 1 } }
                  output: { as: '.[0].payload.n' }
              - tell:
                  do:
                    - first: { wait: PT1S }
                    - one: { call: asyncapi, with: { document: { endpoint: https://fake.com/docs/asyncapi.json }, operation: getNotifications, message: { payload: { n: 1 } } } }
                    - two: { call: asyncapi, with: { document: { endpoint: https://fake.com/docs/asyncapi.json }, operation: getNotifications, message: { payload: { n: 2 } } } }
    \"\"\"
    When the workflow is executed
    Then the workflow should complete with output:
    \"\"\"yaml
    [ 2, null ]
    \"\"\"
"""  # noqa: E501


def test_the_kits_runner_speaks_to_nats_servers_that_are_mapped(tmp_path: Path, elsewhere: Elsewhere) -> None:
    (tmp_path / "x.feature").write_text(BOTH)
    made = document(elsewhere.port)
    made["servers"]["staging"]["host"] = "nats.example:4333"
    stubs.documents["asyncapi"] = made
    with stubs.stubs() as hosts:
        mapped = {"nats.example:4333": f"nats://127.0.0.1:{elsewhere.port}"}
        (result,) = run_directory(tmp_path, MemoryDriver(), hosts | mapped)
    assert result.failure == ""
