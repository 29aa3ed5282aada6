"""The specification's examples through the real service: each that can run on one machine, with its outcome checked.

Its hosts are stubs. Examples that are refused, and why, are in tests/unit/test_workflow_language_examples.py.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from services.contracts.workflow import InvalidWorkflow, parse_yaml
from tests.support.workflows import OPENWORKFLOW
from tests.workflow.ctk.driver import Case, Outcome
from tests.workflow.ctk.phrases import has
from tests.workflow.ctk.service import ServiceDriver, service_driver
from tests.workflow.stubs import TOKEN, stubs

EXAMPLES = OPENWORKFLOW / "examples"
pytestmark = pytest.mark.skipif(
    not EXAMPLES.is_dir(), reason="the specification's examples are not beside the checkout"
)

TEMPERATURE = "com.fake-hospital.vitals.measurements.temperature"
BPM = "com.fake-hospital.vitals.measurements.bpm"
TRIGGER = "io.serverlessworkflow.samples.events.trigger.v1"
HEARTBEAT = "com.example.hospital.events.patients.heartbeat.low"
CHECKUP = "com.fake.petclinic.pets.checkup.completed.v2"
SENSOR = {"source": "https://my.home.com/sensor", "roomid": "r1"}
MILOU = {"id": 1, "name": "milou", "status": "pending"}
LUKE = {"count": 1, "results": [{"name": "Luke Skywalker"}]}
BASIC_OAUTH = {
    "authority": "https://keycloak", "grant": "client_credentials", "client.id": "me", "client.secret": "client-secret",
}  # fmt: skip
REGISTER = """
document: { dsl: '1.0.3', namespace: test, name: register-customer, version: '0.1.0' }
do: [ { register: { set: { registered: '${ .customer }' } } } ]
"""
PATIENT = {"patient": {"id": "p1", "name": "Ann", "room": {"number": 7}, "vitals": {"bpm": 40}}, "timestamp": "now"}
WORK_IN_PROGRESS = "is a work in progress and cannot be run yet"


class Example(msgspec.Struct, kw_only=True):
    """What an example is given, and what is expected of it: ``output`` and ``error`` may have more than is said."""

    input: Any = {}
    events: list[dict[str, Any]] = []
    secrets: dict[str, Any] = {}
    workflows: list[str] = []
    trigger: dict[str, Any] | None = None
    cancel_at: float | None = None
    status: str = "completed"
    output: Any = None
    error: dict[str, Any] | None = None
    ran: list[str] = []
    emitted: list[dict[str, Any]] = []


def event(type_: str, data: Any = None, **more: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "0", "source": "/test", "type": type_, "data": data} | more


def measured(*values: tuple[str, Any]) -> list[dict[str, Any]]:
    """Events with ids of their own."""
    return [event(kind, data, id=str(number)) for number, (kind, data) in enumerate(values)]


FEVER, CALM, FAST = (TEMPERATURE, {"temperature": 39}), (TEMPERATURE, {"temperature": 37}), (BPM, {"bpm": 120})
CASES: dict[str, Example] = {
    "accumulate-room-readings": Example(
        events=[
            event("my.home.sensors.temperature", 20, **SENSOR), event("my.home.sensors.humidity", 50, id="1", **SENSOR),
        ],
        status="faulted", error={"status": 400, "instance": "/do/0/consumeReading"},
    ),  # a listen gives a list, which has no field ``data``
    "authentication-bearer": Example(input={"token": "t"}, output=MILOU),
    "authentication-bearer-uri-format": Example(input={"token": "t", "petId": 1}, output=MILOU),
    "authentication-reusable": Example(input={"token": "t", "petId": 1}, output=MILOU),
    "authentication-oauth2": Example(input={"petId": 1}, output=MILOU),
    "authentication-oidc": Example(input={"petId": 1}, output=MILOU),
    "authentication-oauth2-secret": Example(input={"petId": 1}, secrets={"mySecret": BASIC_OAUTH}, output=MILOU),
    "authentication-oidc-secret": Example(input={"petId": 1}, secrets={"mySecret": BASIC_OAUTH}, output=MILOU),
    "call-custom-function-inline": Example(output={"id": 69, "name": "pet 69", "status": "available"}),
    "call-http-endpoint-interpolation": Example(input={"petId": 1}, output=MILOU),
    "call-http-endpoint-interpolation-shorthand": Example(input={"petId": 1}, output=MILOU),
    "call-http-query-headers-expressions": Example(input={"searchQuery": "luke"}, output=LUKE),
    "call-http-query-parameters": Example(input={"searchQuery": "luke"}, output=LUKE),
    "call-http-redirect": Example(input={"searchQuery": "luke"}, output=LUKE),
    "call-openapi": Example(output=[{"id": 2, "name": "rex", "status": "available"}]),
    "call-openapi-redirect": Example(output=[{"id": 2, "name": "rex", "status": "available"}]),
    "conditional-task": Example(
        input={"customer": {"age": 17}}, status="faulted", error={"status": 400, "title": "Access Forbidden"},
    ),
    "do-multiple": Example(input={"petId": 1}, output=MILOU | {"status": "sold"}, ran=["getPet", "buyPet"]),
    "do-single": Example(input={"petId": 1}, output=MILOU),
    "emit": Example(
        output={"type": "com.petstore.order.placed.v1", "source": "https://petstore.com"},
        emitted=[{"type": "com.petstore.order.placed.v1", "data": {"client": {"firstName": "Cruella"}}}],
    ),
    "for": Example(
        input={"pets": [{"id": 1}], "vet": {"name": "v"}}, events=[event(CHECKUP)],
        status="faulted", error={"status": 400, "instance": "/do/0/checkup/do/0/waitForCheckup"},
    ),  # likewise: ``.pets`` of a list
    "for-inline-array": Example(output={"processed": [{"name": "red"}, {"name": "green"}, {"name": "blue"}]}),
    "fork": Example(
        input={"patient": {"fullName": "Ann"}, "room": {"number": 7}},
        output={"method": "PUT", "body": {"patientId": "Ann", "room": 7}},
    ),
    "listen-to-all": Example(events=measured(CALM, FAST, FEVER), output=[{"bpm": 120}, {"temperature": 39}]),
    "listen-to-all read-envelope": Example(
        events=measured(CALM, FAST, FEVER), output=[{"type": BPM}, {"type": TEMPERATURE}],
    ),
    "listen-to-any": Example(events=measured(("any.thing", 1)), output=[1]),
    "listen-to-any-filter": Example(events=measured(CALM, FEVER), output=[{"temperature": 39}]),
    "listen-to-any-until-condition": Example(
        events=measured(*[("any.thing", n) for n in range(4)]), output=[0, 1, 2, 3],
    ),
    "listen-to-any-until-consumed": Example(
        events=measured(FEVER, CALM, FAST, ("com.fake-hospital.patient.checked-out", None)),
        output=[{"temperature": 39}, {"bpm": 120}],
    ),
    "listen-to-any-forever-foreach": Example(
        input={"roomId": "r"}, events=measured(("gossip", 1), ("gossip", 2)), cancel_at=2.0, status="cancelled",
        ran=["listenToGossips", "postToChatApi", "postToChatApi"],
    ),
    "listen-to-one": Example(
        input={"carId": 3}, events=measured(("com.virtual-wf-powered-race.events.race.started.v1", {"carId": 3})),
        output={"method": "POST", "path": "/api/v4/cars//start"},
    ),  # the list that listen gives has no field carId
    "raise-inline": Example(status="faulted", error={"status": 500, "title": "Not Implemented"}),
    "raise-reusable": Example(status="faulted", error={"status": 500, "title": "Not Implemented"}),
    "run-subflow": Example(workflows=[REGISTER], output={"registered": ".user"}),
    "schedule-cron": Example(output={"path": "/api/v1/backup/start"}),
    "schedule-event-driven": Example(
        trigger=event(HEARTBEAT, {"data": PATIENT}), output={"body": {"patientId": "p1", "roomNumber": 7}},
    ),  # ``read`` defaults to the event's data
    "set": Example(trigger=event(TRIGGER, {"n": 1}), output={"startEvent": {"n": 1}}),
    "set-expression": Example(trigger=event(TRIGGER, {"n": 1}), output={"n": 1}),
    "star-wars-homeworld": Example(input={"id": 1}, output={"name": "Tatooine"}),
    "switch-then-string": Example(
        input={"orderType": "physical"}, output={"items": 1}, ran=["processOrder", "processPhysicalOrder"],
    ),
    "try-catch-then": Example(
        input={"petId": 99}, output={"error": "$error"},
        emitted=[{"type": "io.swagger.petstore.events.pets.not-found.v1", "data": {"status": 404}}],
    ),
    "try-catch-retry-inline": Example(input={"petId": 1}, output=MILOU),
    "try-catch-retry-reusable": Example(input={"petId": 99}, status="faulted", error={"status": 404}),
    "try-catch": Example(input={"petId": 99}, output={"petId": 99}),
    "try-catch-then-directive": Example(
        output={"status": "failed"}, ran=["trySomething", "callExternalService", "recordFailure"],
    ),
    "wait-duration-inline": Example(input={"a": 1}, output={"a": 1}),
    "wait-duration-iso8601": Example(input={"a": 1}, output={"a": 1}),
}  # fmt: skip
ELSEWHERE = {"publish", "subscribe-consume-forever-foreach", "subscribe-consume-until", "subscribe-consume-while"}
"""Of ``call-asyncapi-…``: in test_workflow_examples_asyncapi."""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceDriver]:
    with service_driver(tmp_path_factory.mktemp("examples")) as made:
        yield made


def case(name: str, hosts: dict[str, str]) -> Case:
    example = CASES[name]
    return Case(
        definition=(EXAMPLES / f"{name}.yaml").read_text(), hosts=hosts, input=example.input, events=example.events,
        secrets=example.secrets, workflows=example.workflows, trigger=example.trigger, cancel_at=example.cancel_at,
    )  # fmt: skip


def check(name: str, outcome: Outcome) -> None:
    example = CASES[name]
    assert outcome.status == example.status, (name, outcome.error)
    if example.output is not None:
        has(outcome.output, example.output, name)
    has(outcome.error or {}, example.error or {}, name)
    assert outcome.tasks[: len(example.ran)] == example.ran, name
    has(outcome.emitted, example.emitted, f"events of {name}")


def test_every_example_has_a_case_or_is_refused() -> None:
    accepted, refused = set(), set()
    for path in EXAMPLES.glob("*.yaml"):
        try:
            parse_yaml(path.read_text())
            accepted.add(path.stem)
        except InvalidWorkflow as error:
            refused |= {problem.kind for problem in error.problems}
    assert refused == {"unsupported"}
    assert accepted == CASES.keys() | {f"call-asyncapi-{name}" for name in ELSEWHERE}


def test_examples_run_as_they_say(driver: ServiceDriver) -> None:
    """Those that wait for 30 s do so beside the others; those with events one after the other, since any event is for
    every run that listens."""

    async def all_of_them(hosts: dict[str, str]) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}

        async with driver.calling() as made:

            async def one(name: str) -> None:
                outcomes[name] = await driver.play(made, case(name, hosts), 60)

            async with asyncio.TaskGroup() as tasks:
                for name in CASES:
                    if "wait" in name:
                        tasks.create_task(one(name))
                for name in CASES:
                    if "wait" not in name:
                        await one(name)
        return outcomes

    with stubs() as hosts:
        outcomes = asyncio.run(all_of_them(hosts))
    for name, outcome in outcomes.items():
        check(name, outcome)
    for name in ("wait-duration-inline", "wait-duration-iso8601"):
        assert 30 <= outcomes[name].seconds < 35
    assert WORK_IN_PROGRESS in str((outcomes["raise-inline"].error or {})["detail"])
    assert TOKEN not in str(outcomes)
