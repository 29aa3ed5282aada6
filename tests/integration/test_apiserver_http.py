"""The API server over HTTP: authentication, discovery, verbs, and what it says to bad requests."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.apiclient import APPLY, JSON_PATCH, MERGE, STRATEGIC, ApiClient, configmap, pod
from tests.support.apiserver import ApiServer, running_apiserver

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
SETS = "/apis/apps/v1/namespaces/default/replicasets"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("apiserver")) as server:
        yield server


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


def test_the_life_of_an_object(api: ApiClient) -> None:
    made = api.create(MAPS, configmap("life", a="1"))
    assert made.status == 201
    meta = made.obj["metadata"]
    assert meta["uid"]
    assert meta["creationTimestamp"].endswith("Z")
    assert api.get(f"{MAPS}/life").obj == made.obj
    again = api.create(MAPS, configmap("life"))
    assert (again.status, again.obj["reason"], again.message) == (
        409,
        "AlreadyExists",
        'configmaps "life" already exists',
    )
    changed = api.update(f"{MAPS}/life", configmap("life", a="2"))
    assert changed.obj["data"] == {"a": "2"}
    assert changed.obj["metadata"]["uid"] == meta["uid"]
    assert changed.version > made.version
    gone = api.delete(f"{MAPS}/life")
    assert gone.obj["status"] == "Success"
    assert gone.obj["details"] == {"name": "life", "kind": "configmaps", "uid": meta["uid"]}
    missing = api.get(f"{MAPS}/life")
    assert (missing.status, missing.message) == (404, 'configmaps "life" not found')
    assert missing.obj["details"] == {"name": "life", "kind": "configmaps"}


def test_an_old_version_loses_and_no_change_is_no_write(api: ApiClient) -> None:
    made = api.create(MAPS, configmap("stale", a="1"))
    api.patch(f"{MAPS}/stale", {"data": {"a": "2"}})
    late = api.update(f"{MAPS}/stale", made.obj)
    assert (late.status, late.obj["reason"]) == (409, "Conflict")
    assert late.message == (
        'Operation cannot be fulfilled on configmaps "stale": the object has been modified; please apply your changes'
        " to the latest version and try again"
    )
    current = api.get(f"{MAPS}/stale")
    assert api.patch(f"{MAPS}/stale", {"data": {"a": "2"}}).version == current.version
    assert api.update(f"{MAPS}/stale", current.obj).version == current.version


def test_each_kind_of_patch(api: ApiClient) -> None:
    api.create(PODS, pod("patched"))
    path = f"{PODS}/patched"
    merged = api.patch(path, {"metadata": {"labels": {"x": "1", "app": None}}}, MERGE)
    assert merged.obj["metadata"]["labels"] == {"x": "1"}
    by_json = api.patch(path, [{"op": "add", "path": "/metadata/annotations", "value": {"n": "v"}}], JSON_PATCH)
    assert by_json.obj["metadata"]["annotations"] == {"n": "v"}
    strategic = api.patch(path, {"spec": {"containers": [{"name": "main", "image": "new:2"}]}}, STRATEGIC)
    assert [c["image"] for c in strategic.obj["spec"]["containers"]] == ["new:2"]
    failed = api.patch(path, [{"op": "test", "path": "/metadata/name", "value": "x"}], JSON_PATCH)
    assert (failed.status, failed.obj["reason"]) == (422, "Invalid")
    assert api.patch(path, {}, "application/json").status == 415
    assert api.patch(path, b"{", MERGE).status == 400
    assert api.patch(f"{PODS}/missing", {}).status == 404
    api.delete(path)


def test_server_side_apply_creates_owns_and_conflicts(api: ApiClient) -> None:
    path = f"{MAPS}/applied"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1"}}
    assert api.patch(path, body, APPLY, fieldManager="one").status == 201
    assert api.patch(path, body, APPLY, fieldManager="one").version == api.get(path).version
    changed = {**body, "data": {"a": "2"}}
    conflict = api.patch(path, changed, APPLY, fieldManager="two")
    assert conflict.status == 409
    assert conflict.message == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    assert conflict.obj["details"]["causes"][0]["reason"] == "FieldManagerConflict"
    taken = api.patch(path, changed, APPLY, fieldManager="two", force="true").obj
    assert [entry["manager"] for entry in taken["metadata"]["managedFields"]] == ["two"]
    assert api.patch(path, body, APPLY).message.endswith("fieldManager: Required value: is required for apply patch")
    yaml = api.patch(
        path, b"kind: ConfigMap\napiVersion: v1\nmetadata: {name: applied}\ndata: {b: x}\n", APPLY, fieldManager="two"
    )
    assert yaml.obj["data"] == {"b": "x"}


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


def test_status_and_spec_have_addresses_of_their_own(api: ApiClient) -> None:
    api.create(PODS, pod("halves"))
    path = f"{PODS}/halves"
    status = {"status": {"phase": "Running", "podIP": "127.64.0.1"}, "spec": {"restartPolicy": "Never"}}
    changed = api.patch(f"{path}/status", status).obj
    assert (changed["status"]["phase"], changed["spec"]["restartPolicy"]) == ("Running", "Always")
    assert api.patch(path, {"status": {"phase": "Failed"}}).obj["status"]["phase"] == "Running"
    api.delete(path, {"gracePeriodSeconds": 0})


def replicaset(name: str, replicas: int = 1) -> Any:
    template = {"metadata": {"labels": {"app": name}}, "spec": pod(name)["spec"]}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def test_generations_count_changes_of_the_spec(api: ApiClient) -> None:
    assert api.create(SETS, replicaset("counted")).obj["metadata"]["generation"] == 1
    path = f"{SETS}/counted"
    assert api.patch(path, {"metadata": {"labels": {"a": "b"}}}).obj["metadata"]["generation"] == 1
    assert api.patch(f"{path}/status", {"status": {"replicas": 1}}).obj["metadata"]["generation"] == 1
    assert api.patch(path, {"spec": {"replicas": 3}}).obj["metadata"]["generation"] == 2
    scale = api.get(f"{path}/scale").obj
    assert (scale["spec"], scale["status"]) == ({"replicas": 3}, {"replicas": 1, "selector": "app=counted"})
    scale["spec"]["replicas"] = 5
    assert api.update(f"{path}/scale", scale).obj["spec"] == {"replicas": 5}
    assert api.update(f"{path}/scale", scale).status == 409, "a scale decided on an old version is refused"
    assert api.get(path).obj["metadata"]["generation"] == 3
    assert api.patch(f"{path}/scale", {"spec": {"replicas": -1}}).status == 422


BAD: list[tuple[str, Any, int, str]] = [
    (PODS, pod("UPPER"), 422, 'Pod "UPPER" is invalid: metadata.name: Invalid value: "UPPER": a lowercase RFC 1123'),
    (PODS, {"metadata": {"name": "a"}, "spec": {}}, 422, 'Pod "a" is invalid: spec.containers: Required value'),
    (PODS, {"metadata": {}}, 422, 'Pod "" is invalid: metadata.name: Required value: name or generateName is required'),
    (
        PODS,
        {"metadata": {"name": "a"}, "spec": {"containers": "x"}},
        400,
        'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string into Go struct field',
    ),
    (PODS, {**pod("a"), "kind": "Service"}, 400, "the kind in the data (Service) does not match the expected kind"),
    (PODS, {**pod("a"), "apiVersion": "v9"}, 400, "the API version in the data (v9) does not match"),
    (MAPS, configmap("a", "other"), 400, "the namespace of the provided object does not match the namespace sent"),
    (MAPS, {"metadata": {"name": "a", "labels": {"-x": "y"}}}, 422, 'metadata.labels: Invalid value: "-x": name part'),
    (
        MAPS,
        {"metadata": {"name": "a", "resourceVersion": "1"}},
        500,
        "resourceVersion should not be set on objects to be created",
    ),
    ("/api/v1/namespaces/none/configmaps", configmap("a", "none"), 404, 'namespaces "none" not found'),
    (
        SETS,
        {"metadata": {"name": "a"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": pod("a")}},
        422,
        "`selector` does not match template `labels`",
    ),
]


@pytest.mark.parametrize(("path", "obj", "code", "message"), BAD)
def test_bad_objects_are_refused_with_the_reason(api: ApiClient, path: str, obj: Any, code: int, message: str) -> None:
    answer = api.create(path, obj)
    assert answer.status == code
    assert message in answer.message
    assert answer.obj["code"] == code


def test_several_errors_are_told_at_once(api: ApiClient) -> None:
    obj = pod("a")
    obj["spec"]["containers"] = [{"name": "x", "ports": [{"containerPort": 0}]}, {"name": "x", "image": "i"}]
    answer = api.create(PODS, obj)
    causes = {(cause["field"], cause["reason"]) for cause in answer.obj["details"]["causes"]}
    assert causes == {
        ("spec.containers[0].image", "FieldValueRequired"),
        ("spec.containers[0].ports[0].containerPort", "FieldValueInvalid"),
        ("spec.containers[1].name", "FieldValueDuplicate"),
    }
    assert answer.message.startswith('Pod "a" is invalid: [spec.containers[0].image: Required value, ')


def test_unknown_fields_are_refused_warned_of_or_dropped(api: ApiClient) -> None:
    obj = {**configmap("unknown"), "surprise": 1}
    strict = api.create(MAPS, obj, fieldValidation="Strict", dryRun="All")
    assert strict.status == 400
    assert strict.message.endswith('strict decoding error: unknown field "surprise"')
    warned = api.create(MAPS, obj, fieldValidation="Warn", dryRun="All")
    assert warned.status == 201
    assert warned.headers["warning"] == '299 - "unknown field \\"surprise\\""'
    ignored = api.create(MAPS, obj, fieldValidation="Ignore", dryRun="All")
    assert "warning" not in ignored.headers
    assert "surprise" not in ignored.obj
    assert api.create(MAPS, obj, fieldValidation="Maybe").status == 422
    assert api.get(f"{MAPS}/unknown").status == 404, "a dry run wrote something"


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


def test_lists_select_and_page_consistently(api: ApiClient) -> None:
    maps = "/api/v1/namespaces/paged/configmaps"
    api.create("/api/v1/namespaces", {"metadata": {"name": "paged"}})
    for number in range(7):
        obj = configmap(f"p{number}", "paged")
        obj["metadata"]["labels"] = {"odd": str(number % 2)}
        api.create(maps, obj)
    odd = api.get(maps, labelSelector="odd=1").obj
    assert [item["metadata"]["name"] for item in odd["items"]] == ["p1", "p3", "p5"]
    assert odd["kind"] == "ConfigMapList"
    assert "kind" not in odd["items"][0]
    assert len(api.get(maps, fieldSelector="metadata.name!=p0").obj["items"]) == 6
    first = api.get(maps, limit=3).obj
    assert first["metadata"]["remainingItemCount"] == 4
    api.delete(f"{maps}/p4")
    api.create(maps, configmap("p3b", "paged"))
    names = [item["metadata"]["name"] for item in first["items"]]
    token = first["metadata"]["continue"]
    while token:
        page = api.get(maps, limit=3, **{"continue": token}).obj
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
    assert names == [f"p{number}" for number in range(7)], "pages of one list show one moment"
    assert api.get(maps, limit=3, **{"continue": "bogus"}).status == 400
    assert api.get(maps, labelSelector="a in").status == api.get(maps, limit="x").status == 400
    assert (
        api.get("/api/v1/configmaps", fieldSelector="metadata.namespace=paged").obj["items"][0]["metadata"]["name"]
        == "p0"
    )
    future = api.get(maps, resourceVersion="999999999")
    assert (future.status, future.obj["reason"]) == (504, "Timeout")


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
