"""Label and field selectors (Kubernetes, "Labels and Selectors" and "Field Selectors")."""

import re
from collections.abc import Callable
from typing import Any

from cli.local.apiserver.errors import bad_request
from cli.local.apiserver.fielderrors import render
from cli.local.apiserver.names import label_value_problems, qualified_problems
from cli.local.apiserver.registry import ResourceType

Json = dict[str, Any]
Predicate = Callable[[Json], bool]

_TOKEN = re.compile(r"\s*(==|!=|=|!|<|>|\(|\)|,|[^\s=!<>(),]+)")

# What field selectors may ask for beside metadata.name and metadata.namespace.
_FIELDS: dict[str, tuple[str, ...]] = {
    "pods": ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
             "status.phase", "status.podIP", "status.nominatedNodeName"),
    "events": ("involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
               "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
               "reportingComponent", "source", "type"),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
    "replicasets.apps": ("status.replicas",),
}  # fmt: skip


class Requirement:
    """One condition on labels: `operator` is exists, missing, in, notin, gt or lt."""

    __slots__ = ("key", "operator", "values")

    def __init__(self, key: str, operator: str, values: frozenset[str] = frozenset()) -> None:
        self.key = key
        self.operator = operator
        self.values = values

    def matches(self, labels: Json) -> bool:
        value = labels.get(self.key)
        if self.operator == "in":
            return value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "missing":
            return value is None
        if not isinstance(value, str) or not value.lstrip("-").isdigit():
            return False
        bound = int(next(iter(self.values)))
        return int(value) > bound if self.operator == "gt" else int(value) < bound


def label_selector(text: str) -> list[Requirement]:
    """Parse `a=b,c!=d,e in (f,g),h notin (i),j,!k`; raises a 400 StatusError that shows where it stops making sense."""
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != "".join(text.split()):
        raise _unparsable(text)
    requirements: list[Requirement] = []
    position = 0
    while position < len(tokens):
        requirement, position = _requirement(text, tokens, position)
        _check_words(requirement)
        requirements.append(requirement)
        if position < len(tokens):
            if tokens[position] != "," or position + 1 == len(tokens):
                raise _unparsable(text)
            position += 1
    return requirements


def _requirement(text: str, tokens: list[str], at: int) -> tuple[Requirement, int]:
    rest = tokens[at:]
    if rest[0] == "!" and len(rest) > 1 and _word(rest[1]):
        return Requirement(rest[1], "missing"), at + 2
    if not _word(rest[0]):
        raise _unparsable(text)
    if len(rest) == 1 or rest[1] == ",":
        return Requirement(rest[0], "exists"), at + 1
    if rest[1] in ("=", "==", "!="):
        has_value = len(rest) > 2 and _word(rest[2])
        values = frozenset([rest[2] if has_value else ""])
        return Requirement(rest[0], "notin" if rest[1] == "!=" else "in", values), at + (3 if has_value else 2)
    if rest[1] in ("<", ">") and len(rest) > 2 and rest[2].lstrip("-").isdigit():
        return Requirement(rest[0], "gt" if rest[1] == ">" else "lt", frozenset([rest[2]])), at + 3
    if rest[1] in ("in", "notin") and len(rest) > 3 and rest[2] == "(" and ")" in rest:
        inside = rest[3 : rest.index(")")]
        if inside and all(_word(t) or t == "," for t in inside):
            values = frozenset("".join(inside).split(","))
            return Requirement(rest[0], rest[1], values), at + 4 + len(inside)
    raise _unparsable(text)


def _check_words(requirement: Requirement) -> None:
    problems = [("key", requirement.key, problem) for problem in qualified_problems(requirement.key)]
    if requirement.operator in ("in", "notin"):
        problems += [("values", value, p) for value in requirement.values for p in label_value_problems(value)]
    if problems:
        field, value, problem = problems[0]
        raise bad_request(f"unable to parse requirement: {field}: Invalid value: {render(value)}: {problem}")


def _word(token: str) -> bool:
    return token not in ("=", "==", "!=", "!", "<", ">", "(", ")", ",")


def _unparsable(text: str) -> Exception:
    return bad_request(f"unable to parse requirement: couldn't parse the selector string {text!r}")


def field_selector(text: str, rtype: ResourceType) -> list[tuple[tuple[str, ...], str, bool]]:
    """Parse `metadata.name=a,status.phase!=b` into (path, value, equal); raises a 400 StatusError for other fields."""
    terms: list[tuple[tuple[str, ...], str, bool]] = []
    everywhere = ("metadata.name",) if rtype.key == "nodes" else ("metadata.name", "metadata.namespace")
    allowed = (*everywhere, *_FIELDS.get(rtype.key, ()), *rtype.selectable_fields)
    for term in filter(None, (part.strip() for part in text.split(","))):
        name, operator, value = re.split(r"(!=|==|=)", term, maxsplit=1) if "=" in term else (term, "", "")
        if not operator:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        if name not in allowed:
            raise bad_request(f'Unable to find "{rtype.key}" that match label selector "", field selector "{text}": '
                              f'field label not supported: {name}')  # fmt: skip
        terms.append((tuple(name.split(".")), value, operator != "!="))
    return terms


def make_predicate(labels: str, fields: str, rtype: ResourceType) -> Predicate | None:
    """A function that tells whether an object matches both selectors, or None when there are none."""
    requirements = label_selector(labels) if labels else []
    terms = field_selector(fields, rtype) if fields else []
    if not requirements and not terms:
        return None

    def matches(obj: Json) -> bool:
        if terms and not all((_text(obj, path) == value) == equal for path, value, equal in terms):
            return False
        found = obj["metadata"].get("labels") or {}
        return all(requirement.matches(found) for requirement in requirements)

    return matches


def _text(obj: Any, path: tuple[str, ...]) -> str:
    if path == ("source",):
        return str((obj.get("source") or {}).get("component", ""))
    for name in path:
        obj = obj.get(name) if isinstance(obj, dict) else None
    if obj is None:
        return "false" if path[-1] in ("unschedulable", "hostNetwork") else ""
    return str(obj).lower() if isinstance(obj, bool) else str(obj)
