"""deploy/crds is what the contracts say, and refuses what they refuse as far as a schema can."""

from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from deploy import generate
from services.contracts.resources import FunctionSpec

INLINE = {"source": {"inline": {"main.py": "x = 1"}}}


@pytest.mark.parametrize("path", generate.files(), ids=lambda path: path.name)
def test_file_is_what_the_contracts_generate(path: Any) -> None:
    assert path.read_text() == generate.files()[path], "run `python -m deploy.generate`"


def version() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((generate.CRDS / "functions.yaml").read_text())["spec"]["versions"][0]
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
