"""The workflow service's controller against a real API server and a real JetStream."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop
import yaml

from services.common import bus as nats_bus
from services.common.kube import KubeClient
from services.common.settings import Common, load
from services.contracts.names import FunctionRef
from services.workflow.calls import Outside
from services.workflow.controller.controller import Controller
from services.workflow.controller.definitions import Accepted, Refused
from services.workflow.store import streams
from services.workflow.store.definitions import DefinitionStore
from services.workflow.store.jetstream import JetStream
from tests.support.api import Api, Refusal
from tests.support.apiserver import ApiServer, running_apiserver
from tests.support.bus import Bus, running_bus
from tests.support.judging import Checks, Starts
from tests.support.patience import PATIENCE
from tests.support.workflows import definition

ROOT = Path(__file__).parents[2]
WORKFLOWS = "/apis/faas.dev/v1alpha1/namespaces/default/workflows"
FUNCTIONS = "/apis/faas.dev/v1alpha1/namespaces/default/functions"
SECRETS = "/api/v1/namespaces/default/secrets"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("api")) as running:
        for file in sorted((ROOT / "deploy" / "crds").glob("*.yaml")):
            crd = yaml.safe_load(file.read_text())
            Api(running).create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        yield running


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    with running_bus(tmp_path_factory.mktemp("bus")) as running:
        yield running


@pytest.fixture
def api(server: ApiServer) -> Iterator[Api]:
    """The API server, without Workflows of other tests."""
    api = Api(server)
    yield api
    for item in api.items(WORKFLOWS):
        api.delete(f"{WORKFLOWS}/{item['metadata']['name']}")


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110  # nothing tells
        await asyncio.sleep(0.01)


@asynccontextmanager
async def documents(bus: Bus) -> AsyncIterator[DefinitionStore]:
    connection = await nats_bus.connect(load(Common, bus.environment("workflow")), "workflow")
    try:
        js = JetStream(connection)
        await js.open()
        await streams.prepare(js, 1)
        yield DefinitionStore(js)
    finally:
        await connection.close()


@asynccontextmanager
async def controlled(server: ApiServer, bus: Bus, starts: Starts) -> AsyncIterator[Controller]:
    async with documents(bus) as store, KubeClient(str(server.kubeconfig)) as kube, Outside() as outside:
        controller = Controller(kube, Checks(), store, outside)
        running = asyncio.create_task(controller.run(starts.start))
        try:
            await until(lambda: controller.missing() is None)
            yield controller
            await until(lambda: controller.pending == 0)  # a request that is cancelled may leave its socket open
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def during(server: ApiServer, bus: Bus, starts: Starts, test: Callable[[Controller], Awaitable[None]]) -> None:
    """Runs ``test`` beside a controller."""

    async def run() -> None:
        async with asyncio.timeout(PATIENCE), controlled(server, bus, starts) as controller:
            await test(controller)

    uvloop.run(run())  # as the service does


def manifest(name: str, *tasks: dict[str, Any], version: str = "0.1.0", **spec: Any) -> dict[str, Any]:
    wanted = definition(*tasks or ({"greet": {"set": {"hello": "you"}}},))
    wanted["document"] |= {"name": name, "version": version}
    meta = {"name": name, "namespace": "default"}
    document = {"apiVersion": "faas.dev/v1alpha1", "kind": "Workflow", "metadata": meta}
    return document | {"spec": {"definition": wanted, **spec}}


async def status(api: Api, name: str, true: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """The status of a Workflow, once it is what the test waits for."""
    while True:
        found = (await asyncio.to_thread(api.get, f"{WORKFLOWS}/{name}")).get("status", {})
        if found and true(found):
            return dict(found)
        await asyncio.sleep(0.02)


def test_an_accepted_workflow_says_so_and_can_be_run_by_digest(server: ApiServer, bus: Bus, api: Api) -> None:
    async def test(controller: Controller) -> None:
        api.create(WORKFLOWS, manifest("fine"))
        found = await status(api, "fine", lambda s: s["observedGeneration"] == 1)
        (condition,) = found["conditions"]
        assert (condition["type"], condition["status"], condition["reason"]) == ("Accepted", "True", "Accepted")
        accepted = await controller.definitions.get("default", "fine")
        assert isinstance(accepted, Accepted)
        assert (found["version"], found["definition"]) == ("0.1.0", accepted.digest)
        assert hashlib.sha256(accepted.document).hexdigest() == accepted.digest
        assert msgspec.json.decode(accepted.document) == accepted.definition.source
        assert await controller.definitions.get("default", "none") is None
        async with documents(bus) as store:
            assert await store.get(accepted.digest) == accepted.document

    during(server, bus, Starts(), test)


@pytest.mark.parametrize(
    ("task", "reason", "said"),
    [
        ({"outptu": {}, "set": {}}, "InvalidDefinition", "/do/0/t/outptu: found the unknown field"),
        ({"run": {"shell": {"command": "ls"}}}, "Unsupported", "/do/0/t/run/shell"),
        ({"set": "${ .a == }"}, "InvalidDefinition", "/do/0/t/set: found '.a =='; expected a jq program"),
    ],
)
def test_a_refused_workflow_says_where_and_why(
    server: ApiServer, bus: Bus, api: Api, task: dict[str, Any], reason: str, said: str
) -> None:
    async def test(controller: Controller) -> None:
        api.create(WORKFLOWS, manifest("bad", {"t": task}, input={}))
        found = await status(api, "bad", lambda s: s["observedGeneration"] == 1)
        (condition,) = found["conditions"]
        assert (condition["status"], condition["reason"]) == ("False", reason)
        assert said in condition["message"]
        assert isinstance(await controller.definitions.get("default", "bad"), Refused)

    starts = Starts()
    during(server, bus, starts, test)
    assert starts.runs == []


def test_older_versions_can_still_be_run_when_the_present_one_is_refused(server: ApiServer, bus: Bus, api: Api) -> None:
    told: list[tuple[str, str]] = []

    async def test(controller: Controller) -> None:
        controller.definitions.listen(
            lambda ref, accepted: told.append((ref.name, accepted.definition.document.version if accepted else ""))
        )
        api.create(WORKFLOWS, manifest("old", version="1.0.0"))
        await status(api, "old", lambda s: s["observedGeneration"] == 1)
        api.patch(f"{WORKFLOWS}/old", {"spec": manifest("old", version="2.0.0")["spec"]})
        found = await status(api, "old", lambda s: s["observedGeneration"] == 2)
        assert [each["version"] for each in found["versions"]] == ["2.0.0", "1.0.0"]
        api.patch(f"{WORKFLOWS}/old", {"spec": manifest("old", {"t": {"sett": {}}}, version="3.0.0")["spec"]})
        found = await status(api, "old", lambda s: s["observedGeneration"] == 3)
        assert (found["version"], len(found["versions"])) == ("", 2)
        await asyncio.sleep(0)
        for version in ("1.0.0", "2.0.0"):
            older = await controller.definitions.get("default", "old", version)
            assert isinstance(older, Accepted)
            assert older.definition.document.version == version
        assert await controller.definitions.get("default", "old", "9.9.9") is None
        assert isinstance(await controller.definitions.get("default", "old", "latest"), Refused)
        api.delete(f"{WORKFLOWS}/old")

    during(server, bus, Starts(), test)
    assert told == [("old", "1.0.0"), ("old", "2.0.0"), ("old", "")]


@pytest.mark.parametrize("given", [None, {"order": [1, None]}])
def test_an_input_asks_for_one_run_whatever_happens(server: ApiServer, bus: Bus, api: Api, given: Any) -> None:
    """Not again after a change, nor for the next process; and again until it was taken."""
    created: dict[str, Any] = {}

    async def first(controller: Controller) -> None:
        created.update(api.create(WORKFLOWS, manifest("once", input=given)))
        found = await status(api, "once", lambda s: s["run"])
        api.patch(f"{WORKFLOWS}/once", {"spec": {"input": {"another": 1}}})
        assert (await status(api, "once", lambda s: s["observedGeneration"] == 2))["run"] == found["run"]

    async def second(controller: Controller) -> None:
        api.create(WORKFLOWS, manifest("later"))
        await status(api, "later", lambda s: s["observedGeneration"] == 1)  # "once" was looked at before it

    starts = Starts(failures=2)
    during(server, bus, starts, first)
    during(server, bus, starts, second)
    assert starts.runs == [("default/once", f"once-{created['metadata']['uid'][:8]}", given)]


def test_two_instances_agree_on_one_status_and_one_run(server: ApiServer, bus: Bus, api: Api) -> None:
    starts = Starts()

    async def test(one: Controller) -> None:
        async with controlled(server, bus, starts) as other:
            for number in range(5):
                api.create(WORKFLOWS, manifest(f"shared-{number}", input=number))
            for number in range(5):
                found = await status(api, f"shared-{number}", lambda s: s["run"])
                assert found["conditions"][0]["status"] == "True"
            both = [await each.definitions.get("default", "shared-0") for each in (one, other)]
            assert isinstance(both[0], Accepted)
            assert isinstance(both[1], Accepted)
            assert both[0].digest == both[1].digest

    during(server, bus, starts, test)
    assert {name: given for name, _, given in starts.runs} == {f"default/shared-{n}": n for n in range(5)}
    assert len({run for _, run, _ in starts.runs}) == 5


def test_secrets_are_texts_by_key_and_follow_a_change(
    server: ApiServer, bus: Bus, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.workflow.controller.secrets.FRESH", 0.2)

    async def test(controller: Controller) -> None:
        secrets = controller.secrets
        values = {"user": "me", "number": "12", "object": '{"a":1}'}
        api.create(SECRETS, {"metadata": {"name": "api.key"}, "stringData": values, "data": {"raw": "/w=="}})
        names = ["api.key", "none", "Not A Name", "../pods"]
        assert await secrets.get("default", names) == {"api.key": values | {"raw": "/w=="}}
        api.patch(f"{SECRETS}/api.key", {"stringData": {"user": "you"}})
        while (await secrets.get("default", ["api.key"]))["api.key"]["user"] != "you":  # noqa: ASYNC110  # nothing tells that it was read again
            await asyncio.sleep(0.02)

    during(server, bus, Starts(), test)


def test_idempotent_functions_are_known(server: ApiServer, bus: Bus, api: Api) -> None:
    async def test(controller: Controller) -> None:
        ref = FunctionRef("default", "again")
        assert not controller.functions.idempotent(ref)
        spec = {"idempotent": True, "source": {"inline": {"main.py": "handle = print"}}}
        api.create(FUNCTIONS, {"metadata": {"name": "again"}, "kind": "Function", "spec": spec} | _VERSION)
        await until(lambda: controller.functions.idempotent(ref))

    during(server, bus, Starts(), test)


_VERSION = {"apiVersion": "faas.dev/v1alpha1"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda w: w["spec"]["definition"]["document"].update(name="other"), "spec.definition.document.name"),
        (lambda w: w["spec"]["definition"].pop("do"), "spec.definition.do"),
        (lambda w: w["spec"]["definition"]["document"].pop("version"), "spec.definition.document.version"),
        (lambda w: w["metadata"].update(name="a.b"), "metadata.name"),
        (lambda w: w["spec"].pop("definition"), "spec.definition"),
    ],
)
def test_the_api_server_itself_names_the_wrong_field(
    api: Api, change: Callable[[dict[str, Any]], object], field: str
) -> None:
    wrong = manifest("named")
    change(wrong)
    with pytest.raises(Refusal) as refusal:
        api.create(WORKFLOWS, wrong)
    assert refusal.value.status == 422
    assert field in refusal.value.body
