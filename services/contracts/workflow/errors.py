"""The standard error types of the language, and when two types mean the same.

The specification's text writes ``https://open-workflow-specification.org/spec/1.0.0/errors/timeout``; its examples and
its conformance kit write the same types with ``/dsl/errors/types/`` and under its former host too. People write the
last word alone.
"""

import re

PREFIX = "https://open-workflow-specification.org/spec/1.0.0/errors/"
"""Of the types that this platform raises."""
STATUS = {
    "configuration": 400,
    "validation": 400,
    "expression": 400,
    "authentication": 401,
    "authorization": 403,
    "timeout": 408,
    "communication": 500,
    "runtime": 500,
}
"""The standard types by their last word, each with its status when nothing describes the error better."""
_STANDARD = re.compile(
    r"(?:https?://(?:www\.)?(?:open-workflow-specification\.org|serverlessworkflow\.io)"
    rf"(?:/spec/\d+\.\d+\.\d+|/dsl)?/errors(?:/types)?/)?({'|'.join(STATUS)})"
)


def standard_type(name: str) -> str:
    """The URI of a standard type, by its last word. Raises KeyError for another word."""
    if name not in STATUS:
        raise KeyError(name)
    return PREFIX + name


def canonical(type_: str) -> str:
    """The type as this platform raises it, when it is a standard one in any of its writings; else itself."""
    found = _STANDARD.fullmatch(type_)
    return PREFIX + found[1] if found else type_


def same_type(one: str, other: str) -> bool:
    """Whether an error of the type ``one`` is caught by a filter for ``other``."""
    return canonical(one) == canonical(other)


def as_written(type_: str, filter_: str | None) -> str:
    """The type of a caught error as the filter that took it writes it, so that who compares it again finds the same;
    itself when the filter has none, or the last word alone."""
    return filter_ if filter_ is not None and "://" in filter_ else type_
