"""Syntax of names, labels and annotations, with the messages of the real API server (RFC 1123, Kubernetes object
names).
"""

import re
import secrets
from typing import Any

from cli.local.apiserver import fielderrors
from cli.local.apiserver.fielderrors import FieldError, invalid_value

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SERVICE = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_GENERATED = "bcdfghjklmnpqrstvwxz2456789"  # no vowels or look-alikes: names stay decent and readable
_GENERATED_LENGTH = 5
_MAX_GENERATE_NAME = 63 - _GENERATED_LENGTH
ANNOTATIONS_LIMIT = 256 * 1024


def _rule(text: str, pattern: re.Pattern[str], *examples: str) -> str:
    """A rule as the real API server words it; the two blanks between examples are its own."""
    listed = " or ".join(f"'{example}', " for example in examples)
    return f"{text} (e.g. {listed}regex used for validation is '{pattern.pattern}')"


_START_AND_END = "and must start and end with an alphanumeric character"
_ANY_CASE = f"alphanumeric characters, '-', '_' or '.', {_START_AND_END}"
_SUBDOMAIN_RULE = _rule(
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {_START_AND_END}",
    _SUBDOMAIN,
    "example.com",
)
_LABEL_RULE = _rule(
    f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_START_AND_END}",
    _LABEL,
    "my-name",
    "123-abc",
)
_SERVICE_RULE = _rule(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character,"
    " and end with an alphanumeric character",
    _SERVICE,
    "my-name",
    "abc-123",
)
_QUALIFIED_RULE = _rule(f"name part must consist of {_ANY_CASE}", _QUALIFIED, "MyName", "my.name", "123-abc")
_PREFIXED_RULE = (
    _rule(f"a valid label key must consist of {_ANY_CASE}", _QUALIFIED, "MyName", "my.name", "123-abc")
    + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)
_VALUE_RULE = _rule(
    f"a valid label must be an empty string or consist of {_ANY_CASE}", _LABEL_VALUE, "MyValue", "my_value", "12345"
)


def label_problems(name: str) -> list[str]:
    """What keeps `name` from being a DNS-1123 label."""
    problems = ["must be no more than 63 bytes"] if len(name) > 63 else []
    return problems if _LABEL.fullmatch(name) else [*problems, _LABEL_RULE]


def subdomain_problems(name: str) -> list[str]:
    """What keeps `name` from being a DNS-1123 subdomain, the rule of most object names."""
    problems = ["must be no more than 253 bytes"] if len(name) > 253 else []
    return problems if _SUBDOMAIN.fullmatch(name) else [*problems, _SUBDOMAIN_RULE]


def service_problems(name: str) -> list[str]:
    """What keeps `name` from being a DNS-1035 label, the rule of Services."""
    problems = ["must be no more than 63 bytes"] if len(name) > 63 else []
    return problems if _SERVICE.fullmatch(name) else [*problems, _SERVICE_RULE]


def path_segment_problems(name: str) -> list[str]:
    """What keeps `name` from standing in a path, the least that every object's name must do."""
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{part}'" for part in "/%" if part in name]


def qualified_problems(name: str) -> list[str]:
    """What keeps `name` from being a label or annotation key: an optional DNS prefix and a name."""
    prefix, slash, base = name.rpartition("/")
    if slash and (not prefix or "/" in prefix):
        return ["prefix part must be non-empty"] if not prefix else [_PREFIXED_RULE]
    problems = [f"prefix part {p}" for p in subdomain_problems(prefix)] if slash else []
    if not base:
        problems.append("name part must be non-empty")
    elif len(base) > 63:
        problems.append("name part must be no more than 63 bytes")
    return problems if _QUALIFIED.fullmatch(base) else [*problems, _QUALIFIED_RULE]


def label_value_problems(value: str) -> list[str]:
    problems = ["must be no more than 63 bytes"] if len(value) > 63 else []
    return problems if _LABEL_VALUE.fullmatch(value) else [*problems, _VALUE_RULE]


def label_errors(labels: dict[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, value in labels.items():
        if not (_QUALIFIED.fullmatch(name) and len(name) <= 63):
            errors += [invalid_value(path, name, problem) for problem in qualified_problems(name)]
        if not (_LABEL_VALUE.fullmatch(value) and len(value) <= 63):
            errors += [invalid_value(path, value, problem) for problem in label_value_problems(value)]
    return errors


def annotation_errors(annotations: dict[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name in annotations:
        errors += [invalid_value(path, name, problem) for problem in qualified_problems(name.lower())]
    if sum(len(name) + len(value) for name, value in annotations.items()) > ANNOTATIONS_LIMIT:
        errors.append(fielderrors.too_long(path, ANNOTATIONS_LIMIT))
    return errors


def generate(prefix: str) -> str:
    """A name for `metadata.generateName`."""
    return prefix[:_MAX_GENERATE_NAME] + "".join(secrets.choice(_GENERATED) for _ in range(_GENERATED_LENGTH))
