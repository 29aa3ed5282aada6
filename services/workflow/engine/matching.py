"""Which events a filter takes."""

import re
from typing import Any

from services.contracts.workflow.events import EventFilter, EventStrategy
from services.contracts.workflow.expressions import Expression, Template, Text
from services.workflow.engine.scope import Scope
from services.workflow.expressions.program import text_of


def _as_text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _attribute_matches(template: Template, found: Any, scope: Scope, data: Any) -> bool:
    """A constant text is a regular expression for the whole value; an expression is a condition on the attribute's
    value, or gives that value."""
    if isinstance(template.value, Expression):
        result = scope.value(template.value, found)
        return result is True or (not isinstance(result, bool) and result == found)
    expected = scope.fill(template, data)
    if expected == found:
        return True
    return isinstance(expected, str) and isinstance(found, str) and scope.matches(expected, found)


def correlated(
    filter_: EventFilter, event: dict[str, Any], known: dict[str, Any], scope: Scope, data: Any
) -> dict[str, Any] | None:
    """The correlation values that an event brings, when it passes the filter and fits those ``known``; else None.

    Constants come first: a condition on the data need not stand what events of other types have.
    """
    for name, template in sorted(filter_.with_.items(), key=lambda each: not each[1].constant):
        if name not in event or not _attribute_matches(template, event[name], scope, data):
            return None
    made: dict[str, Any] = {}
    for key, correlation in filter_.correlate.items():
        value = scope.value(correlation.from_, event)
        if correlation.expect is not None:
            if not _expected(correlation.expect, value, scope, data):
                return None
        elif key in known:
            if known[key] != value:
                return None
        elif value is None:
            return None
        else:
            made[key] = value
    return made


def _expected(expect: Text, value: Any, scope: Scope, data: Any) -> bool:
    """Whether a value is the expected one. A constant is a text, which stands for a number or boolean too."""
    if isinstance(expect, str):
        return not isinstance(value, dict | list | None) and text_of(value) == expect
    return bool(scope.fill(expect, data) == value)


def filters_of(strategy: EventStrategy) -> list[EventFilter]:
    """The filters of a strategy, in order."""
    if strategy.one is not None:
        return [strategy.one]
    return list(strategy.all or strategy.any or [])


def types_of(strategy: EventStrategy) -> tuple[str, ...]:
    """The constant event types that may matter to a strategy; empty when any may."""
    found: set[str] = set()
    strategies = [strategy]
    if isinstance(strategy.until, EventStrategy):
        strategies.append(strategy.until)
    for each in strategies:
        filters = filters_of(each)
        if not filters:
            return ()
        for filter_ in filters:
            template = filter_.with_.get("type")
            text = _as_text(template.value) if template is not None and template.constant else None
            if text is None or not re.fullmatch(r"[\w.\-/:]+", text):
                return ()
            found.add(text)
    return tuple(sorted(found))
