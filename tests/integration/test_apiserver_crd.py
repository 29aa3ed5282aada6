"""CustomResourceDefinitions: served at once, validated, defaulted, pruned, with subresources, columns and versions."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.apiclient import MERGE, STRATEGIC, ApiClient
from tests.support.apiserver import ApiServer, running_apiserver

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/test.dev/v1/namespaces/default/widgets"
SCHEMA = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 9},
                "color": {"type": "string", "default": "red", "enum": ["red", "blue"]},
                "replicas": {"type": "integer", "default": 1},
                "extra": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
            "x-kubernetes-validations": [
                {"rule": "self.color != 'blue' || self.size > 2", "message": "blue ones are large"}
            ],
        },
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}}},
    },
}
DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.test.dev"},
    "spec": {
        "group": "test.dev",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": SCHEMA},
                "subresources": {
                    "status": {},
                    "scale": {
                        "specReplicasPath": ".spec.replicas",
                        "statusReplicasPath": ".status.replicas",
                        "labelSelectorPath": ".status.selector",
                    },
                },
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
            },
            {"name": "v1beta1", "served": True, "storage": False, "schema": {"openAPIV3Schema": SCHEMA}},
        ],
    },
}


def widget(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "test.dev/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("apiserver")) as server, ApiClient(server) as client:
        assert client.create(DEFINITIONS, DEFINITION).status == 201
        yield server


@pytest.fixture
def api(server: ApiServer) -> Iterator[ApiClient]:
    with ApiClient(server) as client:
        yield client


def test_a_definition_is_established_and_its_names_filled_in(api: ApiClient) -> None:
    obj = api.get(f"{DEFINITIONS}/widgets.test.dev").obj
    assert {c["type"]: c["status"] for c in obj["status"]["conditions"]} == {
        "NamesAccepted": "True",
        "Established": "True",
    }
    assert (obj["spec"]["names"]["singular"], obj["spec"]["names"]["listKind"]) == ("widget", "WidgetList")
    assert obj["status"]["storedVersions"] == ["v1"]
    served = api.get("/apis/test.dev/v1").obj["resources"]
    assert {resource["name"] for resource in served} == {"widgets", "widgets/status", "widgets/scale"}
    assert "test.dev" in {group["name"] for group in api.get("/apis").obj["groups"]}


def test_defaults_and_pruning(api: ApiClient) -> None:
    made = api.create(WIDGETS, widget("plain", size=3, unknown=1, extra={"kept": [1]})).obj
    assert made["spec"] == {"size": 3, "extra": {"kept": [1]}, "color": "red", "replicas": 1}
    assert (made["apiVersion"], made["kind"], made["metadata"]["generation"]) == ("test.dev/v1", "Widget", 1)
    strict = api.create(WIDGETS, widget("strict", size=3, unknown=1), fieldValidation="Strict")
    assert strict.message == (
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.unknown"'
    )


def test_validation_names_the_fields(api: ApiClient) -> None:
    answer = api.create(WIDGETS, widget("bad", size=10, color="green", replicas="x"))
    assert (answer.status, answer.obj["details"]["kind"], answer.obj["details"]["group"]) == (422, "Widget", "test.dev")
    messages = {cause["field"]: cause["message"] for cause in answer.obj["details"]["causes"]}
    assert messages["spec.size"] == "Invalid value: 10: spec.size in body should be less than or equal to 9"
    assert messages["spec.color"] == 'Unsupported value: "green": supported values: "red", "blue"'
    assert messages["spec.replicas"].endswith('spec.replicas in body must be of type integer: "string"')
    causes = api.create(WIDGETS, {**widget("bad"), "spec": None}).obj["details"]["causes"]
    assert [(cause["field"], cause["reason"]) for cause in causes] == [
        ("spec", "FieldValueRequired"),
        ("<nil>", "FieldValueInvalid"),  # the real one says so that its rules have not been looked at
    ]
    rule = api.create(WIDGETS, widget("bad", size=1, color="blue"))
    assert rule.message == 'Widget.test.dev "bad" is invalid: spec: Invalid value: blue ones are large'
    missing = api.create(WIDGETS, {"metadata": {"name": "a"}})
    assert (missing.status, "is missing in" in missing.message) == (400, True)


def test_status_and_scale(api: ApiClient) -> None:
    made = api.create(WIDGETS, {**widget("halves", size=1), "status": {"replicas": 7}}).obj
    assert "status" not in made, "a status is not created with the object"
    path = f"{WIDGETS}/halves"
    status = api.patch(f"{path}/status", {"status": {"replicas": 2, "selector": "a=b"}, "spec": {"size": 9}}).obj
    assert (status["status"]["replicas"], status["spec"]["size"], status["metadata"]["generation"]) == (2, 1, 1)
    assert api.patch(path, {"spec": {"size": 2}, "status": {"replicas": 9}}).obj["status"]["replicas"] == 2
    assert api.get(path).obj["metadata"]["generation"] == 2
    scale = api.get(f"{path}/scale").obj
    assert (scale["spec"], scale["status"]) == ({"replicas": 1}, {"replicas": 2, "selector": "a=b"})
    assert api.patch(f"{path}/scale", {"spec": {"replicas": 4}}).obj["spec"] == {"replicas": 4}
    assert api.get(path).obj["spec"]["replicas"] == 4
    assert api.get(f"{path}/nothing").status == 404


def test_updates_need_a_version_and_patches_do_not(api: ApiClient) -> None:
    api.create(WIDGETS, widget("versioned", size=1))
    path = f"{WIDGETS}/versioned"
    answer = api.update(path, widget("versioned", size=2))
    assert (answer.status, answer.obj["details"]["causes"][0]["field"]) == (422, "metadata.resourceVersion")
    assert api.patch(path, {"spec": {"size": 2}}, MERGE).status == 200
    assert api.patch(path, {"spec": {"size": 2}}, STRATEGIC).status == 415, "no strategic merge for custom resources"


def test_other_versions_show_the_same_objects(api: ApiClient) -> None:
    api.create(WIDGETS, widget("both", size=5))
    second = api.get("/apis/test.dev/v1beta1/namespaces/default/widgets/both").obj
    assert (second["apiVersion"], second["spec"]["size"]) == ("test.dev/v1beta1", 5)
    with api.watch("/apis/test.dev/v1beta1/widgets", fieldSelector="metadata.name=both") as events:
        assert next(events)["object"]["apiVersion"] == "test.dev/v1beta1"


def test_columns(api: ApiClient) -> None:
    api.create(WIDGETS, widget("shown", size=6))
    table = api.get(f"{WIDGETS}/shown", accept="application/json;as=Table;v=v1;g=meta.k8s.io").obj
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Size", "Age"]
    name, size, age = table["rows"][0]["cells"]
    assert (name, size) == ("shown", 6)
    assert age.endswith("s")


def edited(**spec: Any) -> dict[str, Any]:
    obj = copy.deepcopy(DEFINITION)
    obj["metadata"]["name"] = "others.test.dev"
    obj["spec"] |= {"names": {"plural": "others", "kind": "Other"}, **spec}
    return obj


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"group": "nodots"}, "spec.group"),
        ({"scope": "Everywhere"}, "spec.scope"),
        ({"versions": []}, "spec.versions"),
        ({"versions": [{"name": "v1", "served": True, "storage": False}]}, "spec.versions"),
        ({"versions": [{"name": "v1", "served": True, "storage": True}]}, "spec.versions[0].schema.openAPIV3Schema"),
        ({"names": {"plural": "Others", "kind": "Other"}}, "spec.names.plural"),
        (
            {"versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"a": {"type": "string", "pattern": "("}}}}}]},
            "spec.versions[0].schema.openAPIV3Schema.properties[a].pattern",
        ),
        (
            {"versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"a": {}}}}}]},
            "spec.versions[0].schema.openAPIV3Schema.properties[a].type",
        ),
    ],
)  # fmt: skip
def test_bad_definitions_are_refused(api: ApiClient, spec: Any, field: str) -> None:
    answer = api.create(DEFINITIONS, edited(**spec))
    assert answer.status == 422
    assert field in {cause["field"] for cause in answer.obj["details"]["causes"]}


def test_a_definition_whose_names_are_taken_is_not_served(api: ApiClient) -> None:
    clash = edited(names={"plural": "others", "kind": "Other", "shortNames": ["wd"]})
    conditions = {c["type"]: c["status"] for c in api.create(DEFINITIONS, clash).obj["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "False", "Established": "False"}
    assert api.get("/apis/test.dev/v1/namespaces/default/others").status == 404
    api.delete(f"{DEFINITIONS}/others.test.dev")


def test_a_changed_schema_counts_at_once_and_deletion_takes_the_objects(api: ApiClient) -> None:
    api.create(DEFINITIONS, edited())
    others = "/apis/test.dev/v1/namespaces/default/others"
    other = {"apiVersion": "test.dev/v1", "kind": "Other", "metadata": {"name": "o"}, "spec": {"size": 3}}
    assert api.create(others, other).status == 201
    current = api.get(f"{DEFINITIONS}/others.test.dev").obj
    for each in current["spec"]["versions"]:
        each["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"]["maximum"] = 2
    assert api.update(f"{DEFINITIONS}/others.test.dev", current).status == 200
    assert api.patch(f"{others}/o", {"spec": {"color": "blue"}}).status == 422
    api.patch(f"{others}/o", {"spec": {"size": 1}, "metadata": {"finalizers": ["test.dev/hold"]}})
    api.delete(f"{DEFINITIONS}/others.test.dev")
    assert api.get(f"{others}/o").obj["metadata"]["deletionTimestamp"]
    api.patch(f"{others}/o", {"metadata": {"finalizers": None}})
    assert api.get(others).status == 404
    assert api.get(f"{DEFINITIONS}/others.test.dev").status == 404


def test_rules_that_cannot_be_checked_are_accepted_with_a_warning(api: ApiClient) -> None:
    obj = edited()
    for each in obj["spec"]["versions"]:
        each["schema"]["openAPIV3Schema"]["x-kubernetes-validations"] = [{"rule": "self.spec.ip().family() == 4"}]
    answer = api.create(DEFINITIONS, obj)
    assert answer.status == 201
    assert "is not checked: the method ip is not known here" in answer.headers["warning"]
    api.delete(f"{DEFINITIONS}/others.test.dev")
