"""Deletion at the API server: collections, finalizers, preconditions, namespaces."""

from collections.abc import Iterator

import pytest

from tests.support.apiclient import ApiClient, configmap
from tests.support.apiserver import ApiServer

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def api(server: ApiServer) -> Iterator[ApiClient]:
    with ApiClient(server) as client:
        yield client


def test_deleting_a_collection_deletes_what_is_selected(api: ApiClient) -> None:
    for name in ("x1", "x2", "x3"):
        obj = configmap(name)
        obj["metadata"]["labels"] = {"sweep": "no" if name == "x2" else "yes"}
        api.create(MAPS, obj)
    swept = api.delete(MAPS, labelSelector="sweep=yes")
    assert [item["metadata"]["name"] for item in swept.obj["items"]] == ["x1", "x3"]
    assert api.get(f"{MAPS}/x2").status == 200
    assert api.get(f"{MAPS}/x1").status == 404
    assert api.delete("/api/v1/configmaps").status == 405, "never across namespaces"


def test_finalizers_hold_an_object(api: ApiClient) -> None:
    obj = configmap("held")
    obj["metadata"]["finalizers"] = ["test/hold"]
    api.create(MAPS, obj)
    path = f"{MAPS}/held"
    assert api.delete(path).obj["metadata"]["deletionTimestamp"]
    assert api.get(path).status == 200
    more = api.patch(path, {"metadata": {"finalizers": ["test/hold", "test/more"]}})
    assert "no new finalizers can be added if the object is being deleted" in more.message
    assert api.patch(path, {"metadata": {"finalizers": None}}).status == 200
    assert api.get(path).status == 404


def test_deletion_checks_its_preconditions_and_policies(api: ApiClient) -> None:
    made = api.create(MAPS, configmap("careful"))
    path = f"{MAPS}/careful"
    assert api.delete(path, {"preconditions": {"uid": "other"}}).status == 409
    assert api.delete(path, {"preconditions": {"resourceVersion": "1"}}).status == 409
    assert api.delete(path, {"propagationPolicy": "Sideways"}).status == 422
    assert api.delete(path, dryRun="All").status == 200
    waiting = api.delete(
        path, {"propagationPolicy": "Foreground", "preconditions": {"uid": made.obj["metadata"]["uid"]}}
    )
    assert waiting.obj["metadata"]["finalizers"] == ["foregroundDeletion"]
    api.patch(path, {"metadata": {"finalizers": None}})
    assert api.get(path).status == 404


def test_a_namespace_goes_with_its_content(api: ApiClient) -> None:
    api.create("/api/v1/namespaces", {"metadata": {"name": "doomed"}})
    held = configmap("held", "doomed")
    held["metadata"]["finalizers"] = ["test/hold"]
    inside = "/api/v1/namespaces/doomed/configmaps"
    api.create(inside, held)
    api.create(inside, configmap("free", "doomed"))
    assert api.delete("/api/v1/namespaces/doomed").obj["status"]["phase"] == "Terminating"
    assert [item["metadata"]["name"] for item in api.get(inside).obj["items"]] == ["held"]
    refused = api.create(inside, configmap("late", "doomed"))
    assert (refused.status, refused.obj["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    api.patch(f"{inside}/held", {"metadata": {"finalizers": None}})
    assert api.get("/api/v1/namespaces/doomed").status == 404
    assert api.delete("/api/v1/namespaces/default").status == 403
