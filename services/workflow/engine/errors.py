"""Errors of runs: RFC 7807 objects of the specification's types."""

import re
from typing import Any

from services.contracts.workflow.errors import STATUS, canonical, same_type, standard_type

_TITLES = {
    "configuration": "Configuration Error",
    "validation": "Validation Error",
    "expression": "Expression Error",
    "authentication": "Authentication Error",
    "authorization": "Authorization Error",
    "timeout": "Timeout",
    "communication": "Communication Error",
    "runtime": "Runtime Error",
}


_PLACE = re.compile(r"/\d+(?=/)")
"""A task's place in its list, in a pointer."""


class Raised(Exception):
    """An error on its way to the try that catches it. ``error`` may lack what ``complete`` gives it."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("detail") or error.get("title") or error.get("type") or "an error")
        self.error = error


def standard(name: str, detail: str, status: int | None = None) -> Raised:
    """An error of a standard type, by its last word such as ``timeout``."""
    return Raised(
        {"type": standard_type(name), "status": status or STATUS[name], "title": _TITLES[name], "detail": detail}
    )


def complete(error: dict[str, Any], instance: str) -> dict[str, Any]:
    """The error with what every error has: type, status, and the pointer of the task that raised it."""
    made = {"type": standard_type("runtime"), "status": 500} | error
    return made if made.get("instance") else made | {"instance": instance}


def matches(error: dict[str, Any], filter_: dict[str, Any], *, of_call: bool = False) -> bool:
    """Whether an error has each of the values of a filter; those that are None do not count. An ``instance`` may be
    without the places of tasks in their lists: ``/do/getPet`` is ``/do/0/getPet``, as the specification writes too.

    ``of_call``: a call raised it. Any problem during a call is one of communication, says the specification; it has
    types too for failed authentication, 401, and missing permission, 403. A filter for either takes it.
    """
    for key, expected in filter_.items():
        if expected is None:
            continue
        found = error.get(key)
        if key == "type" and isinstance(found, str):
            if not same_type(found, expected) and not (of_call and _either(error, expected)):
                return False
        elif key == "instance" and isinstance(found, str):
            if expected not in (found, _PLACE.sub("", found)):
                return False
        elif found != expected:
            return False
    return True


def _either(error: dict[str, Any], expected: str) -> bool:
    refusal = {401: standard_type("authentication"), 403: standard_type("authorization")}.get(error.get("status", 0))
    communication = standard_type("communication")
    return refusal is not None and {error["type"], canonical(expected)} == {refusal, communication}
