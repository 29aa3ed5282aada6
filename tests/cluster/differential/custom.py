"""Custom resources for the differential test: the project's own definitions, and one that uses what those do not."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.cluster.api import Object
from tests.cluster.differential.kinds import REMOVED, Edit, Kind

ROOT = Path(__file__).parents[3]

WIDGET_SPEC: Object = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 10, "format": "int32"},
        "ratio": {"type": "number", "exclusiveMinimum": True, "minimum": 0, "multipleOf": 0.5},
        "color": {"type": "string", "enum": ["red", "green"], "default": "red"},
        "code": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 5},
        "port": {"x-kubernetes-int-or-string": True},
        "nothing": {"type": "string", "nullable": True},
        "when": {"type": "string", "format": "date-time"},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "limits": {"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 3},
        "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set", "maxItems": 3},
        "parts": {
            "type": "array",
            "minItems": 1,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "count": {"type": "integer", "default": 1}},
            },
        },
        "mode": {"type": "object", "default": {}, "properties": {"fast": {"type": "boolean", "default": True}}},
        "replicas": {"type": "integer"},
    },
}

WIDGETS: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.test.faas.dev"},
    "spec": {
        "group": "test.faas.dev",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "shortNames": ["wd"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "spec": WIDGET_SPEC,
                            "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
                        },
                    }
                },
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
            }
        ],
    },
}


def widget(random: Random) -> Object:
    spec: Object = {"size": 1 + random.randrange(10), "code": "abc", "replicas": random.randrange(3)}
    optional: Object = {
        "ratio": 1.5,
        "port": random.choice([80, "http"]),
        "nothing": None,
        "when": "2026-01-02T03:04:05Z",
        "free": {"anything": [1, {"goes": None}]},
        "limits": {"cpu": 1},
        "tags": ["a", "b"],
        "parts": [{"name": "wheel"}, {"name": "axle", "count": 2}],
        "mode": {},
    }
    return {"spec": spec | {key: value for key, value in optional.items() if random.random() < 0.6}}


FULL_WIDGET: Object = {
    "size": 1,
    "ratio": 1.5,
    "color": "red",
    "code": "abc",
    "port": 80,
    "when": "2026-01-02T03:04:05Z",
    "limits": {"cpu": 1},
    "tags": ["a"],
    "parts": [{"name": "wheel"}],
    "mode": {"fast": False},
}


def function(random: Random) -> Object:
    spec: Object = {"source": {"inline": {"main.py": "def handle(event): return event"}}}
    optional: Object = {
        "handler": "main:handle",
        "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        "timeout": random.choice(["5s", "1m", "1h"]),
        "concurrency": 1 + random.randrange(50),
        "scale": {"min": random.randrange(2), "max": 2 + random.randrange(9)},
        "coldStart": random.choice(["Return", "Wait"]),
        "resources": {"limits": {"memory": "128Mi"}},
    }
    return {"spec": spec | {key: value for key, value in optional.items() if random.random() < 0.6}}


FUNCTION_RULES: list[Edit] = [  # what only the CEL rules of the definition refuse
    ("source and image", "spec.image", "localhost/x"),
    ("neither source nor image", "spec.source", REMOVED),
    ("two sources", "spec.source", {"inline": {"main.py": ""}, "archive": "0" * 64}),
    ("no source in the source", "spec.source", {}),
    ("min above max", "spec.scale", {"min": 5, "max": 2}),
    ("too long a timeout", "spec.timeout", "2h"),
    ("a platform's variable", "spec.env", [{"name": "FAAS_X", "value": "1"}]),
    ("a variable with two values", "spec.env", [{"name": "A", "value": "1", "valueFrom": {"fieldRef": {}}}]),
    ("a dotted name", "metadata.name", "a.b"),
]


def definition() -> Object:
    document = {"dsl": "1.0.3", "namespace": "default", "name": "x", "version": "0.1.0", "tags": {"a": None}}
    return {"document": document, "do": [{"greet": {"set": {"x": [1.5, None, {"y": ""}]}}}], "schedule": {"every": {}}}


def workflow(random: Random) -> Object:
    given: Object = {"input": random.choice([None, 1, "text", [], {"a": [None]}, True])}
    return {"spec": {"definition": definition()} | (given if random.random() < 0.7 else {})}


WORKFLOW_RULES: list[Edit] = [
    ("another name in the definition", "spec.definition.document.name", "other"),
    ("a dotted name", "metadata.name", "a.b"),
    ("no document", "spec.definition.document", REMOVED),
]


def definitions() -> list[Object]:
    """Returns the CustomResourceDefinitions to create first: those of deploy/crds, and WIDGETS."""
    files = sorted((ROOT / "deploy/crds").glob("*.yaml"))
    return [yaml.safe_load(file.read_text()) for file in files] + [WIDGETS]


def spec_schema(name: str) -> Object:
    """Returns the schema of `spec` of the definition called `name`."""
    (definition,) = (each for each in definitions() if each["metadata"]["name"] == name)
    schema: Object = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


def bad_values(schema: Object, value: Any, path: str) -> Iterator[Edit]:
    """Yields edits of `value`, valid by `schema`, that each break one rule of the schema."""
    wrong_type: Any = {"string": 7, "integer": "seven", "number": "x", "boolean": "yes", "array": {}, "object": [1]}
    kind = schema.get("type", "")
    yield f"{path} of a wrong type", path, wrong_type.get(kind, [1])
    yield f"null {path}", path, None
    for rule, broken in (
        ("enum", "none of them"),
        ("pattern", "!!!"),
        ("minLength", ""),
        ("maxLength", "a" * (schema.get("maxLength", 0) + 1)),
        ("minimum", schema.get("minimum", 0) - 1),
        ("maximum", schema.get("maximum", 0) + 1),
        ("multipleOf", 0.3),
        ("format", "no such format" if kind == "string" else 2**70),
        ("minItems", []),
        ("maxItems", ["a", "b", "c", "d"]),
        ("maxProperties", {"a": 1, "b": 2, "c": 3, "d": 4}),
    ):
        if rule in schema:
            yield f"{path} against {rule}", path, broken
    if schema.get("x-kubernetes-list-type") in ("set", "map"):
        yield f"{path} with a duplicate", path, [value[0], value[0]]
    yield from bad_parts(schema, value, path)


def bad_parts(schema: Object, value: Any, path: str) -> Iterator[Edit]:
    if isinstance(value, list):
        yield from bad_values(schema["items"], value[0], f"{path}.0")
    if not isinstance(value, dict):
        return
    for name in schema.get("required", []):
        yield f"{path} without {name}", f"{path}.{name}", REMOVED
    if "properties" in schema:
        yield f"an unknown field in {path}", f"{path}.surprise", {"a": 1}
    for name, part in value.items():
        if inner := schema.get("properties", {}).get(name, schema.get("additionalProperties")):
            yield from bad_values(inner, part, f"{path}.{name}")


def full_function() -> Object:
    archive = {"archive": "0" * 64}
    scale = {"min": 0, "max": 3, "target": 70, "window": "60s", "panicWindow": "6s", "scaleToZeroAfter": "1m"}
    environment = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}}]
    rest = {"handler": "main:handle", "timeout": "5s", "concurrency": 5, "coldStart": "Wait", "idempotent": True}
    return {"runtime": "python", "source": archive, "env": environment, "scale": scale, **rest}


CUSTOM_KINDS = [
    Kind(
        "Widget",
        "test.faas.dev/v1",
        "widgets",
        widget,
        changes=[{"spec": {"size": 3}}, {"spec": {"color": None}}, {"spec": {"parts": [{"name": "x"}]}}],
        strategic=[{"spec": {"size": 2}}],
        invalid=list(bad_values(WIDGET_SPEC, FULL_WIDGET, "spec")),
        base={"spec": FULL_WIDGET},
        status={"replicas": 2},
        scale=True,
    ),
    Kind(
        "Function",
        "faas.dev/v1alpha1",
        "functions",
        function,
        changes=[{"spec": {"concurrency": 3}}, {"spec": {"timeout": None}}, {"spec": {"scale": {"max": 9}}}],
        invalid=[*bad_values(spec_schema("functions.faas.dev"), full_function(), "spec"), *FUNCTION_RULES],
        base={"spec": full_function()},
        status={"replicas": 1, "conditions": [{"type": "Ready", "status": "True", "reason": "Ready"}]},
    ),
    Kind(
        "Workflow",
        "faas.dev/v1alpha1",
        "workflows",
        workflow,
        changes=[{"spec": {"input": 1}}, {"spec": {"input": None}}, {"spec": {"definition": {"schedule": None}}}],
        invalid=[
            *bad_values(spec_schema("workflows.faas.dev"), {"definition": definition(), "input": 1}, "spec"),
            *WORKFLOW_RULES,
        ],
        base={"spec": {"definition": definition(), "input": None}},
        status={"version": "0.1.0", "conditions": [{"type": "Accepted", "status": "True", "reason": "Accepted"}]},
        named="spec.definition.document.name",
    ),
]
