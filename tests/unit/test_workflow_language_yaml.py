"""YAML 1.2: the core schema, and what is refused: keys twice, bombs, other tags, what JSON can't carry."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.workflow import InvalidWorkflow, load_yaml
from services.contracts.workflow.limits import MAX_BYTES, MAX_DEPTH, MAX_NODES


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("TRUE", True),
        ("False", False),
        ("fALSE", "fALSE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("nUll", "nUll"),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("+12", 12),
        ("-3", -3),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("12:30:45", "12:30:45"),
        ("2026-01-01", "2026-01-01"),
        ("=", "="),
        ('"true"', "true"),
        ("'017'", "017"),
        ("|\n  12\n", "12\n"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("!!int 12", 12),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
    ],
)
def test_scalars_are_those_of_the_core_schema(text: str, value: Any) -> None:
    read = load_yaml(text)
    assert (read, type(read)) == (value, type(value))


def test_keys_are_texts_and_on_is_one() -> None:
    assert load_yaml("on: 1\nyes: 2\n200: ok\ntrue: a\nnull: b\n1.5: c") == {
        "on": 1,
        "yes": 2,
        "200": "ok",
        "true": "a",
        "null": "b",
        "1.5": "c",
    }


def test_aliases_stand_for_their_anchors() -> None:
    assert load_yaml("a: &x {k: [1]}\nb: *x\nc: [*x, *x]") == {
        "a": {"k": [1]},
        "b": {"k": [1]},
        "c": [{"k": [1]}, {"k": [1]}],
    }
    assert load_yaml("a: &x 1\nb: &x 2\nc: *x") == {"a": 1, "b": 2, "c": 2}


BOMB = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\nb: 2\na: 3", "the key 'a' twice at line 3, column 1"),
        ("1: a\n'1': b", "the key '1' twice"),
        ("{a: 1, a: 1}", "the key 'a' twice"),
        (BOMB, "values, aliases counted each time at line 6"),
        ("a: &a [*a]", "*a inside itself"),
        ("a: *b", "the alias *b at line 1, column 4"),
        ("[" * 200 + "]" * 200, f"more than {MAX_DEPTH} nested levels"),
        ("- " * 200 + "x", f"more than {MAX_DEPTH} nested levels"),
        ("a: &x [" + "1," * 100 + "]\nb: [" + "*x," * 600 + "]", f"more than {MAX_NODES} values"),
        ("a: " + "x" * MAX_BYTES, f"{MAX_BYTES + 3} bytes"),
        ("<<: {a: 1}", "the merge key <<"),
        ("? [a]\n: b", "a key that is not a plain text"),
        (": b", "an empty key"),
        ("a: !!binary aGk=", "the tag tag:yaml.org,2002:binary"),
        ("a: !!python/object:os.system x", "the tag tag:yaml.org,2002:python/object:os.system"),
        ("a: !secret x", "the tag !secret"),
        ("a: !!int x", "!!int on 'x'"),
        ("a: !!map [1]", "the tag !!map on something else"),
        ("a: 1\n---\nb: 2", "a second document at line 2"),
        ("%YAML 1.1\n---\na: yes", "a %YAML directive of another version"),
        ("a: .inf", "the number .inf"),
        ("a: .NaN", "the number .NaN"),
        ("a: 1e999", "the number 1e999"),
        ("a: 18446744073709551616", "the number 18446744073709551616"),
        ("a: " + "9" * 5000, "the number 99999"),
        ('a: "\\ud800"', "half of a surrogate pair"),
        ("a: [1", "line 1"),
        ("a: b: c", "line 1, column 5"),
        ("a:\n\t- b", "line 2"),
        ("\x00", "unacceptable character"),
        (b"\xff\xfe\xff", "a byte that is not UTF-8"),
    ],
)
def test_what_is_refused_says_where(text: str | bytes, found: str) -> None:
    with pytest.raises(InvalidWorkflow) as refused:
        load_yaml(text)
    (problem,) = refused.value.problems
    assert problem.kind == "syntax"
    assert found in problem.found
    assert len(str(problem)) < 400


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(_JSON)
def test_json_is_read_as_json(value: Any) -> None:
    read = load_yaml(json.dumps(value))
    assert read == value


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = load_yaml(text)
    except InvalidWorkflow:
        return
    assert not isinstance(value, float) or math.isfinite(value)
    json.dumps(value, allow_nan=False)
