"""The API server over HTTP: authentication, discovery, OpenAPI, tables, bodies that are none, odd requests."""

import json
from collections.abc import Iterator

import pytest

from tests.support.apiclient import ApiClient, configmap, pod
from tests.support.apiserver import ApiServer

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture
def api(server: ApiServer) -> Iterator[ApiClient]:
    with ApiClient(server) as client:
        yield client


@pytest.mark.parametrize("token", ["", "wrong", "Bearer"])
def test_without_the_token_nothing_but_health_is_told(server: ApiServer, token: str) -> None:
    with ApiClient(server, token) as client:
        answer = client.get("/api/v1/namespaces")
        assert (answer.status, answer.obj["reason"], answer.obj["kind"]) == (401, "Unauthorized", "Status")
        for path in ("/healthz", "/livez", "/readyz"):
            assert (client.get(path).status, client.get(path).body) == (200, b"ok")
        assert client.get("/version").obj["gitVersion"].startswith("v1.")
        for path in ("/api", "/apis", "/openapi/v3", MAPS):
            assert client.get(path).status == 401


def test_discovery(api: ApiClient) -> None:
    assert api.get("/api").obj["versions"] == ["v1"]
    groups = {group["name"]: group["preferredVersion"]["version"] for group in api.get("/apis").obj["groups"]}
    assert groups == {"apps": "v1", "coordination.k8s.io": "v1", "apiextensions.k8s.io": "v1"}
    core = {resource["name"]: resource for resource in api.get("/api/v1").obj["resources"]}
    assert {"pods", "pods/log", "pods/status", "nodes", "secrets", "events", "namespaces"} <= core.keys()
    assert core["pods"]["shortNames"] == ["po"]
    assert "watch" in core["pods"]["verbs"]
    assert {r["name"] for r in api.get("/apis/apps/v1").obj["resources"]} >= {"replicasets", "replicasets/scale"}
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    aggregated = api.get("/apis", accept=accept)
    assert aggregated.headers["content-type"].endswith("v=v2;as=APIGroupDiscoveryList")
    assert {item["metadata"]["name"] for item in aggregated.obj["items"]} == groups.keys()
    assert api.get("/apis/none").status == api.get("/apis/apps/v9").status == api.get("/nothing").status == 404


def test_openapi_tells_kinds_and_parameters(api: ApiClient) -> None:
    paths = api.get("/openapi/v3").obj["paths"]
    document = api.get(paths["apis/apps/v1"]["serverRelativeURL"].partition("?")[0]).obj
    schema = document["components"]["schemas"]["io.k8s.api.apps.v1.ReplicaSet"]
    assert schema["x-kubernetes-group-version-kind"] == [{"group": "apps", "kind": "ReplicaSet", "version": "v1"}]
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/replicasets/{name}"]["patch"]
    assert "fieldValidation" in {parameter["name"] for parameter in patch["parameters"]}
    assert api.get("/openapi/v3/apis/none/v1").status == api.get("/openapi/v2").status == 404


def test_bodies_that_are_none(api: ApiClient) -> None:
    assert api.create(MAPS, b"").status == api.create(MAPS, b"[1]").status == api.create(MAPS, b"{").status == 400
    assert api.request("POST", MAPS, b"<x/>", "text/xml").status == 415
    assert api.request("POST", MAPS, b"a: [", "application/yaml").status == 400
    yaml = api.request("POST", MAPS, b"metadata: {name: from-yaml}\n", "application/yaml")
    assert yaml.status == 201
    assert api.request("PUT", MAPS, b"{}").status == 405


def test_a_body_over_the_limit_is_refused(server: ApiServer) -> None:
    with ApiClient(server) as client:
        answer = client.create(MAPS, configmap("big", x="y" * 3_200_000))
    assert (answer.status, answer.obj["reason"]) == (413, "RequestEntityTooLarge")
    assert "3145728" in answer.message


def test_tables_and_metadata_alone(api: ApiClient) -> None:
    api.create(PODS, pod("tabled"))
    table = api.get(PODS, accept=TABLE).obj
    assert [c["name"] for c in table["columnDefinitions"]][:5] == ["Name", "Ready", "Status", "Restarts", "Age"]
    row = next(row for row in table["rows"] if row["cells"][0] == "tabled")
    assert row["cells"][1:4] == ["0/1", "Pending", "0"]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    partial = api.get(PODS, accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io").obj
    assert partial["kind"] == "PartialObjectMetadataList"
    assert "spec" not in partial["items"][0]
    api.delete(f"{PODS}/tabled")


def test_what_is_asked_in_an_odd_way_is_answered_anyway(api: ApiClient) -> None:
    assert api.get(f"{MAPS}/%C3%BC").status == 404
    assert (
        api.get(f"{MAPS}/a/b/c").status
        == api.get("/api/v1/pods/x").status
        == api.get("/api/v1/nodes/a/none").status
        == 404
    )
    assert api.get("/api/v1/namespaces/default/nodes").status == 404
    head = api.request("HEAD", "/healthz")
    assert (head.status, head.body) == (200, b"")
    assert json.loads(api.get("/").body)["paths"]
