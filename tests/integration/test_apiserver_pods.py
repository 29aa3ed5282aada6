"""Pods at the API server: defaults, the one node that they are bound to, binding and eviction."""

from collections.abc import Iterator

import pytest

from tests.support.apiclient import ApiClient, pod
from tests.support.apiserver import ApiServer

PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture
def api(server: ApiServer) -> Iterator[ApiClient]:
    with ApiClient(server) as client:
        yield client


def test_pods_get_their_defaults(api: ApiClient) -> None:
    made = api.create(PODS, {**pod("defaults"), "metadata": {"generateName": "made-"}}).obj
    assert made["metadata"]["name"].startswith("made-")
    assert made["metadata"]["generation"] == 1
    spec = made["spec"]
    assert (spec["restartPolicy"], spec["terminationGracePeriodSeconds"], spec["dnsPolicy"]) == (
        "Always",
        30,
        "ClusterFirst",
    )
    assert spec["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert api.delete(f"{PODS}/{made['metadata']['name']}").obj["metadata"]["name"] == made["metadata"]["name"]


def test_a_pod_is_bound_to_the_only_node_and_deleted_gracefully(api: ApiClient) -> None:
    api.create("/api/v1/nodes", {"metadata": {"name": "only"}})
    try:
        assert api.create(PODS, pod("bound")).obj["spec"]["nodeName"] == "only"
        path = f"{PODS}/bound"
        terminating = api.delete(path).obj
        assert terminating["metadata"]["deletionGracePeriodSeconds"] == 30
        assert api.get(path).obj["metadata"]["deletionTimestamp"]
        assert api.delete(path).version == api.get(path).version, "a second deletion is no write"
        assert api.delete(path, {"gracePeriodSeconds": 5}).obj["metadata"]["deletionGracePeriodSeconds"] == 5
        assert api.delete(path, {"gracePeriodSeconds": 0}).status == 200
        assert api.get(path).status == 404
        api.create(PODS, pod("ended"))
        api.patch(f"{PODS}/ended/status", {"status": {"phase": "Succeeded"}})
        api.delete(f"{PODS}/ended")
        assert api.get(f"{PODS}/ended").status == 404, "a Pod that has ended goes at once"
    finally:
        api.delete("/api/v1/nodes/only")


def test_pods_that_were_there_before_their_node_are_bound_to_it(api: ApiClient) -> None:
    api.create(PODS, pod("early"))
    api.create(PODS, pod("taken", nodeName="elsewhere"))
    assert "nodeName" not in api.get(f"{PODS}/early").obj["spec"]
    try:
        api.create("/api/v1/nodes", {"metadata": {"name": "late"}, "spec": {"unschedulable": True}})
        assert "nodeName" not in api.get(f"{PODS}/early").obj["spec"], "it takes no Pods yet"
        api.patch("/api/v1/nodes/late", {"spec": {"unschedulable": None}})
        assert api.get(f"{PODS}/early").obj["spec"]["nodeName"] == "late"
        assert api.get(f"{PODS}/taken").obj["spec"]["nodeName"] == "elsewhere"
        api.delete("/api/v1/nodes/late")
        api.create(PODS, pod("between"))
        api.create("/api/v1/nodes", {"metadata": {"name": "late"}})
        assert api.get(f"{PODS}/between").obj["spec"]["nodeName"] == "late"
    finally:
        api.delete("/api/v1/nodes/late")
        for name in ("early", "taken", "between"):
            api.delete(f"{PODS}/{name}", {"gracePeriodSeconds": 0})


def test_binding_and_eviction(api: ApiClient) -> None:
    api.create(PODS, pod("moved"))
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "moved"},
        "target": {"kind": "Node", "name": "n"},
    }
    assert api.create(f"{PODS}/moved/binding", binding).status == 201
    assert api.get(f"{PODS}/moved").obj["spec"]["nodeName"] == "n"
    assert api.create(f"{PODS}/moved/binding", binding).status == 409
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "moved"}}
    assert api.create(f"{PODS}/moved/eviction", eviction).status == 201
    assert api.get(f"{PODS}/moved").obj["metadata"]["deletionTimestamp"]
    api.delete(f"{PODS}/moved", {"gracePeriodSeconds": 0})
