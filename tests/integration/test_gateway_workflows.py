"""Workflows as resources, through a real gateway to the local API server."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api import Api
from tests.support.apiserver import ApiServer
from tests.support.bus import Bus
from tests.support.gateway import Gateway, error_of, running_gateway
from tests.support.workflows import definition

WORKFLOWS = "/api/v1/namespaces/default/workflows"
STORED = "/apis/faas.dev/v1alpha1/namespaces/default/workflows"


@pytest.fixture(scope="module")
def gateway(server: ApiServer, bus: Bus) -> Iterator[Gateway]:
    Api(server).install("workflows")
    with running_gateway(bus.directory, bus, server.kubeconfig) as gateway:
        yield gateway


@pytest.fixture
def api(server: ApiServer) -> Iterator[Api]:
    api = Api(server)
    yield api
    for item in api.items(STORED):
        api.delete(f"{STORED}/{item['metadata']['name']}")


def manifest(name: str = "flow", **spec: Any) -> dict[str, Any]:
    wanted = definition({"greet": {"set": {"hello": "you"}}})
    wanted["document"]["name"] = name
    return {"metadata": {"name": name}, "spec": {"definition": wanted, **spec}}


def test_the_life_of_a_workflow(gateway: Gateway, api: Api) -> None:
    created = gateway.send("POST", WORKFLOWS, manifest(input=None))
    assert created.status == 201
    assert json.loads(created.body)["spec"]["input"] is None
    assert api.get(f"{STORED}/flow")["kind"] == "Workflow"
    assert gateway.send("POST", WORKFLOWS, manifest()).status == 409
    assert gateway.send("PUT", f"{WORKFLOWS}/flow", manifest()).status == 200
    assert "input" not in api.get(f"{STORED}/flow")["spec"]
    (listed,) = json.loads(gateway.request("GET", WORKFLOWS).body)["items"]
    assert [listed] == json.loads(gateway.request("GET", "/api/v1/workflows").body)["items"]
    assert json.loads(gateway.request("GET", f"{WORKFLOWS}/flow").body) == listed
    assert gateway.request("DELETE", f"{WORKFLOWS}/flow").status == 200
    for method in ("GET", "DELETE"):
        gone = gateway.request(method, f"{WORKFLOWS}/flow")
        assert error_of(gone) == (404, "workflow_not_found")


def test_putting_the_same_again_changes_nothing(gateway: Gateway, api: Api) -> None:
    first = gateway.send("PUT", f"{WORKFLOWS}/flow", manifest())
    again = gateway.send("PUT", f"{WORKFLOWS}/flow", manifest())
    assert (first.status, again.status) == (201, 200)
    assert json.loads(again.body)["metadata"] == json.loads(first.body)["metadata"]


def test_yaml_is_read_as_yaml_1_2(gateway: Gateway, api: Api) -> None:
    text = b"""
metadata: {name: flow}
spec:
  definition:
    document: {dsl: 1.0.3, namespace: default, name: flow, version: 0.1.0}
    schedule:
      on: {one: {with: {type: order.placed}}}
    do: [{greet: {set: {answer: no}}}]
"""
    assert gateway.send("PUT", f"{WORKFLOWS}/flow", text, "application/yaml").status == 201
    stored = api.get(f"{STORED}/flow")["spec"]["definition"]
    assert stored["schedule"] == {"on": {"one": {"with": {"type": "order.placed"}}}}
    assert stored["do"] == [{"greet": {"set": {"answer": "no"}}}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"imput": 1}, "spec.imput: unknown field; did you mean input?"),
        ({"input": "x" * 300_000}, "spec.input: 300002 bytes; at most 262144"),
        ({"definition": {}}, "found no document; expected the field document"),
        ({"definition": definition({"t": {"outptu": {}, "set": {}}})}, "/do/0/t/outptu: found the unknown field"),
        ({"definition": definition({"t": {"set": "${ . }"}})}, '/document/name: found "tested"; expected bad'),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_wrong_manifests_are_refused_naming_the_place(
    gateway: Gateway, api: Api, method: str, change: dict[str, Any], said: str
) -> None:
    answer = gateway.send(method, WORKFLOWS if method == "POST" else f"{WORKFLOWS}/bad", manifest("bad", **change))
    assert error_of(answer) == (422, "invalid_resource")
    details = json.loads(answer.body)["details"]
    assert any(said in detail for detail in details), details
    assert api.find(f"{STORED}/bad") is None


def test_yaml_that_is_none_says_where(gateway: Gateway, api: Api) -> None:
    answer = gateway.send("PUT", f"{WORKFLOWS}/flow", b"a: [\nb", "application/yaml")
    assert answer.status == 422
    assert "line 2" in json.loads(answer.body)["message"]
