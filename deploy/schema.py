"""OpenAPI v3 schemas, structural as CustomResourceDefinitions want them, from the structs of the contracts.

Source of the rules: Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions", section "Specifying a
structural schema".
"""

import inspect as python_inspect
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import NODEFAULT, UNSET, inspect

Schema = dict[str, Any]
Rule = dict[str, str]
_LIMITS = {
    "ge": "minimum",
    "le": "maximum",
    "pattern": "pattern",
    "min_length": "minLength",
    "max_length": "maxLength",
}


def structural(type_: Any, rules: Mapping[type, list[Rule]]) -> Schema:
    """The schema of ``type_``; ``rules`` adds CEL validations to the schemas of the structs that are its keys.

    Raises TypeError for a type that has no form in a structural schema.
    """
    return _schema(inspect.type_info(type_), rules)


def _schema(info: inspect.Type, rules: Mapping[type, list[Rule]]) -> Schema:
    if isinstance(info, inspect.Metadata):
        return _schema(info.type, rules)
    if isinstance(info, inspect.UnionType):
        return _schema(_only(info), rules)
    if isinstance(info, inspect.StructType):
        return _object(info, rules)
    if isinstance(info, inspect.ListType):
        return {"type": "array", "items": _schema(info.item_type, rules)}
    if isinstance(info, inspect.DictType):
        return {"type": "object", "additionalProperties": _schema(info.value_type, rules)}
    if isinstance(info, inspect.LiteralType):
        return {"type": "string", "enum": list(info.values)}
    if isinstance(info, inspect.BoolType):
        return {"type": "boolean"}
    if isinstance(info, inspect.IntType):
        return {"type": "integer", "format": "int64", **_limits(info)}
    if isinstance(info, inspect.StrType):
        return {"type": "string", **_limits(info)}
    if isinstance(info, inspect.AnyType):
        return {"x-kubernetes-preserve-unknown-fields": True, "nullable": True}
    raise TypeError(f"{info} has no form in a structural schema")


def _only(info: inspect.UnionType) -> inspect.Type:
    """The one type beside None: absence is how a resource says None."""
    others = [part for part in info.types if not isinstance(part, inspect.NoneType)]
    if len(others) != 1:
        raise TypeError(f"{info}: a structural schema knows no union")
    return others[0]


def _object(info: inspect.StructType, rules: Mapping[type, list[Rule]]) -> Schema:
    schema: Schema = {"type": "object"}
    if info.cls.__doc__:
        schema["description"] = python_inspect.cleandoc(info.cls.__doc__)
    schema["properties"] = {field.encode_name: _property(field, rules) for field in info.fields}
    required = [field.encode_name for field in info.fields if field.required]
    if required:
        schema["required"] = required
    if info.cls in rules:
        schema["x-kubernetes-validations"] = rules[info.cls]
    return schema


def _property(field: inspect.Field, rules: Mapping[type, list[Rule]]) -> Schema:
    schema = _schema(field.type, rules)
    default = field.default
    if default is NODEFAULT and field.default_factory is not NODEFAULT:
        default = field.default_factory()
    if isinstance(default, msgspec.Struct):
        # written out: the API server judges a default by the rules before it fills in those of the fields
        parts = schema["properties"].items()
        return {**schema, "default": {name: part["default"] for name, part in parts if "default" in part}}
    if default in (NODEFAULT, UNSET) or default is None or default is False or default in ("", [], {}):
        return schema  # absent says the same
    return {**schema, "default": default}


def _limits(info: inspect.IntType | inspect.StrType) -> Schema:
    found = ((word, getattr(info, name, None)) for name, word in _LIMITS.items())
    return {word: value for word, value in found if value is not None}
