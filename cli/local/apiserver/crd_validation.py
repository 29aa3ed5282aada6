"""What makes a CustomResourceDefinition valid: names, versions, and schemas that are structural."""

from typing import Any

from cli.local.apiserver import names
from cli.local.apiserver.fielderrors import FieldError, invalid_value, not_supported, required
from cli.local.apiserver.schema import compile_pattern

Json = dict[str, Any]

# What a keyword of a schema may hold.
_KEYWORDS: dict[str, Any] = {
    "type": str, "format": str, "description": str, "properties": dict, "required": list, "items": dict,
    "additionalProperties": dict | bool, "enum": list, "pattern": str, "minimum": int | float, "maximum": int | float,
    "multipleOf": int | float, "minLength": int, "maxLength": int, "minItems": int, "maxItems": int,
    "minProperties": int, "maxProperties": int, "allOf": list, "anyOf": list, "oneOf": list, "not": dict,
    "x-kubernetes-list-type": str, "x-kubernetes-list-map-keys": list, "x-kubernetes-map-type": str,
    "x-kubernetes-validations": list,
}  # fmt: skip
_NAMES: dict[type, str] = {str: "string", dict: "object"}


def definition_errors(obj: Json, old: Json | None) -> list[FieldError]:
    """Problems of a definition; `old` is the one before an update."""
    spec = obj.get("spec", {})
    found: list[FieldError] = []
    given = spec.get("names", {})
    expected = f"{given.get('plural', '')}.{spec.get('group', '')}"
    if obj["metadata"].get("name") != expected:
        detail = 'must be spec.names.plural+"."+spec.group'
        found.append(invalid_value("metadata.name", obj["metadata"].get("name", ""), detail))
    if not spec.get("group"):
        found.append(required("spec.group"))
    elif "." not in spec["group"]:
        found.append(invalid_value("spec.group", spec["group"], "should be a domain with at least one dot"))
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        if spec.get("scope"):
            found.append(not_supported("spec.scope", spec["scope"], ("Cluster", "Namespaced")))
        else:
            found.append(required("spec.scope"))
    for field in ("plural", "singular", "kind", "listKind"):
        if not given.get(field):
            found.append(required(f"spec.names.{field}"))
        else:
            name = given[field].lower() if field.lower().endswith("kind") else given[field]
            problems = names.service_problems(name)
            found += [invalid_value(f"spec.names.{field}", given[field], problem) for problem in problems]
    found += _version_errors(spec.get("versions", []))
    if old is not None:
        found += _immutable_errors(spec, old["spec"])
    return found


def _version_errors(versions: list[Json]) -> list[FieldError]:
    if not versions:
        return [required("spec.versions")]
    found: list[FieldError] = []
    if sum(bool(version.get("storage")) for version in versions) != 1:
        detail = "must have exactly one version marked as storage version"
        found.append(invalid_value("spec.versions", versions, detail))
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        if not version.get("name"):
            found.append(required(f"{path}.name"))
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        here = f"{path}.schema.openAPIV3Schema"
        if schema is None:
            found.append(required(here, "schemas are required"))
        else:
            found += _schema_errors(schema, here, root=True)
    return found


def _schema_errors(schema: Any, path: str, *, root: bool = False) -> list[FieldError]:
    """The rules that make a schema structural: every node typed, patterns that compile."""
    if not isinstance(schema, dict):
        return [invalid_value(path, schema, "must be a schema (an object)")]
    found = [
        invalid_value(f"{path}.{word}", schema[word], "is of a wrong type for this keyword")
        for word, types in _KEYWORDS.items()
        if schema.get(word) is not None and not isinstance(schema[word], types)
    ]
    if found:
        return found
    loose = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-int-or-string")
    if not schema.get("type") and not (loose and not root):
        found.append(required(f"{path}.type", "must not be empty at the root" if root else
                                          "must not be empty for specified object fields"))  # fmt: skip
    elif root and schema["type"] != "object":
        found.append(invalid_value(f"{path}.type", schema["type"], "must be object at the root"))
    if "pattern" in schema:
        try:
            compile_pattern(schema["pattern"])
        except ValueError as error:
            found.append(invalid_value(f"{path}.pattern", schema["pattern"], str(error)))
    if schema.get("type") == "array" and "items" not in schema:
        found.append(required(f"{path}.items", "must be specified"))
    for name, child in (schema.get("properties") or {}).items():
        found += _schema_errors(child, f"{path}.properties[{name}]")
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            found += _schema_errors(schema[word], f"{path}.{word}")
    for word, types in (("required", str), ("allOf", dict), ("anyOf", dict), ("oneOf", dict)):
        for index, item in enumerate(schema.get(word) or ()):
            if not isinstance(item, types):
                found.append(invalid_value(f"{path}.{word}[{index}]", item, f"must be of type {_NAMES[types]}"))
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        if not isinstance(rule, dict) or not isinstance(rule.get("rule"), str):
            found.append(required(f"{path}.x-kubernetes-validations[{index}].rule"))
    return found


def _immutable_errors(spec: Json, old: Json) -> list[FieldError]:
    found: list[FieldError] = []
    for path in ("group", "scope"):
        if spec.get(path) != old.get(path):
            found.append(invalid_value(f"spec.{path}", spec.get(path), "field is immutable"))
    for path in ("plural", "kind"):
        if spec["names"].get(path) != old["names"].get(path):
            found.append(invalid_value(f"spec.names.{path}", spec["names"].get(path), "field is immutable"))
    return found
