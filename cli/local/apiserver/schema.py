"""Structural schemas: what a resource's fields are, compiled from OpenAPI v3 schemas, and pruning and defaulting by
them.

Built-in kinds (typetable.py) and custom resources use the same representation. Validation is in validation.py.
Source of the rules: Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions".
"""

import copy
import re
from typing import Any

Json = dict[str, Any]


class Schema:
    """One node of a compiled schema. Attributes are None or empty where the schema says nothing."""

    __slots__ = (
        "additional", "alternatives", "always", "default", "description", "embedded", "enum", "exclusive_maximum",
        "exclusive_minimum", "format", "go_type", "has_default", "has_rules", "int_or_string", "items", "list_type",
        "map_keys", "map_type", "max_items", "max_length", "max_properties", "maximum", "merge_key", "min_items",
        "min_length", "min_properties", "minimum", "multiple_of", "needs_defaults", "nullable", "omit_empty",
        "pattern", "pattern_text", "preserve", "properties", "required", "rules", "source",
        "strategy_merge", "type",
    )  # fmt: skip

    def __init__(self, source: Json) -> None:
        get = source.get
        self.source = source
        self.type: str = get("type", "")
        self.format: str = get("format", "")
        self.go_type: str = get("x-go-type", "")
        self.description: str = get("description", "")
        self.nullable: bool = bool(get("nullable"))
        self.preserve: bool = bool(get("x-kubernetes-preserve-unknown-fields"))
        self.embedded: bool = bool(get("x-kubernetes-embedded-resource"))
        self.int_or_string: bool = bool(get("x-kubernetes-int-or-string"))
        self.has_default: bool = "default" in source
        self.default: Any = get("default")
        self._compile_children(source)
        self._compile_limits(source)
        self.list_type: str = get("x-kubernetes-list-type", "atomic")
        self.map_keys: tuple[str, ...] = tuple(get("x-kubernetes-list-map-keys", ()))
        self.map_type: str = get("x-kubernetes-map-type", "granular")
        self.merge_key: str = get("x-kubernetes-patch-merge-key", "")
        strategy = get("x-kubernetes-patch-strategy", "").split(",")
        self.strategy_merge: bool = "merge" in strategy
        self.omit_empty: bool = bool(get("x-faas-omit-empty"))
        self.always: list[tuple[str, Schema]] = [
            (name, self.properties[name])
            for name, child in (get("properties") or {}).items()
            if child.get("x-faas-always")
        ]
        self.rules: list[Json] = get("x-kubernetes-validations") or []
        children = [*self.properties.values(), self.items, self.additional]
        self.needs_defaults: bool = any(c is not None and (c.has_default or c.needs_defaults) for c in children)
        self.has_rules: bool = bool(self.rules) or any(c is not None and c.has_rules for c in children)

    def _compile_children(self, source: Json) -> None:
        get = source.get
        self.properties: dict[str, Schema] = {n: compile_schema(s) for n, s in (get("properties") or {}).items()}
        self.required: tuple[str, ...] = tuple(get("required") or ())
        additional = get("additionalProperties")
        if additional is True:
            additional = {"x-kubernetes-preserve-unknown-fields": True}
        self.additional: Schema | None = compile_schema(additional) if isinstance(additional, dict) else None
        items = get("items")
        self.items: Schema | None = compile_schema(items) if isinstance(items, dict) else None
        self.alternatives: dict[str, list[Schema]] = {
            word: [compile_schema(s) for s in source[word]] for word in ("allOf", "anyOf", "oneOf") if get(word)
        }
        if get("not"):
            self.alternatives["not"] = [compile_schema(source["not"])]

    def _compile_limits(self, source: Json) -> None:
        get = source.get
        self.enum: list[Any] | None = get("enum")
        self.pattern_text: str | None = get("pattern")
        self.pattern = compile_pattern(self.pattern_text) if self.pattern_text is not None else None
        self.minimum: float | None = get("minimum")
        self.maximum: float | None = get("maximum")
        self.exclusive_minimum: bool = bool(get("exclusiveMinimum"))
        self.exclusive_maximum: bool = bool(get("exclusiveMaximum"))
        self.multiple_of: float | None = get("multipleOf")
        self.min_length: int | None = get("minLength")
        self.max_length: int | None = get("maxLength")
        self.min_items: int | None = get("minItems")
        self.max_items: int | None = get("maxItems")
        self.min_properties: int | None = get("minProperties")
        self.max_properties: int | None = get("maxProperties")

    def child(self, name: str) -> "Schema | None":
        """The schema of a field or map value called `name`."""
        return self.properties.get(name) or self.additional


def compile_schema(source: Json) -> Schema:
    """Compile an OpenAPI v3 schema; raises ValueError when a pattern is no regular expression."""
    return Schema(source)


def compile_pattern(text: str) -> re.Pattern[str]:
    """Compile a pattern of Go's RE2 syntax, where `$` and `\\z` mean the very end, unlike in Python."""
    try:
        return re.compile(re.sub(r"(?<!\\)((?:\\\\)*)(?:\$|\\z)(?=$|\||\))", r"\1\\Z", text))
    except re.error as error:
        raise ValueError(f"pattern {text!r}: {error}") from None


ANY = compile_schema({"x-kubernetes-preserve-unknown-fields": True})


def prune(schema: Schema, value: Any, path: str = "") -> list[str]:
    """Remove from `value`, in place, the fields that the schema does not know; return their paths."""
    unknown: list[str] = []
    _prune(schema, value, path, unknown)
    return unknown


def _prune(schema: Schema, value: Any, path: str, unknown: list[str]) -> None:
    if type(value) is dict:
        properties, additional = schema.properties, schema.additional
        doomed: list[str] = []
        for name, item in value.items():
            child = properties.get(name) or additional
            if child is not None:
                if type(item) is dict or type(item) is list:
                    _prune(child, item, f"{path}.{name}" if path else name, unknown)
            elif not schema.preserve and not (schema.embedded and name in ("apiVersion", "kind", "metadata")):
                doomed.append(name)
        for name in doomed:
            del value[name]
            unknown.append(f"{path}.{name}" if path else name)
    elif type(value) is list and schema.items is not None:
        for index, item in enumerate(value):
            if type(item) is dict or type(item) is list:
                _prune(schema.items, item, f"{path}[{index}]", unknown)


def apply_defaults(schema: Schema, value: Any) -> None:
    """Set defaults in `value`, in place, wherever their parent exists."""
    if not schema.needs_defaults:
        return
    if type(value) is dict:
        for name, child in schema.properties.items():
            present = name in value
            if child.has_default and not present:
                value[name] = copy.deepcopy(child.default)
                present = True
            if present and child.needs_defaults:
                apply_defaults(child, value[name])
        if schema.additional is not None:
            for name, item in value.items():
                if name not in schema.properties:
                    apply_defaults(schema.additional, item)
    elif type(value) is list and schema.items is not None:
        for item in value:
            apply_defaults(schema.items, item)


def drop_nulls(schema: Schema, value: Any) -> None:
    """Remove, in place, null fields that may not be null: they count as absent, so that defaults apply to them."""
    if type(value) is dict:
        doomed: list[str] = []
        for name, item in value.items():
            child = schema.properties.get(name) or schema.additional
            if child is None:
                continue
            if item is None:
                if not child.nullable and (child.type or child.int_or_string):
                    doomed.append(name)
            elif type(item) is dict or type(item) is list:
                drop_nulls(child, item)
        for name in doomed:
            del value[name]
    elif type(value) is list and schema.items is not None:
        for item in value:
            drop_nulls(schema.items, item)
