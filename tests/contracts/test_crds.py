"""deploy/crds is what the contracts say, and refuses what they refuse as far as a schema can."""

from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from deploy import generate
from services.contracts.resources import FunctionSpec, Workflow, WorkflowSpec

INLINE = {"source": {"inline": {"main.py": "x = 1"}}}


@pytest.mark.parametrize("path", generate.files(), ids=lambda path: path.name)
def test_file_is_what_the_contracts_generate(path: Any) -> None:
    assert path.read_text() == generate.files()[path], "run `python -m deploy.generate`"


def version(file: str = "functions.yaml") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((generate.CRDS / file).read_text())["spec"]["versions"][0]
    return found


def spec_schema() -> dict[str, Any]:
    found: dict[str, Any] = version()["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def test_what_users_see_of_the_resource() -> None:
    crd = generate.function_crd()["spec"]
    assert (crd["names"]["shortNames"], crd["names"]["categories"]) == (["fn"], ["all"])
    assert [column["name"] for column in version()["additionalPrinterColumns"]] == [
        "Ready", "Reason", "Replicas", "Revision", "Age",
    ]  # fmt: skip
    assert version()["subresources"] == {"status": {}}


def test_defaults_are_those_of_the_structs() -> None:
    """What the API server fills in reads the same as what a reader of an empty field assumes."""

    def filled(schema: dict[str, Any]) -> dict[str, Any]:
        return {name: part["default"] for name, part in schema["properties"].items() if "default" in part}

    stated = msgspec.convert(filled(spec_schema()), FunctionSpec)
    assert stated == FunctionSpec()
    assert set(filled(spec_schema())) == {"runtime", "handler", "timeout", "concurrency", "scale", "coldStart"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("runtime", "ruby"), ("handler", "main"), ("handler", "main:a b"), ("timeout", "60"), ("timeout", "-1s"),
        ("timeout", "1d"), ("concurrency", 0), ("concurrency", 1001), ("concurrency", "3"), ("coldStart", "wait"),
        ("scale", {"min": -1}), ("scale", {"max": 0}), ("scale", {"target": 101}), ("scale", {"window": "soon"}),
        ("env", [{"value": "x"}]), ("env", [{"name": "a-b", "value": "x"}]), ("envFrom", [{"secretRef": {}}]),
        ("env", [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.hostNetwork"}}}]),
        ("resources", {"limits": {"memory": "lots"}}), ("source", {"archive": "abc"}), ("idempotent", "yes"),
        ("image", ""),
    ],
)  # fmt: skip
def test_schema_and_structs_refuse_the_same(field: str, value: Any) -> None:
    document = {**INLINE, field: value}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(document, FunctionSpec)
    with pytest.raises(jsonschema.ValidationError) as refusal:
        jsonschema.validate(document, spec_schema())
    assert refusal.value.absolute_path[0] == field


@pytest.mark.parametrize(
    "extra",
    [
        {}, {"timeout": "1m30s"}, {"timeout": "0.5h"}, {"scale": {"min": 0, "max": 1000}},
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}}]},
        {"envFrom": [{"prefix": "P_", "configMapRef": {"name": "c"}}], "idempotent": True},
        {"resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "1.5Gi"}}},
    ],
)  # fmt: skip
def test_schema_and_structs_take_the_same(extra: dict[str, Any]) -> None:
    document = {**INLINE, **extra}
    msgspec.convert(document, FunctionSpec)
    jsonschema.validate(document, spec_schema())


def test_rules_that_span_fields_are_stated() -> None:
    """CEL needs a real API server to run (tests/cluster does that); here: that each rule is there, at its place."""

    def rules(schema: dict[str, Any]) -> list[str]:
        return [rule["message"] for rule in schema.get("x-kubernetes-validations", [])]

    spec = spec_schema()
    properties = spec["properties"]
    assert rules(spec) == ["exactly one of source and image is needed", "timeout must be from 1ms to 3600s"]
    assert rules(properties["source"]) == ["exactly one of inline and archive is needed"]
    assert rules(properties["scale"])[0] == "min must not be above max"
    assert len(rules(properties["scale"])) == 4
    assert len(rules(properties["env"]["items"])) == 2
    metadata = version()["schema"]["openAPIV3Schema"]["properties"]["metadata"]["properties"]
    assert metadata["name"]["maxLength"] == 63


DEFINITION = {
    "document": {"dsl": "1.0.3", "namespace": "default", "name": "flow", "version": "0.1.0", "tags": {"a": "b"}},
    "do": [{"greet": {"set": {"x": None}}}],
    "schedule": {"on": {"one": {}}},
}


def workflow_schema() -> dict[str, Any]:
    found: dict[str, Any] = version("workflows.yaml")["schema"]["openAPIV3Schema"]
    return found


def test_what_users_see_of_a_workflow() -> None:
    names = generate.workflow_crd()["spec"]["names"]
    assert (names["plural"], names["shortNames"], names["categories"]) == ("workflows", ["wf"], ["all"])
    columns = version("workflows.yaml")["additionalPrinterColumns"]
    assert [column["name"] for column in columns] == ["Accepted", "Version", "Age"]
    assert version("workflows.yaml")["subresources"] == {"status": {}}


@pytest.mark.parametrize("given", [{}, {"input": None}, {"input": []}, {"input": {"a": None}}, {"input": 0.5}])
def test_a_workflow_keeps_whatever_its_definition_and_input_are(given: dict[str, Any]) -> None:
    schema = workflow_schema()["properties"]["spec"]["properties"]
    assert schema["input"] == {"x-kubernetes-preserve-unknown-fields": True, "nullable": True}
    jsonschema.validate(DEFINITION, schema["definition"])
    spec = msgspec.convert({"definition": DEFINITION, **given}, WorkflowSpec)
    assert msgspec.to_builtins(spec) == {"definition": DEFINITION, **given}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("document",), None), (("do",), None), (("document", "name"), "A.b"), (("document", "namespace"), "x" * 64),
        (("document", "dsl"), "2.0.0"), (("document", "version"), ""), (("do",), ["x"]),
    ],
)  # fmt: skip
def test_the_schema_names_what_no_definition_can_be_without(place: tuple[str, ...], value: Any) -> None:
    document: Any = msgspec.json.decode(msgspec.json.encode(DEFINITION))
    part = document
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    with pytest.raises(jsonschema.ValidationError) as refusal:
        jsonschema.validate(document, workflow_schema()["properties"]["spec"]["properties"]["definition"])
    assert tuple(refusal.value.absolute_path)[: len(place)] == place


def test_a_workflow_without_status_reads_as_one_that_nobody_has_looked_at() -> None:
    workflow = msgspec.convert({"metadata": {"name": "a"}, "spec": {"definition": {}}}, Workflow)
    assert (workflow.status.observed_generation, workflow.status.conditions, workflow.status.run) == (0, [], "")
