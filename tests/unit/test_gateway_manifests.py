"""Manifests from users: read, checked, merged."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.errors import Code, FaasError
from services.gateway.manifests import checked, read_document, replaced

SPEC = {"source": {"inline": {"main.py": "def handle(event): return event"}}}


def manifest(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "add"}, "spec": SPEC} | fields


def test_json_and_yaml_are_read_by_their_content_type() -> None:
    document = manifest()
    assert read_document("application/json", json.dumps(document).encode()) == document
    assert read_document("", json.dumps(document).encode()) == document
    text = b"metadata: {name: add}\nspec:\n  source:\n    inline:\n      main.py: 'x'\n"
    for content_type in ("application/yaml", "text/x-yaml; charset=utf-8", "application/vnd.x+YAML"):
        assert read_document(content_type, text)["spec"]["source"]["inline"] == {"main.py": "x"}


@pytest.mark.parametrize(
    ("content_type", "body", "code"),
    [
        ("application/json", b"{", Code.INVALID_JSON),
        ("application/json", b"a: 1", Code.INVALID_JSON),
        ("application/json", b"\xff", Code.INVALID_JSON),
        ("application/json", b"[" * 100_000, Code.INVALID_JSON),
        ("application/yaml", b"a: [", Code.INVALID_RESOURCE),
        ("application/yaml", b"!!python/object/apply:os.system ['true']", Code.INVALID_RESOURCE),
        ("application/yaml", b"\xff\xfe\x00", Code.INVALID_RESOURCE),
        ("application/yaml", b"[" * 5000, Code.INVALID_RESOURCE),
    ],
)
def test_what_cannot_be_read_is_refused(content_type: str, body: bytes, code: Code) -> None:
    with pytest.raises(FaasError) as refusal:
        read_document(content_type, body)
    assert refusal.value.code is code


@given(st.binary(max_size=200), st.sampled_from(["application/json", "application/yaml"]))
def test_any_bytes_are_a_document_or_a_clear_error(body: bytes, content_type: str) -> None:
    with pytest.raises(FaasError) as refusal:  # so few bytes hold no function
        checked(read_document(content_type, body), "default", None)
    assert refusal.value.message
    assert refusal.value.status in (400, 422)


def test_the_address_fills_in_what_is_left_out() -> None:
    ref, wanted = checked({"metadata": {}, "spec": SPEC}, "team", "add")
    assert str(ref) == "team/add"
    assert wanted["metadata"] == {"name": "add", "namespace": "team"}
    assert (wanted["apiVersion"], wanted["kind"]) == ("faas.dev/v1alpha1", "Function")


def test_everything_that_is_wrong_is_listed() -> None:
    document = manifest(
        metadata={"name": "Add", "namespace": "other"},
        spec={**SPEC, "scael": {}, "timeout": "0s", "scale": {"min": 3, "max": 2}},
    )
    with pytest.raises(FaasError) as refusal:
        checked(document, "default", None)
    assert refusal.value.code is Code.INVALID_RESOURCE
    found = "\n".join(refusal.value.details)
    for said in ("metadata.namespace", "'Add'", "spec.scael: unknown field; did you mean scale?", "min (3)", "timeout"):
        assert said in found
    assert len(refusal.value.details) == 5


@pytest.mark.parametrize(
    "document",
    [None, [], "x", 1, {}, {"metadata": []}, {"metadata": {"name": 1}, "spec": SPEC}, manifest(spec=None),
     manifest(spec=[]), manifest(kind="Pod"), manifest(apiVersion="v1"), {1: 2},
     manifest(metadata={"name": "a", "labels": [1]})],
)  # fmt: skip
def test_documents_of_the_wrong_shape(document: Any) -> None:
    with pytest.raises(FaasError) as refusal:
        checked(document, "default", None)
    assert refusal.value.code is Code.INVALID_RESOURCE


def test_only_what_is_the_users_is_stored() -> None:
    document = manifest(
        metadata={"name": "add", "labels": {"a": "b"}, "uid": "x", "managedFields": [], "ownerReferences": [{}]},
        status={"replicas": 3},
    )
    _, wanted = checked(document, "default", None)
    assert wanted["metadata"] == {"name": "add", "namespace": "default", "labels": {"a": "b"}}
    assert "status" not in wanted


CURRENT = {
    "apiVersion": "faas.dev/v1alpha1",
    "kind": "Function",
    "metadata": {"name": "add", "namespace": "default", "uid": "u", "resourceVersion": "7", "labels": {"a": "1"}},
    "spec": {**SPEC, "timeout": "60s", "scale": {"min": 0, "max": 10}},
    "status": {"replicas": 2},
}


def test_a_replacement_keeps_what_is_not_mentioned() -> None:
    _, wanted = checked(
        manifest(metadata={"name": "add", "labels": {"b": "2"}}, spec={**SPEC, "timeout": "5s"}), "default", None
    )
    body = replaced(CURRENT, wanted)
    assert body is not None
    assert body["metadata"] == {**CURRENT["metadata"], "labels": {"a": "1", "b": "2"}}
    assert body["spec"] == {**SPEC, "timeout": "5s"}
    assert body["status"] == {"replicas": 2}


def test_a_replacement_that_changes_nothing_is_none_also_when_defaults_are_left_out() -> None:
    _, wanted = checked(manifest(), "default", None)
    assert replaced(CURRENT, wanted) is None


def test_a_given_version_is_the_one_that_must_still_be_there() -> None:
    _, wanted = checked(manifest(metadata={"name": "add", "resourceVersion": "5"}), "default", None)
    body = replaced(CURRENT, wanted)
    assert body is not None
    assert body["metadata"]["resourceVersion"] == "5"
