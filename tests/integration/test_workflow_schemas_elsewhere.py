"""Schemas by ``resource``, through real services: fetched once for a definition, tried again until they can be had."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.common import bus as nats_bus
from services.common.settings import Common, load
from services.workflow.controller.definitions import FIRST_WAIT
from services.workflow.store.definitions import DefinitionStore
from services.workflow.store.jetstream import JetStream
from tests.support.flow import WORKFLOWS, Caller, Platform, caller, running_platform
from tests.support.patience import PATIENCE
from tests.support.site import Site, serving

NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
TEXT = {"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]}


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("elsewhere")) as running:
        yield running


@pytest.fixture(scope="module")
def service(platform: Platform) -> Iterator[None]:
    with platform.running(allowed_addresses="127.0.0.0/8"):
        yield


def during(platform: Platform, story: Callable[[Caller], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(PATIENCE), caller(platform.bus) as made:
            await story(made)

    asyncio.run(run())


def flow(endpoint: Any, more: str = "") -> str:
    schema = {"resource": {"endpoint": endpoint}}
    return f"input: {{schema: {json.dumps(schema)}}}\n{more}do: [{{keep: {{set: '${{ . }}'}}}}]"


def status(platform: Platform, name: str, wanted: str, seconds: float = PATIENCE) -> dict[str, Any]:
    """The status of a Workflow once its condition is this, with the condition."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = platform.api.get(f"{WORKFLOWS}/{name}")
        said = found.get("status", {})
        if said.get("observedGeneration") == found["metadata"]["generation"]:
            (condition,) = said["conditions"]
            if condition["status"] == wanted:
                return dict(said) | {"condition": condition}
        time.sleep(0.02)  # nothing tells when a status changes but a watch of its own
    raise AssertionError(f"{name} is not {wanted}: {found.get('status')}")


def test_a_schema_is_fetched_once_and_runs_need_its_server_no_more(
    platform: Platform, service: None, site: Site
) -> None:
    site["/n.json"] = NUMBER
    text = flow(f"{site.url}/n.json", "output: {schema: {resource: {endpoint: {uri: '%s/n.json'}}}}\n")
    platform.deploy("once", text % site.url)
    before = status(platform, "once", "True")
    assert site.asked == ["/n.json"]  # one place, named twice
    site["/n.json"] = TEXT

    async def story(made: Caller) -> None:
        assert (await made.run("once", {"n": 1}))["output"] == {"n": 1}
        refused = await made.run("once", {"n": "one"}, id="once-wrong")
        assert refused["error"]["type"].endswith("/validation")
        stored = (await made.ask("definition", "once-wrong")).json
        assert stored["input"]["schema"] == stored["output"]["schema"] == {"document": NUMBER}

    during(platform, story)
    with platform.running("wf-1", allowed_addresses="127.0.0.0/8"):  # as after a restart: it has to judge what there is
        during(platform, story)
    assert status(platform, "once", "True") == before
    assert site.asked == ["/n.json"]


def test_another_version_has_the_schema_of_its_time_and_the_older_one_its_own(
    platform: Platform, service: None, site: Site
) -> None:
    site["/n.json"] = NUMBER
    platform.deploy("versions", flow(f"{site.url}/n.json"))
    first = status(platform, "versions", "True")["definition"]
    site["/n.json"] = TEXT
    for version in ("0.2.0", "0.1.0"):  # the last one is the first text again
        document = {"spec": {"definition": {"document": {"version": version}}}}
        platform.api.patch(f"{WORKFLOWS}/versions", document)
        last = status(platform, "versions", "True")
    assert last["definition"] == first
    assert len({each["definition"] for each in last["versions"]}) == 2
    assert site.asked == ["/n.json"] * 2


def test_what_cannot_be_had_is_told_with_its_place_and_tried_again_by_itself(
    platform: Platform, service: None, site: Site
) -> None:
    site["/later.json"] = 503
    platform.deploy("later", flow(f"{site.url}/later.json"))
    condition = status(platform, "later", "False")["condition"]
    assert condition["reason"] == "ResourceUnavailable"
    assert condition["message"].startswith("/input/schema/resource: found none that could be fetched; expected a JSON")
    assert "/later.json answered 503" in condition["message"]
    assert "write the schema into document; it is tried again by itself" in condition["message"]

    async def story(made: Caller) -> None:
        answer = await made.ask("start", "later", {"input": {"n": 1}})
        assert answer.status == 422, answer
        site["/later.json"] = {"type": "strange"}
        said = ""
        while "no JSON Schema" not in said:
            said = status(platform, "later", "False")["condition"]["message"]
            await asyncio.sleep(0.05)
        assert "'strange' is not valid" in said
        site["/later.json"] = NUMBER
        while not platform.api.get(f"{WORKFLOWS}/later")["status"]["version"]:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.05)
        assert (await made.run("later", {"n": "x"}))["run"]["status"] == "faulted"
        assert (await made.run("later", {"n": 1}))["run"]["status"] == "completed"

    during(platform, story)
    assert platform.api.get(f"{WORKFLOWS}/later")["metadata"]["generation"] == 1
    pauses = len(site.asked)
    assert 3 <= pauses <= 12


BIG = {"type": "object", "properties": {f"field-{n}": {"type": "string"} for n in range(5000)}}
SCHEMAS: dict[str, tuple[Any, str]] = {
    "yaml": (yaml.safe_dump(NUMBER).encode(), ""),
    "boolean": (True, ""),
    "larger-than-64-kib": (BIG, ""),
    "list": ([1], "it is neither an object nor true or false"),
    "elsewhere-again": ({"$ref": "other.json"}, "a schema refers to other.json, which is not in it"),
    "too-large": (b'{"title": "' + b"x" * 600_000 + b'"}', "524288 are allowed"),
    "too-many": ({"enum": list(range(50_001))}, "more than 50000 values"),
    "nothing": (b"{", "neither JSON nor YAML"),
    "gone": (404, "answered 404 Not Found"),
    "forbidden": (403, "answered 403 Forbidden"),
}


def test_what_a_schema_may_be(platform: Platform, service: None, site: Site) -> None:
    for name, (served, _) in SCHEMAS.items():
        site[f"/{name}"] = served
        platform.deploy(f"may-{name}", flow(f"{site.url}/{name}"))
    for name, (_, wrong) in SCHEMAS.items():
        message = status(platform, f"may-{name}", "False" if wrong else "True")["condition"]["message"]
        assert wrong in message
        assert not wrong or message.startswith("/input/schema/resource: found no")
        platform.api.delete(f"{WORKFLOWS}/may-{name}")


def test_what_is_deleted_is_fetched_no_more(platform: Platform, service: None, site: Site) -> None:
    platform.deploy("deleted", flow(f"{site.url}/none"))
    status(platform, "deleted", "False")
    platform.api.delete(f"{WORKFLOWS}/deleted")
    time.sleep(2 * FIRST_WAIT)
    assert site.asked == ["/none"]


def test_credentials_are_secrets_and_are_not_kept(platform: Platform, service: None, site: Site) -> None:
    site["/n.json"] = lambda headers: NUMBER if headers["Authorization"] == "Bearer t0k3n" else 401
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "site"}, "stringData": {"token": "t0k3n"}}
    policies: list[dict[str, Any]] = [
        {"bearer": {"use": "site"}},
        {"bearer": {"token": "${ $secrets.site.token }"}},
        {"use": "known"},
    ]
    known = "use: {secrets: [site], authentications: {known: {bearer: {token: '${ $secrets.site.token }'}}}}\n"
    for number, policy in enumerate(policies):
        platform.deploy(f"login-{number}", flow({"uri": f"{site.url}/n.json", "authentication": policy}, known))
    for number in range(len(policies)):
        status(platform, f"login-{number}", "False")  # there is no such secret yet
    platform.api.create("/api/v1/namespaces/default/secrets", secret)
    digests = [status(platform, f"login-{number}", "True")["definition"] for number in range(len(policies))]
    other = flow({"uri": f"{site.url}/n.json", "authentication": {"bearer": {"token": "${ .token }"}}})
    platform.deploy("login-other", other)
    said = status(platform, "login-other", "False")["condition"]["message"]
    assert "gave no text; there is no data here but $secrets" in said

    async def story(made: Caller) -> None:
        connection = await nats_bus.connect(load(Common, platform.bus.environment("workflow")), "workflow")
        js = JetStream(connection)
        await js.open()
        for digest in digests:
            stored = await DefinitionStore(js).get(digest)
            assert stored is not None
            assert json.loads(stored)["input"] == {"schema": {"document": NUMBER}}
        await connection.close()

    during(platform, story)


def test_services_that_judge_at_once_agree_although_the_schema_changes(
    platform: Platform, service: None, site: Site
) -> None:
    """Each request is answered by another schema; whatever service a run begins at, it goes by the same one."""
    site["/n.json"] = lambda _: TEXT | {"title": str(len(site.asked))}
    with platform.running("wf-1", allowed_addresses="127.0.0.0/8"):
        names = [f"agreed-{number}" for number in range(5)]
        for name in names:
            platform.deploy(name, flow(f"{site.url}/n.json"))
        digests = {name: status(platform, name, "True")["definition"] for name in names}

        async def story(made: Caller) -> None:
            for name in names:
                views = [await made.run(name, {"n": "x"}) for _ in range(8)]
                assert {view["run"]["definition"] for view in views} == {digests[name]}

        during(platform, story)


def test_one_service_that_can_fetch_a_schema_is_enough(platform: Platform, service: None, site: Site) -> None:
    site["/n.json"] = NUMBER
    names = [f"enough-{number}" for number in range(4)]
    with platform.running("wf-strict"):  # which may not reach the address
        for name in names:
            platform.deploy(name, flow(f"{site.url}/n.json"))
        said = {name: status(platform, name, "True") for name in names}
        time.sleep(2 * FIRST_WAIT)  # nobody contradicts
        assert {name: status(platform, name, "True") for name in names} == said

        async def story(made: Caller) -> None:
            for name in names * 4:
                assert (await made.run(name, {"n": 1}))["output"] == {"n": 1}

        during(platform, story)


def test_addresses_are_those_that_calls_may_reach(platform: Platform, site: Site, tmp_path: Path) -> None:
    site["/n.json"] = NUMBER
    with running_platform(tmp_path) as strict, strict.running():
        strict.deploy("inside", flow(f"{site.url}/n.json"))
        assert "the address 127.0.0.1 is loopback" in status(strict, "inside", "False")["condition"]["message"]
    assert site.asked == []
