"""What a user's manifest may say: each wrong field is named, with what was meant."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.resources import MAX_INLINE, Function
from services.contracts.validation import InvalidResource, decode_function


def manifest(**spec: Any) -> dict[str, Any]:
    if not {"source", "image"} & spec.keys():
        spec["source"] = {"inline": {"main.py": "x = 1"}}
    return {"apiVersion": "faas.dev/v1alpha1", "kind": "Function", "metadata": {"name": "add"}, "spec": spec}


def problems(document: Any) -> str:
    with pytest.raises(InvalidResource) as refusal:
        decode_function(document)
    return "; ".join(refusal.value.problems)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"image": "x", "source": {"inline": {"a": "b"}}}, "exactly one of source and image"),
        ({"source": {}}, "exactly one of inline and archive"),
        ({"source": {"inline": {}}}, "no file is listed"),
        ({"source": {"inline": {"../main.py": ""}}}, "'../main.py' is not a relative path"),
        ({"source": {"inline": {"/main.py": ""}}}, "'/main.py' is not a relative path"),
        ({"source": {"inline": {"a/./b": ""}}}, "'a/./b' is not a relative path"),
        ({"source": {"inline": {"main.py": "x" * MAX_INLINE}}}, f"at most {MAX_INLINE}"),
        ({"source": {"archive": "zz"}}, "spec.source.archive"),
        ({"scale": {"min": 3, "max": 2}}, "min (3) is above max (2)"),
        ({"timeout": "0ms"}, "spec.timeout: 0ms is out of range (0.001s to 3600s)"),
        ({"timeout": "61m"}, "spec.timeout: 61m is out of range"),
        ({"timeout": "60"}, "spec.timeout"),
        ({"scale": {"window": "100ms"}}, "spec.scale.window: 100ms is out of range"),
        ({"env": [{"name": "FAAS_X", "value": "1"}]}, "names that begin with FAAS_ belong to the platform"),
        ({"env": [{"name": "A"}]}, "exactly one of value and valueFrom"),
        ({"env": [{"name": "A", "valueFrom": {}}]}, "exactly one of secretKeyRef, configMapKeyRef and fieldRef"),
        ({"envFrom": [{}]}, "spec.envFrom[0]: exactly one of secretRef and configMapRef"),
        ({"handlr": "a:b"}, "spec.handlr: unknown field; did you mean handler?"),
        ({"scale": {"minimum": 1}}, "spec.scale.minimum: unknown field; did you mean min?"),
        ({"env": [{"name": "A", "val": "x"}]}, "spec.env[0].val: unknown field; did you mean value?"),
    ],
)
def test_what_is_wrong_is_named(spec: dict[str, Any], words: str) -> None:
    assert words in problems(manifest(**spec))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "Funktion"}, "expected faas.dev/v1alpha1 Function"),
        ({"apiVersion": "faas.dev/v1"}, "expected faas.dev/v1alpha1 Function"),
        ({"metadata": {"name": "Add"}}, "metadata.name"),
        ({"metadata": {"name": "a.b"}}, "metadata.name"),
        ({"metadata": {"name": "add", "namespace": "a/b"}}, "metadata.namespace"),
        ({"spec": None}, "spec"),
        ({"stats": {}}, "stats: unknown field; did you mean status?"),
    ],
)
def test_the_frame_is_checked_too(change: dict[str, Any], words: str) -> None:
    assert words in problems(manifest() | change)


def test_all_problems_come_at_once() -> None:
    found = problems(manifest(timeout="2h", scale={"min": 9, "max": 1}, env=[{"name": "FAAS_A", "value": ""}]))
    assert all(word in found for word in ("spec.timeout", "spec.scale", "FAAS_A"))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(["source", "env", "envFrom", "scale", "timeout", "handler", "image", "concurrency"])


@given(JSON | st.builds(lambda field, value: manifest(**{field: value}), FIELDS, JSON))
def test_any_document_is_read_or_refused_with_reasons(document: Any) -> None:
    try:
        function = decode_function(document)
    except InvalidResource as refusal:
        reasons = refusal.problems or [""]
    else:
        reasons = []
        assert decode_function(msgspec.to_builtins(function)) == function
    assert all(reasons)


def test_a_reader_tolerates_what_it_does_not_know() -> None:
    """A newer platform's fields do not blind an older service."""
    document = manifest(added="later") | {"status": {"phase": "x", "conditions": []}}
    assert msgspec.convert(document, Function).metadata.name == "add"
