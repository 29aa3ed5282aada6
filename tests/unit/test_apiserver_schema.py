"""Structural schemas: pruning, defaults, validation in the real wording, built-in types, quantities and rules."""

import copy
import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.local.apiserver import quantity, rules
from cli.local.apiserver.builtin import TYPES
from cli.local.apiserver.cel import compile_rule
from cli.local.apiserver.cel_functions import CelError
from cli.local.apiserver.coerce import CoercionError, coerce
from cli.local.apiserver.schema import apply_defaults, compile_pattern, compile_schema, drop_nulls, prune
from cli.local.apiserver.validation import validate

SCHEMA = compile_schema(
    {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 5, "pattern": "^[a-z]*$"},
            "size": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 9, "default": 3},
            "ratio": {"type": "number", "exclusiveMinimum": True, "minimum": 0},
            "mode": {"type": "string", "enum": ["fast", "safe"]},
            "port": {"x-kubernetes-int-or-string": True},
            "maybe": {"type": "string", "nullable": True},
            "tags": {"type": "array", "maxItems": 2, "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "parts": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["id"],
                "items": {
                    "type": "object",
                    "properties": {"id": {"type": "string"}, "on": {"type": "boolean", "default": True}},
                },
            },
            "limits": {"type": "object", "maxProperties": 1, "additionalProperties": {"type": "integer"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "when": {"type": "string", "format": "date-time"},
            "inner": {"type": "object", "default": {}, "properties": {"deep": {"type": "string", "default": "x"}}},
        },
    }
)

MESSAGES: list[tuple[Any, list[str]]] = [
    ({"name": "abc", "size": 3, "port": "http", "maybe": None, "free": {"any": [1]}}, []),
    ({}, ["name: Required value"]),
    ({"name": 3}, ['name: Invalid value: "integer": name in body must be of type string: "integer"']),
    ({"name": None}, ['name: Invalid value: "null": name in body must be of type string: "null"']),
    ({"name": ""}, ['name: Invalid value: "": name in body should be at least 1 chars long']),
    ({"name": "abcdef"}, ["name: Too long: may not be more than 5 bytes"]),
    ({"name": "A"}, ["name: Invalid value: \"A\": name in body should match '^[a-z]*$'"]),
    ({"name": "a", "size": 0}, ["size: Invalid value: 0: size in body should be greater than or equal to 1"]),
    ({"name": "a", "size": 10}, ["size: Invalid value: 10: size in body should be less than or equal to 9"]),
    ({"name": "a", "size": 1.5}, ['size: Invalid value: "number": size in body must be of type integer: "number"']),
    ({"name": "a", "size": True}, ['size: Invalid value: "boolean": size in body must be of type integer: "boolean"']),
    ({"name": "a", "size": 2**40}, ['size: Invalid value: "int64": size in body must be of type int32: "int64"']),
    ({"name": "a", "ratio": 0}, ["ratio: Invalid value: 0: ratio in body should be greater than 0"]),
    ({"name": "a", "mode": "x"}, ['mode: Unsupported value: "x": supported values: "fast", "safe"']),
    (
        {"name": "a", "port": 1.5},
        ['port: Invalid value: "number": port in body must be of type integer,string: "number"'],
    ),
    ({"name": "a", "tags": ["x", "y", "z"]}, ["tags: Too many: 3: must have at most 2 items"]),
    ({"name": "a", "tags": ["x", "x"]}, ['tags[1]: Duplicate value: "x"']),
    ({"name": "a", "parts": [{"id": "p"}, {"id": "p"}]}, ['parts[1]: Duplicate value: {"id":"p"}']),
    ({"name": "a", "limits": {"a": 1, "b": 2}}, ["limits: Too many: 2: must have at most 1 item"]),
    (
        {"name": "a", "limits": {"a": "x"}},
        ['limits.a: Invalid value: "string": limits.a in body must be of type integer: "string"'],
    ),
    ({"name": "a", "when": "noon"}, ['when: Invalid value: "noon": when in body must be of type date-time: "noon"']),
]


@pytest.mark.parametrize(("value", "expected"), MESSAGES)
def test_messages(value: Any, expected: list[str]) -> None:
    assert [str(error) for error in validate(SCHEMA, value)] == expected


def test_pruning_names_what_it_removes() -> None:
    value = {
        "name": "a",
        "extra": 1,
        "inner": {"deep": "y", "more": 2},
        "parts": [{"id": "p", "q": 3}],
        "free": {"kept": 1},
    }
    assert sorted(prune(SCHEMA, value)) == ["extra", "inner.more", "parts[0].q"]
    assert value == {"name": "a", "inner": {"deep": "y"}, "parts": [{"id": "p"}], "free": {"kept": 1}}


def test_defaults_reach_into_lists_and_defaulted_objects() -> None:
    value: Any = {"parts": [{"id": "p"}], "size": None}
    drop_nulls(SCHEMA, value)
    apply_defaults(SCHEMA, value)
    assert value == {"parts": [{"id": "p", "on": True}], "size": 3, "inner": {"deep": "x"}}
    value["inner"]["deep"] = "changed"
    again: Any = {}
    apply_defaults(SCHEMA, again)
    assert again["inner"] == {"deep": "x"}, "a default was shared between objects"


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda i: st.lists(i) | st.dictionaries(st.text("ab"), i), max_leaves=8
    )
)
def test_what_is_pruned_and_defaulted_once_stays_as_it_is(value: Any) -> None:
    if not isinstance(value, dict):
        return
    prune(SCHEMA, value)
    drop_nulls(SCHEMA, value)
    apply_defaults(SCHEMA, value)
    once = copy.deepcopy(value)
    assert prune(SCHEMA, value) == []
    drop_nulls(SCHEMA, value)
    apply_defaults(SCHEMA, value)
    assert value == once


@pytest.mark.parametrize(
    ("pattern", "text", "matches"), [("^a$", "a\n", False), ("a$|b", "xa", True), (r"^\$$", "$", True)]
)
def test_dollar_means_the_very_end_as_in_go(pattern: str, text: str, matches: bool) -> None:
    assert (compile_pattern(pattern).search(text) is not None) is matches


def test_built_in_types_decode_as_in_go() -> None:
    pod: Any = {
        "metadata": {"name": "a", "labels": {}, "creationTimestamp": None},
        "spec": {
            "containers": [
                {
                    "name": "c",
                    "env": [{"name": "X", "value": ""}],
                    "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}},
                }
            ],
            "hostNetwork": False,
            "terminationGracePeriodSeconds": 0,
            "surprise": 1,
        },
        "status": {"startTime": "2026-01-02T03:04:05+02:00"},
    }
    assert coerce(TYPES.compiled("Pod"), pod) == ["spec.surprise"]
    limits = {"cpu": "500m", "memory": "1Gi"}
    assert pod == {
        "metadata": {"name": "a"},
        "spec": {
            "containers": [{"name": "c", "env": [{"name": "X"}], "resources": {"limits": limits}}],
            "terminationGracePeriodSeconds": 0,
        },
        "status": {"startTime": "2026-01-02T01:04:05Z"},
    }


@pytest.mark.parametrize(
    ("kind", "obj", "message"),
    [
        (
            "Pod",
            {"spec": {"containers": "x"}},
            "cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            "Pod",
            {"spec": {"hostNetwork": 1}},
            "cannot unmarshal number into Go struct field PodSpec.spec.hostNetwork of type bool",
        ),
        ("Pod", {"metadata": 1}, "cannot unmarshal number into Go struct field Pod.metadata of type v1.ObjectMeta"),
        ("Secret", {"data": {"a": "%"}}, "illegal base64 data at input byte 0"),
        ("Lease", {"spec": {"renewTime": "soon"}}, 'parsing time "soon" as "2006-01-02T15:04:05.000000Z07:00"'),
        (
            "Pod",
            {"spec": {"containers": [{"resources": {"limits": {"cpu": "x"}}}]}},
            "quantities must match the regular expression",
        ),
    ],
)
def test_built_in_types_refuse(kind: str, obj: Any, message: str) -> None:
    with pytest.raises(CoercionError, match=re.escape(message)):
        coerce(TYPES.compiled(kind), obj)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("1000m", "1"), ("0.5", "500m"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("128Mi", "128Mi"), ("1e3", "1e3"),
     ("0", "0"),
     ("100", "100"), ("1000", "1k"), ("-2", "-2"), ("0.1Ki", "102400m")],
)  # fmt: skip
def test_quantities_are_written_in_their_shortest_form(text: str, canonical: str) -> None:
    assert quantity.canonical(text) == canonical
    assert quantity.parse(canonical) == quantity.parse(text)


@given(st.integers(0, 10**12), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi"]))
def test_canonical_quantities_keep_their_value(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    assert quantity.parse(quantity.canonical(text)) == quantity.parse(text)
    assert quantity.canonical(quantity.canonical(text)) == quantity.canonical(text)
    assert isinstance(quantity.parse(text), Fraction)


RULES: list[tuple[str, Any, Any]] = [
    ("(has(self.a) ? 1 : 0) + (has(self.b) ? 1 : 0) == 1", {"a": 1}, True),
    ("(has(self.a) ? 1 : 0) + (has(self.b) ? 1 : 0) == 1", {"a": 1, "b": 2}, False),
    ("self.min <= self.max", {"min": 2, "max": 1}, False),
    ("!self.name.startsWith('FAAS_')", {"name": "FAAS_X"}, False),
    ("!self.t.matches('^[0-9]+s$') || duration(self.t) <= duration('3600s')", {"t": "4000s"}, False),
    ("!self.t.matches('^[0-9]+s$') || duration(self.t) <= duration('3600s')", {"t": "x"}, True),
    ("self.all(k, self[k] > 0) && size(self) == 2", {"a": 1, "b": 2}, True),
    ("self.l.exists(x, x == 'b') && !('z' in self.l)", {"l": ["a", "b"]}, True),
    ("self.l.map(x, x * 2) == [2, 4] && self.l.filter(x, x > 1) == [2]", {"l": [1, 2]}, True),
    ("self.l.exists_one(x, x > 1)", {"l": [1, 2, 3]}, False),
    ("-7 / 2 == -3 && -7 % 2 == -1 && 7 / 2 == 3", {}, True),
    ("has(self.missing.inner) || true", {}, True),
    ("self.d__dash__e == 1", {"d-e": 1}, True),
    ("self.m['k'] == \"v\" && self.l[0] == 1", {"m": {"k": "v"}, "l": [1]}, True),
]


@pytest.mark.parametrize(("rule", "value", "expected"), RULES)
def test_validation_rules(rule: str, value: Any, expected: Any) -> None:
    assert compile_rule(rule)({"self": value}) is expected


@pytest.mark.parametrize(
    "rule", ["self.a ==", "self.a = 1", "unknown(self)", "self.a.unknown()", "1 +", "'a", "has(1)"]
)
def test_rules_that_do_not_compile(rule: str) -> None:
    with pytest.raises(CelError):
        compile_rule(rule)


def test_rules_speak_with_their_message_and_path_and_wait_for_valid_types() -> None:
    schema = compile_schema(
        {
            "type": "object",
            "properties": {
                "size": {"type": "integer"},
                "inner": {
                    "type": "object",
                    "properties": {"a": {"type": "integer"}},
                    "x-kubernetes-validations": [{"rule": "self.a < 5", "message": "a is too large"}],
                },
            },
            "x-kubernetes-validations": [
                {"rule": "self.size >= oldSelf.size", "messageExpression": "'not below ' + string(oldSelf.size)"}
            ],
        }
    )
    assert [str(e) for e in rules.check(schema, {"inner": {"a": 7}}, None, [])] == [
        "inner: Invalid value: a is too large"
    ]
    shrunk = rules.check(schema, {"size": 1}, {"size": 2}, [])
    assert [e.body() for e in shrunk] == ["Invalid value: not below 2"]
    blocked = rules.check(schema, {"inner": {"a": "x"}}, None, validate(schema, {"inner": {"a": "x"}}))
    assert [e.field for e in blocked] == ["<nil>"]
    unknown = compile_schema({"type": "object", "x-kubernetes-validations": [{"rule": "self.a.frobnicate()"}]})
    assert "frobnicate" in rules.unknown_rules(unknown)[0]
    assert rules.check(unknown, {"a": 1}, None, []) == []
