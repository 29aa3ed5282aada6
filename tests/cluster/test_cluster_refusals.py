"""Wrong Functions and Workflows: the real API server refuses each, and its message names the field."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.api import Api, Object
from tests.cluster.controlplane import ControlPlane
from tests.cluster.differential.custom import CUSTOM_KINDS, bad_values, definition, full_function, spec_schema
from tests.cluster.differential.kinds import REMOVED, Edit, edited
from tests.cluster.test_cluster_node import output, wait_until

CRDS = Path(__file__).parents[2] / "deploy/crds"
PLURALS = {"Function": "functions", "Workflow": "workflows"}
NAMED = {"name": "n", "optional": True}
OTHER_FUNCTION: Object = {  # what `full_function` leaves out
    "image": "localhost/x",
    "env": [
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"configMapKeyRef": {**NAMED, "key": "k"}}},
        {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ],
    "envFrom": [{"prefix": "P_", "secretRef": NAMED}, {"configMapRef": NAMED}],
    "resources": {kind: {"cpu": "10m", "memory": "64Mi"} for kind in ("requests", "limits")},
}
INLINE: Object = {"source": {"inline": {"main.py": "x = 1"}}}
BASES = {
    "Function": [full_function(), OTHER_FUNCTION, INLINE],
    "Workflow": [{"definition": definition(), "input": 1}],
}
RULES: dict[str, list[Edit]] = {  # beyond the schema's types: what the definitions say in CEL, and names
    kind.name: [edit for edit in kind.invalid if edit not in kind_edits]
    for kind in CUSTOM_KINDS
    if kind.name in PLURALS
    for kind_edits in [list(bad_values(spec_schema(f"{kind.plural}.faas.dev"), (kind.base or {})["spec"], "spec"))]
}


LANGUAGE = {  # a definition may have fields that no schema of Kubernetes states; `spec.input` may be anything
    ("an unknown field in spec.definition", "spec.definition.surprise"),
    ("an unknown field in spec.definition.document", "spec.definition.document.surprise"),
    ("spec.input of a wrong type", "spec.input"),
}


def resource(kind: str, spec: Object) -> Object:
    return {"apiVersion": "faas.dev/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}


def edits(kind: str) -> Iterator[tuple[Object, Edit]]:
    """Right objects, each with what makes it wrong.

    Not among it: null, which to Kubernetes is mostly no value at all, and what only the workflow service can tell.
    """
    schema = spec_schema(f"{PLURALS[kind]}.faas.dev")
    for spec in BASES[kind]:
        for edit in list_members(schema, spec, "spec"):
            if edit[2] is not None and edit[:2] not in LANGUAGE:
                yield resource(kind, spec), edit
    for edit in RULES[kind]:
        yield resource(kind, BASES[kind][0]), edit


def list_members(schema: Object, value: Any, path: str) -> Iterator[Edit]:
    """Bad values of the whole, and of every member of a list, where `bad_values` takes the first alone."""
    yield from bad_values(schema, value, path)
    for name, part in value.items():
        items = schema["properties"].get(name, {}).get("items", {})
        for number, member in enumerate(part if isinstance(part, list) else []):
            if number:
                yield from bad_values(items, member, f"{path}.{name}.{number}")


def written(path: str) -> str:
    """A path as the API server writes it: `spec.env[0].name`."""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", path)


def names(message: str, path: str) -> bool:
    """Whether it has the field's path, or, where several fields exclude each other, their object's path and names."""
    parent, _, field = path.rpartition(".")
    rest = message.partition(f"{written(parent)}: Invalid value: ")[2]
    return written(path) in message or re.search(rf"\b{field}\b", rest) is not None


def leaves(schema: Object, path: str) -> Iterator[str]:
    """Every field that a schema states, with 0 for whatever member of a list."""
    yield path
    for name, part in schema.get("properties", {}).items():
        yield from leaves(part, f"{path}.{name}")
    if "items" in schema:
        yield from leaves(schema["items"], f"{path}.0")


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane) -> Iterator[Api]:
    output(control_plane.kubectl("apply", "-f", str(CRDS / "functions.yaml"), "-f", str(CRDS / "workflows.yaml")))
    api = control_plane.api()
    for plural in PLURALS.values():
        path = f"/apis/faas.dev/v1alpha1/namespaces/default/{plural}"
        wait_until(lambda path=path: api.get(path).status == 200, f"{path} is served")  # type: ignore[misc]
    yield api
    output(control_plane.kubectl("delete", "-f", str(CRDS / "functions.yaml"), "-f", str(CRDS / "workflows.yaml")))


def create(api: Api, body: Object) -> tuple[int, str]:
    """Tries it as kubectl does, which asks for unknown fields to be refused."""
    path = f"/apis/faas.dev/v1alpha1/namespaces/default/{PLURALS[body['kind']]}"
    answer = api.request("POST", f"{path}?fieldValidation=Strict&dryRun=All", body)
    return answer.status, str(answer.body.get("message", ""))


@pytest.mark.parametrize("kind", PLURALS)
def test_every_wrong_field_is_refused_by_its_name(api: Api, kind: str) -> None:
    for spec in BASES[kind]:
        assert create(api, resource(kind, spec)) == (201, "")
    wrong = []
    for right, (what, path, value) in edits(kind):
        status, message = create(api, edited(right, path, value))
        if status not in (400, 422) or not names(message, path):
            wrong.append(f"{what}: {status} {message}")
    assert not wrong, f"{len(wrong)} are not:\n" + "\n".join(wrong)


@pytest.mark.parametrize("kind", PLURALS)
def test_no_field_is_left_out(kind: str) -> None:
    """A field that is new in a definition gets a wrong value above."""
    tried = {re.sub(r"\.\d+(?=\.|$)", ".0", path) for _, (_, path, value) in edits(kind) if value is not REMOVED}
    assert (
        set(leaves(spec_schema(f"{PLURALS[kind]}.faas.dev"), "spec")) - tried - {path for _, path in LANGUAGE} == set()
    )
