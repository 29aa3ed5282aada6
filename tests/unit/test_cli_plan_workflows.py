"""What ``faas deploy`` makes of files with workflows, before anything is sent."""

import json
from pathlib import Path

import pytest

from cli.output import Failure
from cli.plan import Planned, Wishes, plan
from services.contracts.errors import Exit

DOCUMENT = "document: { dsl: '1.0.3', namespace: team, name: flow, version: '0.1.0' }\n"
DEFINITION = DOCUMENT + "schedule:\n  on: { one: { with: { type: a.b } } }\ndo:\n- greet:\n    set: { answer: no }\n"
MANIFEST = "apiVersion: faas.dev/v1alpha1\nkind: Workflow\nmetadata: { name: flow, namespace: team }\nspec:\n"
FUNCTION = (
    "kind: Function\nmetadata: { name: add }\n"
    "spec: { image: localhost/x:1, env: [{ name: MODE, value: 'on' }] }\n"
)  # fmt: skip


def manifest(definition: str) -> str:
    return MANIFEST + "  definition:\n" + "".join(f"    {line}\n" for line in definition.splitlines())


def planned(tmp_path: Path, text: str, file_name: str = "flow.yaml", **wishes: str) -> list[Planned]:
    file = tmp_path / file_name
    file.write_text(text)
    settings = {"scale.min": int(wishes["minimum"])} if "minimum" in wishes else {}
    return plan(file, Wishes(wishes.get("name"), wishes.get("namespace"), settings, {}))


def refusal(tmp_path: Path, text: str, **wishes: str) -> str:
    with pytest.raises(Failure) as caught:
        planned(tmp_path, text, **wishes)
    assert caught.value.exit_code == Exit.USAGE
    return "\n".join([caught.value.message.replace(str(tmp_path), ""), *caught.value.details])


def test_a_definition_alone_becomes_a_workflow_by_its_own_name(tmp_path: Path) -> None:
    (only,) = planned(tmp_path, DEFINITION)
    assert (only.workflow, str(only.ref), only.source) == (True, "team/flow", None)
    definition = only.manifest["spec"]["definition"]
    assert definition["schedule"] == {"on": {"one": {"with": {"type": "a.b"}}}}
    assert definition["do"] == [{"greet": {"set": {"answer": "no"}}}]


def test_a_manifest_is_read_as_yaml_1_2_too(tmp_path: Path) -> None:
    (only,) = planned(tmp_path, manifest(DEFINITION) + "  input: null\n")
    assert only.manifest["spec"] == planned(tmp_path, DEFINITION)[0].manifest["spec"] | {"input": None}
    assert only.manifest["metadata"] == {"name": "flow", "namespace": "team"}


def test_json_and_a_namespace_left_out_do(tmp_path: Path) -> None:
    (alone,) = planned(tmp_path, DEFINITION)
    document = {"kind": "Workflow", "metadata": {"name": "flow"}, "spec": alone.manifest["spec"]}
    assert str(planned(tmp_path, json.dumps(document), "flow.json")[0].ref) == "team/flow"
    assert planned(tmp_path, json.dumps(alone.manifest["spec"]["definition"]), "flow.json") == [alone]


def test_workflows_and_functions_stand_in_one_file_each_read_in_its_own_way(tmp_path: Path) -> None:
    found = planned(tmp_path, f"---\n{FUNCTION}---\n{DEFINITION}--- # another\n{FUNCTION.replace('add', 'flow')}")
    assert [(each.workflow, str(each.ref)) for each in found] == [
        (False, "default/add"), (True, "team/flow"), (False, "default/flow"),
    ]  # fmt: skip
    assert found[0].manifest["spec"]["env"] == [{"name": "MODE", "value": "on"}]


def test_every_wrong_place_is_told_with_its_line(tmp_path: Path) -> None:
    text = (
        f"---\n{FUNCTION}---\n{DOCUMENT}do:\n- greet:\n    set: {{ a: 1 }}\n    outptu: {{}}\n- b: {{ wait: soon }}\n"
    )
    said = refusal(tmp_path, text)
    assert "/flow.yaml: 2 places are wrong" in said
    assert "line 10: /do/0/greet/outptu: found the unknown field outptu" in said
    assert "(did you mean output?)" in said
    assert 'line 11: /do/1/b/wait: found "soon"' in said
    inside = manifest(DOCUMENT + "do:\n- greet: { sett: {} }\n")
    assert "/flow.yaml: line 8: /do/0/greet" in refusal(tmp_path, inside)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DOCUMENT + "do: [ {\n", "line 3, column 1"),
        (f"---\n{FUNCTION}---\n{DOCUMENT}do: &a [ *a ]\n", "line 7, column 10"),
        (DOCUMENT, "found no do; expected the field do"),
        ("document: 1\ndo: []\n", "/document"),
        (MANIFEST + "  definitoin: {}\n", "spec.definitoin: unknown field"),
        (manifest(DEFINITION).replace("name: flow,", "name: other,", 1), '/document/name: found "flow"'),
        (MANIFEST + "  definition: {}\n  input: 1\n", "/flow.yaml: 2 places are wrong"),
        (DEFINITION + "---\n" + DEFINITION, "team/flow more than once"),
        ("kind: Workflows\nmetadata: {name: x}\n", "kind 'Workflows' cannot be deployed"),
        (manifest(DOCUMENT + "schedule: { true: { one: { with: { type: a } } } }\ndo: []\n"), "quote"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text)


def test_options_that_contradict_a_definition_or_are_for_functions_are_refused(tmp_path: Path) -> None:
    assert "expected other, which is the resource's name" in refusal(tmp_path, DEFINITION, name="other")
    assert "expected other, which is the resource's namespace" in refusal(tmp_path, DEFINITION, namespace="other")
    assert "scale.min: these are settings of functions" in refusal(tmp_path, DEFINITION, minimum="1")
    assert str(planned(tmp_path, DEFINITION, name="flow", namespace="team")[0].ref) == "team/flow"


def test_a_folders_settings_are_no_workflow(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("handle = print\n")
    (tmp_path / "function.yaml").write_text(DEFINITION)
    with pytest.raises(Failure, match="is a Workflow"):
        plan(tmp_path, Wishes(None, None, {}, {}))
