"""`x-kubernetes-validations`: which rules of a schema apply to a value, and what they say when they do not hold."""

import functools
from typing import Any

from cli.local.apiserver.cel import Expr, compile_rule
from cli.local.apiserver.cel_functions import CelError
from cli.local.apiserver.fielderrors import OMITTED, FieldError, render
from cli.local.apiserver.schema import Schema

Json = dict[str, Any]

# After one of these a value may not have the form that the rules are written for.
_BLOCKING = (
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
)
_NOT_CHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete"
    " validation"
)


def check(schema: Schema, value: Any, old: Any, found: list[FieldError]) -> list[FieldError]:
    """Errors of the rules; none of them is looked at when `found`, what plain validation says, stands in the way."""
    if any(error.reason in _BLOCKING for error in found):
        return [FieldError("FieldValueInvalid", "<nil>", _NOT_CHECKED, None)]
    errors: list[FieldError] = []
    _check(schema, value, old, "", errors)
    return errors


def unknown_rules(schema: Schema, path: str = "") -> list[str]:
    """Rules that use what is not known here, with the reason: they are accepted and not checked."""
    found: list[str] = []
    for rule in schema.rules:
        try:
            _compiled(rule["rule"])
        except CelError as error:
            found.append(f"{path or 'the object'}: the rule {render(rule['rule'])} is not checked: {error}")
    for name, child in schema.properties.items():
        found += unknown_rules(child, f"{path}.{name}" if path else name)
    for inner in (schema.items, schema.additional):
        found += unknown_rules(inner, f"{path}[*]") if inner is not None else []
    return found


@functools.lru_cache(maxsize=1024)
def _compiled(rule: str) -> Expr:
    return compile_rule(rule)


def _check(schema: Schema, value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
    if value is None or not schema.has_rules:
        return
    for rule in schema.rules:
        error = _evaluate(schema, rule, value, old, path)
        if error is not None:
            errors.append(error)
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        for name, item in value.items():
            child = schema.child(name)
            if child is not None:
                _check(child, item, before.get(name), f"{path}.{name}" if path else name, errors)
    elif isinstance(value, list) and schema.items is not None:
        for index, item in enumerate(value):
            _check(schema.items, item, _counterpart(schema, item, old), f"{path}[{index}]", errors)


def _counterpart(schema: Schema, item: Any, old: Any) -> Any:
    """The item of the old list with the same keys; lists without keys have no counterparts."""
    if schema.list_type != "map" or not isinstance(old, list) or not isinstance(item, dict):
        return None
    keys = [item.get(key) for key in schema.map_keys]
    return next((each for each in old if [each.get(key) for key in schema.map_keys] == keys), None)


def _evaluate(schema: Schema, rule: Json, value: Any, old: Any, path: str) -> FieldError | None:
    text = rule["rule"]
    if "oldSelf" in text and old is None:
        return None  # a transition rule: there is nothing that changes
    try:
        expression = _compiled(text)
    except CelError:
        return None  # said when the definition was written (unknown_rules)
    variables = {"self": value, "oldSelf": old}
    try:
        if expression(variables) is True:
            return None
    except CelError as error:
        detail = f"{error} evaluating rule: {rule.get('message') or text}"
        return FieldError("FieldValueInvalid", path, detail, schema.type)
    field = (path + str(rule.get("fieldPath") or "")).lstrip(".")
    shown = OMITTED if schema.type in ("object", "array") else value
    return FieldError(rule.get("reason") or "FieldValueInvalid", field, _message(rule, variables), shown)


def _message(rule: Json, variables: Json) -> str:
    if rule.get("messageExpression"):
        try:
            return str(_compiled(rule["messageExpression"])(variables))
        except CelError:
            pass  # as the real one does: the message, or the rule itself, then says it
    return str(rule.get("message") or f"failed rule: {rule['rule']}")
