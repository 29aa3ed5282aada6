"""The real controllers under a real API server. Pods have no kubelet here: the tests say what becomes of them."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api import CRDS, Api, Refusal
from tests.support.apiserver import ApiServer, running_apiserver
from tests.support.patience import eventually
from tests.support.platform import on_level1

PODS = "/api/v1/namespaces/default/pods"
SETS = "/apis/apps/v1/namespaces/default/replicasets"
MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("api")) as running:
        running.start_controllers()
        yield running
        assert running.stop_controllers() == 0


@pytest.fixture
def api(server: ApiServer) -> Iterator[Api]:
    api = Api(server)
    yield api
    for path in (SETS, PODS, MAPS):
        for one in api.items(path):
            with contextlib.suppress(Refusal):  # the controllers may have been quicker
                api.patch(f"{path}/{one['metadata']['name']}", {"metadata": {"finalizers": None}})
                api.delete(f"{path}/{one['metadata']['name']}", gracePeriodSeconds=0)
    eventually(lambda: not api.items(SETS) and not remove_terminating(api), "cleared away")


def remove_terminating(api: Api) -> list[Any]:
    """Does what a kubelet would do with Pods that are being deleted; the Pods that there were."""
    pods = api.items(PODS)
    for pod in pods:
        if pod["metadata"].get("deletionTimestamp"):
            with contextlib.suppress(Refusal):
                api.delete(f"{PODS}/{pod['metadata']['name']}", gracePeriodSeconds=0)
    return pods


def replica_set(name: str, replicas: int, **labels: str) -> dict[str, Any]:
    labels = labels or {"app": name}
    spec = {"containers": [{"name": "main", "image": "none"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def pods_of(api: Api, name: str) -> list[dict[str, Any]]:
    return [pod for pod in api.items(PODS) if owners(pod) == [name] and not pod["metadata"].get("deletionTimestamp")]


def owners(thing: dict[str, Any]) -> list[str]:
    return [owner["name"] for owner in thing["metadata"].get("ownerReferences", [])]


def set_phase(api: Api, pod: dict[str, Any], phase: str, ready: bool = False) -> None:
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": "2026-01-01T00:00:00Z"}
    api.patch(f"{PODS}/{pod['metadata']['name']}/status", {"status": {"phase": phase, "conditions": [condition]}})


def test_scale_up_and_down_with_status(api: Api) -> None:
    api.create(SETS, replica_set("web", 3))
    pods = eventually(lambda: len(found := pods_of(api, "web")) == 3 and found, "three Pods")
    for pod in pods:
        assert pod["metadata"]["name"].startswith("web-")
        (owner,) = pod["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["controller"], owner["blockOwnerDeletion"]) == ("ReplicaSet", True, True)
        assert pod["metadata"]["labels"] == {"app": "web"}
    eventually(lambda: api.get(f"{SETS}/web")["status"].get("replicas") == 3, "counted")
    set_phase(api, pods[1], "Running", ready=True)
    eventually(lambda: api.get(f"{SETS}/web")["status"].get("readyReplicas") == 1, "ready counted")
    status = api.get(f"{SETS}/web")["status"]
    assert (status["availableReplicas"], status["fullyLabeledReplicas"]) == (1, 3)
    assert status["observedGeneration"] == api.get(f"{SETS}/web")["metadata"]["generation"]
    api.patch(f"{SETS}/web/scale", {"spec": {"replicas": 1}})
    eventually(lambda: len(pods_of(api, "web")) == 1, "one is left")
    assert pods_of(api, "web")[0]["metadata"]["name"] == pods[1]["metadata"]["name"]
    remove_terminating(api)
    eventually(lambda: api.get(f"{SETS}/web")["status"].get("replicas") == 1, "counted")


def test_failed_and_deleted_pods_are_replaced(api: Api) -> None:
    api.create(SETS, replica_set("again", 2))
    first, second = eventually(lambda: len(found := pods_of(api, "again")) == 2 and found, "two Pods")
    set_phase(api, first, "Failed")
    api.delete(f"{PODS}/{second['metadata']['name']}", gracePeriodSeconds=30)

    def fresh() -> bool:
        return len([pod for pod in pods_of(api, "again") if pod["status"]["phase"] == "Pending"]) == 2

    eventually(fresh, "both replaced, the second before it is gone")


def test_pods_are_adopted_and_released(api: Api) -> None:
    metadata = {"name": "stray", "labels": {"app": "adopt"}}
    api.create(PODS, {"metadata": metadata, "spec": {"containers": [{"name": "main", "image": "none"}]}})
    api.create(SETS, replica_set("adopt", 1))
    eventually(lambda: owners(api.get(f"{PODS}/stray")) == ["adopt"], "adopted")
    assert len(pods_of(api, "adopt")) == 1
    api.patch(f"{PODS}/stray", {"metadata": {"labels": {"app": "free"}}})
    eventually(lambda: owners(api.get(f"{PODS}/stray")) == [], "released")
    eventually(lambda: len(pods_of(api, "adopt")) == 1, "replaced")


def test_a_refused_pod_shows_in_the_status(api: Api) -> None:
    refused = replica_set("bad", 1)
    # what a ReplicaSet's validation lets through and a Pod's does not
    refused["spec"]["template"]["metadata"]["finalizers"] = ["not a finalizer"]
    api.create(SETS, refused)
    conditions = eventually(lambda: api.get(f"{SETS}/bad")["status"].get("conditions"), "a condition")
    assert (conditions[0]["type"], conditions[0]["reason"]) == ("ReplicaFailure", "FailedCreate")
    assert "not a finalizer" in conditions[0]["message"]
    api.patch(f"{SETS}/bad", {"spec": {"template": {"metadata": {"finalizers": None}}}})
    eventually(lambda: len(pods_of(api, "bad")) == 1, "mended")
    eventually(lambda: not api.get(f"{SETS}/bad")["status"].get("conditions"), "the condition is gone")


def test_a_killed_controller_makes_no_pod_twice(api: Api, server: ApiServer) -> None:
    api.create(SETS, replica_set("many", 30))
    eventually(lambda: len(pods_of(api, "many")) >= 5, "under way")
    server.kill_controllers()
    server.start_controllers()
    eventually(lambda: len(pods_of(api, "many")) == 30, "all there")
    eventually(lambda: api.get(f"{SETS}/many")["status"].get("replicas") == 30, "seen by the new one")
    assert len(api.items(PODS)) == 30


def test_an_api_server_that_is_away_a_moment(api: Api, server: ApiServer) -> None:
    api.create(SETS, replica_set("there", 2))
    eventually(lambda: len(pods_of(api, "there")) == 2, "two Pods")
    server.stop(kill=True)
    server.start()
    api.patch(f"{SETS}/there", {"spec": {"replicas": 4}})
    eventually(lambda: len(pods_of(api, "there")) == 4, "two more")


def test_scale_to_pod_is_quick(api: Api) -> None:
    api.create(SETS, replica_set("quick", 0))
    eventually(lambda: api.get(f"{SETS}/quick")["status"].get("observedGeneration"), "seen")
    times = []
    for count in range(1, 8):
        began = time.monotonic()
        api.patch(f"{SETS}/quick", {"spec": {"replicas": count}})
        eventually(lambda count=count: len(api.items(PODS)) == count, "created")
        times.append((time.monotonic() - began) * 1000)
    print(f"scale patch sent to Pod listed: {', '.join(f'{each:.0f}' for each in times)} ms, polled each 10 ms")
    assert max(times) < 15000


def test_dependents_go_in_the_background(api: Api) -> None:
    api.create(SETS, replica_set("gone", 2))
    eventually(lambda: len(pods_of(api, "gone")) == 2, "two Pods")
    api.delete(f"{SETS}/gone", propagationPolicy="Background")
    assert api.find(f"{SETS}/gone") is None
    eventually(lambda: not pods_of(api, "gone"), "Pods deleted")


def test_foreground_deletion_waits_for_the_pods(api: Api) -> None:
    api.create(SETS, replica_set("fore", 2))
    pods = eventually(lambda: len(found := pods_of(api, "fore")) == 2 and found, "two Pods")
    for pod in pods:  # held up, so that the order can be seen
        api.patch(f"{PODS}/{pod['metadata']['name']}", {"metadata": {"finalizers": ["test/hold"]}})
    api.delete(f"{SETS}/fore", propagationPolicy="Foreground")
    eventually(lambda: not pods_of(api, "fore"), "Pods are being deleted")
    assert api.get(f"{SETS}/fore")["metadata"]["finalizers"] == ["foregroundDeletion"]
    for pod in pods:
        api.patch(f"{PODS}/{pod['metadata']['name']}", {"metadata": {"finalizers": None}})
    remove_terminating(api)
    eventually(lambda: api.find(f"{SETS}/fore") is None, "the owner follows")


def test_orphans_stay(api: Api) -> None:
    api.create(SETS, replica_set("leave", 2))
    pods = eventually(lambda: len(found := pods_of(api, "leave")) == 2 and found, "two Pods")
    api.delete(f"{SETS}/leave", propagationPolicy="Orphan")
    eventually(lambda: api.find(f"{SETS}/leave") is None, "the owner is gone")
    for pod in pods:
        found = api.get(f"{PODS}/{pod['metadata']['name']}")
        assert owners(found) == []
        assert "deletionTimestamp" not in found["metadata"]


def test_any_kind_may_own_any_kind(api: Api) -> None:
    owner = api.create(MAPS, {"metadata": {"name": "owner"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    stale = reference | {"name": "never", "uid": "11111111-2222-3333-4444-555555555555"}
    api.create(MAPS, {"metadata": {"name": "both", "ownerReferences": [reference, stale]}})
    eventually(lambda: owners(api.get(f"{MAPS}/both")) == ["owner"], "the absent owner is dropped")
    api.create(MAPS, {"metadata": {"name": "lost", "ownerReferences": [stale]}})
    eventually(lambda: api.find(f"{MAPS}/lost") is None, "without an owner it goes")
    api.delete(f"{MAPS}/owner")
    eventually(lambda: api.find(f"{MAPS}/both") is None, "the dependent follows")


@pytest.mark.skipif(on_level1(), reason="Kubernetes' own collector learns of new kinds each 30 s")
def test_owners_of_custom_kinds(api: Api) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    spec = {"group": "test.dev", "scope": "Namespaced", "names": names, "versions": [version]}
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    api.create(CRDS, crd | {"metadata": {"name": "widgets.test.dev"}, "spec": spec})
    widgets = "/apis/test.dev/v1/namespaces/default/widgets"
    eventually(lambda: api.find(widgets), "served")
    body = {"apiVersion": "test.dev/v1", "kind": "Widget", "metadata": {"name": "w"}}
    widget = api.create(widgets, body)
    reference = {"apiVersion": "test.dev/v1", "kind": "Widget", "name": "w", "uid": widget["metadata"]["uid"]}
    api.create(MAPS, {"metadata": {"name": "of-widget", "ownerReferences": [reference]}})
    api.delete(f"{widgets}/w")
    eventually(lambda: api.find(f"{MAPS}/of-widget") is None, "the dependent follows")
    api.delete(f"{CRDS}/widgets.test.dev")
