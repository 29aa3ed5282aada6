"""Reads the compact tables of built-in types (builtin_meta.py, builtin_pod.py, builtin_kinds.py) into structural
schemas.

A table is text. A line without indentation opens a type; an indented one is a field: `name type [hint …]`. Types are
`string`, `bool`, `int32`, `int64`, `Quantity`, `IntOrString`, `Time`, `MicroTime`, `bytes`, `any`, `[]T`,
`map[string]T`, or a type of the tables. Hints: `key=a` (strategic merge patch and apply merge the list by `a`),
`keys=a,b` (apply by both, strategic merge by the first), `set` (a list merged as a set), `retain` (strategic merge
drops what the patch's item does not name), `one` (apply treats the map or object as one value).
"""

from typing import Any

from cli.local.apiserver.schema import Schema, compile_schema

Json = dict[str, Any]

_SCALARS: dict[str, Json] = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "bytes": {"type": "string", "format": "byte", "x-go-type": "[]byte"},
    "Time": {"type": "string", "format": "date-time", "x-go-type": "v1.Time"},
    "MicroTime": {"type": "string", "format": "date-time", "x-go-type": "v1.MicroTime"},
    "Quantity": {"type": "string", "x-go-type": "resource.Quantity"},
    "IntOrString": {"x-kubernetes-int-or-string": True, "x-go-type": "intstr.IntOrString"},
    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "anything": {"x-kubernetes-preserve-unknown-fields": True},
}


class TypeTable:
    """Types by name, each expanded once and shared."""

    def __init__(self, *texts: str) -> None:
        self._lines: dict[str, list[list[str]]] = {}
        self._types: dict[str, Json] = {}
        self._compiled: dict[str, Schema] = {}
        for text in texts:
            self._read(text)

    def names(self) -> list[str]:
        return list(self._lines)

    def source(self, name: str) -> Json:
        """The type as an OpenAPI v3 schema. Raises KeyError for a type that no table has."""
        found = _SCALARS.get(name) or self._types.get(name)
        if found is None:
            properties: Json = {}
            found = {"type": "object", "x-go-type": name, "properties": properties}
            self._types[name] = found
            for field, kind, *hints in self._lines[name]:
                properties[field] = self._field(kind, hints)
        return found

    def compiled(self, name: str) -> Schema:
        if name not in self._compiled:
            self._compiled[name] = compile_schema(self.source(name))
        return self._compiled[name]

    def _read(self, text: str) -> None:
        fields: list[list[str]] = []
        for line in text.splitlines():
            words = line.split()
            if words and not line[0].isspace():
                fields = self._lines.setdefault(words[0], [])
            elif words:
                fields.append(words)

    def _field(self, kind: str, hints: list[str]) -> Json:
        if kind.endswith("!"):
            return self._plain_field(kind[:-1], hints) | {"x-faas-always": True}
        if kind.endswith("?") or kind in ("IntOrString", "any", "anything") or kind in self._lines:
            return self._plain_field(kind.removesuffix("?"), hints)
        return self._plain_field(kind, hints) | {"x-faas-omit-empty": True}

    def _plain_field(self, kind: str, hints: list[str]) -> Json:
        if kind.startswith("[]"):
            return {"type": "array", "items": self._plain_field(kind[2:], []), "x-go-type": _go(kind)} | _list_hints(
                hints
            )
        if kind.startswith("map[string]"):
            additional = self._plain_field(kind.removeprefix("map[string]"), [])
            schema = {"type": "object", "additionalProperties": additional, "x-go-type": _go(kind)}
            return schema | ({"x-kubernetes-map-type": "atomic"} if "one" in hints else {})
        source = self.source(kind)
        return source | {"x-kubernetes-map-type": "atomic"} if "one" in hints else source


def _list_hints(hints: list[str]) -> Json:
    schema: Json = {}
    for hint in hints:
        if hint == "set":
            schema |= {"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}
        elif hint == "retain":
            schema["x-kubernetes-patch-strategy"] = "merge,retainKeys"
        elif hint.startswith(("key=", "keys=")):
            keys = hint.partition("=")[2].split(",")
            schema |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys}
            schema |= {"x-kubernetes-patch-merge-key": keys[0], "x-kubernetes-patch-strategy": "merge"}
    return schema


def _go(kind: str) -> str:
    prefix, name = ("[]", kind[2:]) if kind.startswith("[]") else ("map[string]", kind.removeprefix("map[string]"))
    if name in _SCALARS:
        name = str(_SCALARS[name].get("x-go-type", name))
    return f"{prefix}{name}" if name in ("string", "bool", "int32", "int64") or "." in name else f"{prefix}v1.{name}"
