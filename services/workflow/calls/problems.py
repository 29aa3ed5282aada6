"""Errors of calls, as the language has them: RFC 7807 objects of its standard types.

Their text is recorded in the run's history, so it names at most the place that was called, never a header, a body, a
query or what an answer says.
"""

from http import HTTPStatus
from typing import Any

from services.contracts.workflow.errors import STATUS, standard_type

_TITLES = {
    "configuration": "Configuration Error",
    "authentication": "Authentication Error",
    "authorization": "Authorization Error",
    "timeout": "Timeout",
    "communication": "Communication Error",
}
UNREACHABLE = 503
"""Status when no connection was made: nothing can have happened."""
BROKEN = 502
"""Status when the answer did not come or can't be read: something may have happened."""


class CallError(Exception):
    """A call failed. ``error``: the RFC 7807 object, without ``instance``, which the engine adds."""

    def __init__(self, kind: str, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        status = status or STATUS[kind]
        self.error: dict[str, Any] = {
            "type": standard_type(kind),
            "status": status,
            "title": _phrase(status) if kind == "communication" else _TITLES[kind],
            "detail": detail,
        }


def configuration(detail: str) -> CallError:
    """The definition, or a document that it names, asks for what can't be."""
    return CallError("configuration", detail)


def refused(what: str, status: int) -> CallError:
    """An answer with a status that is an error, 401 and 403 too: any problem during a call is one of communication."""
    return CallError("communication", f"{what} answered {status} {_phrase(status)}".rstrip(), status)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Communication Error"
