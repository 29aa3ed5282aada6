"""Functions as resources, through a real gateway to the local API server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.api import Api
from tests.support.apiserver import ApiServer
from tests.support.bus import Bus, running_bus
from tests.support.gateway import Gateway, error_of, running_gateway

FUNCTIONS = "/api/v1/namespaces/default/functions"
STORED = "/apis/faas.dev/v1alpha1/namespaces/default/functions"
SPEC = {"source": {"inline": {"main.py": "def handle(event):\n    return event\n"}}}


@pytest.fixture(scope="module")
def gateway(server: ApiServer, bus: Bus) -> Iterator[Gateway]:
    Api(server).install("functions")
    with running_gateway(bus.directory, bus, server.kubeconfig) as gateway:
        yield gateway


@pytest.fixture
def api(server: ApiServer) -> Iterator[Api]:
    api = Api(server)
    yield api
    for item in api.items(STORED):
        api.delete(f"{STORED}/{item['metadata']['name']}")


def manifest(name: str = "add", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": SPEC | spec}


def test_the_life_of_a_function(gateway: Gateway, api: Api) -> None:
    created = gateway.send("POST", FUNCTIONS, manifest(timeout="5s"))
    assert created.status == 201
    found = json.loads(created.body)
    assert (found["apiVersion"], found["kind"]) == ("faas.dev/v1alpha1", "Function")
    assert (found["metadata"]["namespace"], found["spec"]["timeout"]) == ("default", "5s")
    assert error_of(gateway.send("POST", FUNCTIONS, manifest())) == (409, "conflict")

    read = gateway.request("GET", f"{FUNCTIONS}/add")
    assert json.loads(read.body)["metadata"]["uid"] == found["metadata"]["uid"]
    listed = json.loads(gateway.request("GET", FUNCTIONS).body)
    assert [item["metadata"]["name"] for item in listed["items"]] == ["add"]
    everywhere = json.loads(gateway.request("GET", "/api/v1/functions").body)
    assert [item["metadata"]["name"] for item in everywhere["items"]] == ["add"]

    assert gateway.request("DELETE", f"{FUNCTIONS}/add").status == 200
    assert error_of(gateway.request("DELETE", f"{FUNCTIONS}/add")) == (404, "function_not_found")
    assert error_of(gateway.request("GET", f"{FUNCTIONS}/add")) == (404, "function_not_found")
    assert json.loads(gateway.request("GET", FUNCTIONS).body) == {"items": []}


def test_put_creates_replaces_and_does_nothing_when_nothing_changed(gateway: Gateway, api: Api) -> None:
    assert gateway.send("PUT", f"{FUNCTIONS}/add", {"spec": SPEC}).status == 201
    stored = api.get(f"{STORED}/add")
    again = gateway.send("PUT", f"{FUNCTIONS}/add", manifest())
    assert again.status == 200
    assert json.loads(again.body)["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]

    api.patch(f"{STORED}/add", {"metadata": {"labels": {"team": "a"}}})
    changed = gateway.send("PUT", f"{FUNCTIONS}/add", manifest(concurrency=3))
    found = json.loads(changed.body)
    assert (changed.status, found["spec"]["concurrency"], found["metadata"]["labels"]) == (200, 3, {"team": "a"})
    assert found["metadata"]["generation"] == stored["metadata"]["generation"] + 1
    # what is no longer mentioned goes back to its default
    assert "env" not in json.loads(gateway.send("PUT", f"{FUNCTIONS}/add", manifest()).body)["spec"]


def test_put_of_an_old_version_is_a_conflict(gateway: Gateway, api: Api) -> None:
    old = json.loads(gateway.send("POST", FUNCTIONS, manifest()).body)
    assert gateway.send("PUT", f"{FUNCTIONS}/add", manifest(concurrency=3)).status == 200
    old["spec"]["concurrency"] = 4
    answer = gateway.send("PUT", f"{FUNCTIONS}/add", old)
    assert error_of(answer) == (409, "conflict")
    assert api.get(f"{STORED}/add")["spec"]["concurrency"] == 3


def test_what_was_read_can_be_put_back(gateway: Gateway, api: Api) -> None:
    gateway.send("POST", FUNCTIONS, manifest())
    document = json.loads(gateway.request("GET", f"{FUNCTIONS}/add").body)
    assert gateway.send("PUT", f"{FUNCTIONS}/add", document).status == 200


def test_yaml_is_taken_as_well(gateway: Gateway, api: Api) -> None:
    text = yaml.safe_dump(manifest("from-yaml", concurrency=2)).encode()
    assert gateway.send("POST", FUNCTIONS, text, "application/yaml").status == 201
    assert api.get(f"{STORED}/from-yaml")["spec"]["concurrency"] == 2


BAD = [
    ({"scael": {}}, "spec.scael: unknown field; did you mean scale?"),
    ({"timeout": "soon"}, "timeout"),
    ({"scale": {"min": 3, "max": 2}}, "min (3) is above max (2)"),
    ({"concurrency": "many"}, "concurrency"),
    ({"handler": "main"}, "handler"),
    ({"image": "x"}, "exactly one of source and image"),
    ({"source": {"inline": {"../x.py": ""}}}, "'../x.py' is not a relative path"),
    ({"source": {"archive": "abc"}}, "archive"),
    ({"env": [{"name": "FAAS_X", "value": "1"}]}, "FAAS_X"),
]


@pytest.mark.parametrize(("change", "said"), BAD)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_wrong_manifests_are_refused_naming_the_field(
    gateway: Gateway, api: Api, method: str, change: dict[str, Any], said: str
) -> None:
    answer = gateway.send(method, FUNCTIONS if method == "POST" else f"{FUNCTIONS}/bad", manifest("bad", **change))
    assert error_of(answer) == (422, "invalid_resource")
    details = json.loads(answer.body)["details"]
    assert any(said in detail for detail in details), details
    assert api.find(f"{STORED}/bad") is None


@pytest.mark.parametrize("name", ["a.b", "Add", "x" * 64, "-a", "ä", "", "a/b"])
def test_wrong_names_are_refused(gateway: Gateway, api: Api, name: str) -> None:
    answer = gateway.send("POST", FUNCTIONS, manifest(name))
    assert error_of(answer) == (422, "invalid_resource")
    assert "name" in json.loads(answer.body)["details"][0]


def test_an_address_that_contradicts_the_manifest_is_refused(gateway: Gateway, api: Api) -> None:
    answer = gateway.send("PUT", f"{FUNCTIONS}/other", {**manifest(), "metadata": {"name": "add", "namespace": "team"}})
    assert error_of(answer) == (422, "invalid_resource")
    assert len(json.loads(answer.body)["details"]) == 2
    assert not api.items(STORED)


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"{", "application/json", (400, "invalid_json")),
        (b"", "application/json", (400, "invalid_json")),
        (b"a: [", "application/yaml", (422, "invalid_resource")),
        (b"[]", "application/json", (422, "invalid_resource")),
        (b"x" * (1024 * 1024 + 1), "application/json", (413, "payload_too_large")),
    ],
)
def test_bodies_that_are_no_manifest(
    gateway: Gateway, api: Api, body: bytes, content_type: str, expected: tuple[int, str]
) -> None:
    assert error_of(gateway.send("POST", FUNCTIONS, body, content_type)) == expected


def test_what_the_api_server_refuses_comes_with_its_causes(gateway: Gateway, api: Api) -> None:
    document = manifest()
    document["metadata"]["labels"] = {"not a label!": "x"}
    answer = gateway.send("POST", FUNCTIONS, document)
    assert error_of(answer) == (422, "invalid_resource")
    assert "not a label!" in answer.body.decode()
    assert json.loads(answer.body)["details"]


def test_a_namespace_that_is_not_there(gateway: Gateway, api: Api) -> None:
    answer = gateway.send("POST", "/api/v1/namespaces/absent/functions", manifest())
    assert error_of(answer) == (404, "not_found")
    assert "namespace absent does not exist" in json.loads(answer.body)["message"]
    assert error_of(gateway.send("PUT", "/api/v1/namespaces/absent/functions/add", manifest())) == (404, "not_found")


def test_where_the_setting_allows_it_a_deploy_makes_its_namespace(server: ApiServer, tmp_path: Path) -> None:
    api = Api(server)
    with (
        running_bus(tmp_path) as bus,
        running_gateway(tmp_path, bus, server.kubeconfig, create_namespaces="true") as gateway,
    ):
        assert gateway.send("POST", "/api/v1/namespaces/made/functions", manifest()).status == 201
        assert gateway.send("PUT", "/api/v1/namespaces/made-too/functions/add", manifest()).status == 201
        assert gateway.send("PUT", "/api/v1/namespaces/made/functions/other", manifest("other")).status == 201
        assert api.get("/api/v1/namespaces/made-too")["metadata"]["name"] == "made-too"
        # reading, deleting and wrong manifests make none
        assert gateway.request("DELETE", "/api/v1/namespaces/unmade/functions/add").status == 404
        assert json.loads(gateway.request("GET", "/api/v1/namespaces/unmade/functions").body) == {"items": []}
        assert gateway.send("POST", "/api/v1/namespaces/unmade/functions", manifest(timeout="x")).status == 422
        assert api.find("/api/v1/namespaces/unmade") is None


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("PATCH", f"{FUNCTIONS}/add", (405, "method_not_allowed")),
        ("PUT", FUNCTIONS, (405, "method_not_allowed")),
        ("GET", f"{FUNCTIONS}/Add", (400, "invalid_name")),
        ("GET", f"{FUNCTIONS}/add/more", (404, "not_found")),
        ("GET", "/api/v1/namespaces/default/things", (404, "not_found")),
        ("GET", f"{FUNCTIONS}/add/logs?tail=x", (400, "bad_request")),
        ("GET", f"{FUNCTIONS}/add/logs", (404, "function_not_found")),
    ],
)
def test_requests_that_lead_nowhere(
    gateway: Gateway, api: Api, method: str, path: str, expected: tuple[int, str]
) -> None:
    answer = gateway.request(method, path, b"{}" if method == "PUT" else None)
    assert error_of(answer) == expected
    if expected[0] == 405:
        assert answer.headers["allow"]


def test_without_the_api_server_it_says_so_and_calls_go_on(tmp_path: Path) -> None:
    with running_bus(tmp_path) as bus, running_gateway(tmp_path, bus) as gateway:
        for method, path, document in (
            ("GET", FUNCTIONS, None),
            ("GET", f"{FUNCTIONS}/add", None),
            ("POST", FUNCTIONS, manifest()),
            ("PUT", f"{FUNCTIONS}/add", manifest()),
            ("DELETE", f"{FUNCTIONS}/add", None),
            ("GET", f"{FUNCTIONS}/add/logs", None),
        ):
            answer = gateway.send(method, path, document)
            assert error_of(answer) == (503, "api_unavailable")
            assert answer.headers["retry-after"] == "1"
        assert gateway.ready()
        assert error_of(gateway.request("POST", "/default/add", b"")) == (503, "no_router")
