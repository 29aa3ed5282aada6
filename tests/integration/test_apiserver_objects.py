"""Objects at the API server: created, changed, patched, applied, listed, and refused with the reason."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.apiclient import APPLY, JSON_PATCH, MERGE, STRATEGIC, ApiClient, configmap, pod
from tests.support.apiserver import ApiServer

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
SETS = "/apis/apps/v1/namespaces/default/replicasets"


@pytest.fixture
def api(server: ApiServer) -> Iterator[ApiClient]:
    with ApiClient(server) as client:
        yield client


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
