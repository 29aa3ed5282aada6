"""A Workflow's manifest: what is taken, and what is said of what is not."""

from typing import Any

import pytest
from msgspec import UNSET

from services.contracts.validation import InvalidResource
from services.contracts.workflow import InvalidWorkflow
from services.contracts.workflow.resource import MAX_INPUT, decode_workflow


def manifest(**spec: Any) -> dict[str, Any]:
    document = {"dsl": "1.0.3", "namespace": "default", "name": "flow", "version": "0.1.0"}
    definition = {"document": document, "do": [{"greet": {"set": {"hello": "you"}}}]}
    return {"metadata": {"name": "flow", "namespace": "default"}, "spec": {"definition": definition, **spec}}


@pytest.mark.parametrize(("given", "read"), [({}, UNSET), ({"input": None}, None), ({"input": {"a": [1]}}, {"a": [1]})])
def test_an_input_is_any_json_and_null_is_one(given: dict[str, Any], read: Any) -> None:
    workflow, definition = decode_workflow(manifest(**given))
    assert workflow.spec.input == read
    assert (definition.document.name, definition.source) == ("flow", manifest()["spec"]["definition"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "Function"}, "apiVersion and kind: expected faas.dev/v1alpha1 Workflow"),
        ({"metadata": {"name": "Flow"}}, "metadata.name"),
        ({"spec": {}}, "definition"),
        ({"spec": {"definition": []}}, "spec.definition"),
        ({"spec": manifest()["spec"] | {"imput": 1}}, "spec.imput: unknown field; did you mean input?"),
        ({"spec": manifest()["spec"] | {"input": "x" * MAX_INPUT}}, f"spec.input: {MAX_INPUT + 2} bytes; at most"),
    ],
)
def test_what_is_wrong_around_a_definition_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidResource) as refusal:
        decode_workflow(manifest() | change)
    assert any(said in problem for problem in refusal.value.problems), refusal.value.problems


def test_a_definition_alone_is_told_where_it_belongs() -> None:
    with pytest.raises(InvalidResource) as refusal:
        decode_workflow(manifest()["spec"]["definition"])
    assert refusal.value.problems == ["the top: this is a definition alone; in a manifest it stands in spec.definition"]


def test_a_definition_goes_by_its_resources_name_and_namespace() -> None:
    with pytest.raises(InvalidWorkflow) as refusal:
        decode_workflow(manifest() | {"metadata": {"name": "other", "namespace": "elsewhere"}})
    found = [(problem.pointer, problem.found, problem.expected) for problem in refusal.value.problems]
    assert found == [
        ("/document/namespace", '"default"', "elsewhere, which is the resource's namespace"),
        ("/document/name", '"flow"', "other, which is the resource's name"),
    ]


def test_pointers_begin_at_the_definition() -> None:
    wrong = manifest()
    wrong["spec"]["definition"]["do"][0]["greet"]["outptu"] = {}
    with pytest.raises(InvalidWorkflow) as refusal:
        decode_workflow(wrong)
    assert [problem.pointer for problem in refusal.value.problems] == ["/do/0/greet/outptu"]
