"""No body, however odd, is a fault of the server: every answer is a Status with a reason, and the server goes on."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.test_apiserver_crd import DEFINITION, DEFINITIONS, WIDGETS, widget
from tests.support.apiclient import APPLY, JSON_PATCH, MERGE, STRATEGIC, ApiClient, configmap, pod
from tests.support.apiserver import ApiServer, running_apiserver

ODD: list[Any] = [
    None,
    0,
    -1,
    1.5,
    1e300,
    True,
    "",
    "x",
    "\x00é",
    [],
    {},
    [None],
    [[]],
    {"": None},
    [{"name": 1}],
    "9" * 400,
]
NAMESPACED = "/api/v1/namespaces/default"
RICH_POD: dict[str, Any] = {
    **pod("odd"),
    "metadata": {
        "name": "odd",
        "labels": {"a": "b"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "controller": True}],
        "managedFields": [{"manager": "m", "operation": "Apply", "fieldsV1": {"f:spec": {"f:x": {}}}}],
    },
    "spec": {
        "volumes": [{"name": "v", "secret": {"secretName": "s"}}],
        "containers": [
            {
                "name": "c",
                "image": "i",
                "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "ports": [{"containerPort": 80}],
                "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
                "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}},
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            }
        ],
    },
    "status": {"conditions": [{"type": "Ready", "status": "True"}], "podIP": "127.64.0.1"},
}
REPLICASET = {
    "metadata": {"name": "odd"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod("x")["spec"]},
    },
}
SERVICE = {"metadata": {"name": "odd"}, "spec": {"ports": [{"port": 80, "name": "a"}], "selector": {"a": "b"}}}
EVENT = {
    "metadata": {"name": "odd"},
    "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
    "source": {"component": "c"},
    "series": {"count": 1},
    "lastTimestamp": "2026-01-01T00:00:00Z",
}
LEASE = {"metadata": {"name": "odd"}, "spec": {"leaseDurationSeconds": 1, "renewTime": "2026-01-01T00:00:00.000000Z"}}
NODE = {
    "metadata": {"name": "odd"},
    "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]},
    "status": {"capacity": {"cpu": "1"}, "addresses": [{"type": "InternalIP", "address": "x"}], "nodeInfo": {}},
}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "pod": (f"{NAMESPACED}/pods", RICH_POD),
    "replicaset": ("/apis/apps/v1/namespaces/default/replicasets", REPLICASET),
    "configmap": (f"{NAMESPACED}/configmaps", configmap("odd", a="b")),
    "secret": (f"{NAMESPACED}/secrets", {"metadata": {"name": "odd"}, "data": {"a": "Yg=="}, "stringData": {"c": "d"}}),
    "service": (f"{NAMESPACED}/services", SERVICE),
    "event": (f"{NAMESPACED}/events", EVENT),
    "lease": ("/apis/coordination.k8s.io/v1/namespaces/default/leases", LEASE),
    "node": ("/api/v1/nodes", NODE),
    "namespace": ("/api/v1/namespaces", {"metadata": {"name": "odd"}, "spec": {"finalizers": ["kubernetes"]}}),
    "definition": (DEFINITIONS, DEFINITION),
    "widget": (WIDGETS, widget("odd", size=1, extra={"a": [1]})),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("apiserver")) as server:
        with ApiClient(server) as api:
            api.create(DEFINITIONS, DEFINITION)
            api.create(f"{NAMESPACED}/configmaps", configmap("target", a="b"))
            api.create(f"{NAMESPACED}/pods", pod("target"))
            api.create(WIDGETS, widget("target", size=1))
        yield server
        assert "Traceback" not in server.log_file.read_text()


@pytest.fixture
def api(server: ApiServer) -> Iterator[ApiClient]:
    with ApiClient(server) as client:
        yield client


def mutations(value: Any) -> Iterator[Any]:
    """The value with each of its parts replaced by each odd value."""
    yield from ODD
    if isinstance(value, dict):
        for name, part in value.items():
            for changed in mutations(part):
                yield {**value, name: changed}
    elif isinstance(value, list):
        for index, part in enumerate(value):
            for changed in mutations(part):
                yield [*value[:index], changed, *value[index + 1 :]]


def check(answer: Any, what: Any) -> None:
    assert answer.status < 500 or "resourceVersion" in answer.message or "strconv" in answer.message, (
        f"{answer.message} for {json.dumps(what)}"
    )
    if answer.status >= 400:
        assert answer.obj["kind"] == "Status"
        assert answer.obj["message"]


@pytest.mark.parametrize("kind", CASES)
def test_odd_objects_are_refused_or_taken(api: ApiClient, kind: str) -> None:
    path, obj = CASES[kind]
    bodies = list(mutations(obj))
    for body in random.Random(kind).sample(bodies, min(250, len(bodies))):
        check(api.create(path, body, dryRun="All"), body)


@pytest.mark.parametrize("path", [f"{NAMESPACED}/configmaps/target", f"{NAMESPACED}/pods/target", f"{WIDGETS}/target"])
def test_odd_changes_are_refused_or_taken(api: ApiClient, path: str) -> None:
    current = api.get(path).obj
    chosen = random.Random(path)
    for body in chosen.sample(list(mutations(copy.deepcopy(current))), 150):
        check(api.update(path, body, dryRun="All"), body)
        for kind in (MERGE, STRATEGIC):
            check(api.patch(path, body, kind, dryRun="All"), body)
        check(api.patch(path, body, APPLY, dryRun="All", fieldManager="m", force="true"), body)
        check(api.patch(f"{path}/status", body, MERGE, dryRun="All"), body)


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_options_scales_and_patches(api: ApiClient, odd: Any) -> None:
    path = f"{NAMESPACED}/pods/target"
    for name in ("gracePeriodSeconds", "preconditions", "propagationPolicy", "orphanDependents"):
        check(api.delete(path, {name: odd}, dryRun="All"), {name: odd})
    check(api.delete(path, {"dryRun": odd, "preconditions": {"uid": "never"}}), {"dryRun": odd})
    check(api.delete(path, odd, dryRun="All"), odd)
    for patch in (
        odd,
        [odd],
        [{"op": odd, "path": odd, "value": odd}],
        [{"op": "add", "path": "/metadata", "value": odd}],
    ):
        check(api.patch(path, patch, JSON_PATCH, dryRun="All"), patch)
    for scale in (
        odd,
        {"spec": odd},
        {"spec": {"replicas": odd}},
        {"metadata": odd},
        {"metadata": {"resourceVersion": odd}},
    ):
        check(api.update(f"{WIDGETS}/target/scale", scale, dryRun="All"), scale)
        check(api.patch(f"{WIDGETS}/target/scale", scale, dryRun="All"), scale)
    for name in ("binding", "eviction"):
        check(api.create(f"{path}/{name}", {"target": odd, "deleteOptions": odd}, dryRun="All"), odd)
        check(api.create(f"{path}/{name}", odd, dryRun="All"), odd)


TEXTS = ("", " ", "-1", "x", "=", "==", "a=b=c", "a in (", "\x00", "é", "1e9", "9" * 50, "a,,b", "!", "()")


@pytest.mark.parametrize("name", ["labelSelector", "fieldSelector", "limit", "continue", "resourceVersion"])
def test_odd_queries(api: ApiClient, name: str) -> None:
    for text in TEXTS:
        answer = api.get(f"{NAMESPACED}/configmaps", **{name: text})
        assert answer.status in (200, 400, 410, 504), f"{name}={text!r}: {answer.body[:200]!r}"


@pytest.mark.parametrize("name", ["labelSelector", "fieldSelector", "resourceVersion", "timeoutSeconds"])
def test_odd_watches(api: ApiClient, name: str) -> None:
    for text in ("=", "a in (", "-1", "!-x", "\x00", "é", "9" * 64):
        answer = api.get(f"{NAMESPACED}/configmaps", watch="1", **{"resourceVersion": "0", name: text})
        assert answer.status in (400, 504), f"{name}={text!r}: {answer.body[:200]!r}"


def test_the_server_still_works(api: ApiClient) -> None:
    assert api.get(f"{NAMESPACED}/configmaps/target").obj["data"] == {"a": "b"}
