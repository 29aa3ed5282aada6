"""Label selectors (API reference, LabelSelector): matchLabels and matchExpressions, all of which must hold."""

from collections.abc import Mapping

from cli.local.controllers.resources import LabelSelector, Requirement


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether labels match. An empty selector matches nothing: claiming every Pod would be a mistake."""
    if not selector.match_labels and not selector.match_expressions:
        return False
    return all(labels.get(key) == value for key, value in (selector.match_labels or {}).items()) and all(
        _holds(requirement, labels) for requirement in selector.match_expressions or []
    )


def _holds(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    values = requirement.values or []
    match requirement.operator:
        case "In":
            return requirement.key in labels and labels[requirement.key] in values
        case "NotIn":
            return labels.get(requirement.key) not in values
        case "Exists":
            return requirement.key in labels
        case "DoesNotExist":
            return requirement.key not in labels
        case _:
            return False
