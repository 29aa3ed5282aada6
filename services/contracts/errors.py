"""The one error that crosses process boundaries, and what each of its codes means to HTTP and to a shell.

A code is stable: clients may branch on it. Only the gateway and the CLI render an error for people.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec


class Code(StrEnum):
    """What went wrong, stable across versions. ``MEANING`` has each one's HTTP status and exit code."""

    # the caller's input
    INVALID_NAME = "invalid_name"
    INVALID_JSON = "invalid_json"
    INVALID_HEADER = "invalid_header"
    INVALID_RESOURCE = "invalid_resource"
    BAD_REQUEST = "bad_request"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    HEADERS_TOO_LARGE = "headers_too_large"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    MISDIRECTED = "misdirected"
    NOT_FOUND = "not_found"
    FUNCTION_NOT_FOUND = "function_not_found"
    WORKFLOW_NOT_FOUND = "workflow_not_found"
    RUN_NOT_FOUND = "run_not_found"
    WORKFLOW_NOT_ACCEPTED = "workflow_not_accepted"
    CONFLICT = "conflict"
    # not now: nothing has started, trying again is safe
    FUNCTION_STARTING = "function_starting"
    FUNCTION_UNAVAILABLE = "function_unavailable"
    OVERLOADED = "overloaded"
    BUSY = "busy"
    DRAINING = "draining"
    NO_ROUTER = "no_router"
    NO_WORKFLOW_SERVICE = "no_workflow_service"
    BUS_UNAVAILABLE = "bus_unavailable"
    API_UNAVAILABLE = "api_unavailable"
    # the call began
    HANDLER_FAILED = "handler_failed"
    HANDLER_EXITED = "handler_exited"
    HANDLER_TIMEOUT = "handler_timeout"
    RESULT_NOT_ENCODABLE = "result_not_encodable"
    RESULT_TOO_LARGE = "result_too_large"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    OUTCOME_UNKNOWN = "outcome_unknown"
    ROUTER_LOST = "router_lost"
    INTERNAL = "internal"


class Exit:
    """Exit codes of the command line."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    UNAVAILABLE = 4
    TIMED_OUT = 5


class Meaning(NamedTuple):
    """How a code is rendered: the HTTP status (RFC 9110) and the exit code of the CLI."""

    status: int
    exit: int


MEANING: dict[Code, Meaning] = {
    Code.INVALID_NAME: Meaning(400, Exit.USAGE),
    Code.INVALID_JSON: Meaning(400, Exit.USAGE),
    Code.INVALID_HEADER: Meaning(400, Exit.USAGE),
    Code.INVALID_RESOURCE: Meaning(422, Exit.USAGE),
    Code.BAD_REQUEST: Meaning(400, Exit.USAGE),
    Code.PAYLOAD_TOO_LARGE: Meaning(413, Exit.USAGE),
    Code.HEADERS_TOO_LARGE: Meaning(431, Exit.USAGE),
    Code.METHOD_NOT_ALLOWED: Meaning(405, Exit.USAGE),
    Code.UNAUTHORIZED: Meaning(401, Exit.USAGE),
    Code.FORBIDDEN: Meaning(403, Exit.USAGE),
    Code.MISDIRECTED: Meaning(421, Exit.USAGE),
    Code.NOT_FOUND: Meaning(404, Exit.USAGE),
    Code.FUNCTION_NOT_FOUND: Meaning(404, Exit.NOT_FOUND),
    Code.WORKFLOW_NOT_FOUND: Meaning(404, Exit.NOT_FOUND),
    Code.RUN_NOT_FOUND: Meaning(404, Exit.NOT_FOUND),
    Code.WORKFLOW_NOT_ACCEPTED: Meaning(422, Exit.USAGE),
    Code.CONFLICT: Meaning(409, Exit.FAILED),
    Code.FUNCTION_STARTING: Meaning(503, Exit.UNAVAILABLE),
    Code.FUNCTION_UNAVAILABLE: Meaning(503, Exit.UNAVAILABLE),
    Code.OVERLOADED: Meaning(503, Exit.UNAVAILABLE),
    Code.BUSY: Meaning(503, Exit.UNAVAILABLE),
    Code.DRAINING: Meaning(503, Exit.UNAVAILABLE),
    Code.NO_ROUTER: Meaning(503, Exit.UNAVAILABLE),
    Code.NO_WORKFLOW_SERVICE: Meaning(503, Exit.UNAVAILABLE),
    Code.BUS_UNAVAILABLE: Meaning(503, Exit.UNAVAILABLE),
    Code.API_UNAVAILABLE: Meaning(503, Exit.UNAVAILABLE),
    Code.HANDLER_FAILED: Meaning(500, Exit.FAILED),
    Code.HANDLER_EXITED: Meaning(500, Exit.FAILED),
    Code.HANDLER_TIMEOUT: Meaning(504, Exit.TIMED_OUT),
    Code.RESULT_NOT_ENCODABLE: Meaning(500, Exit.FAILED),
    Code.RESULT_TOO_LARGE: Meaning(500, Exit.FAILED),
    Code.DEADLINE_EXCEEDED: Meaning(504, Exit.TIMED_OUT),
    Code.OUTCOME_UNKNOWN: Meaning(502, Exit.FAILED),
    Code.ROUTER_LOST: Meaning(502, Exit.FAILED),
    Code.INTERNAL: Meaning(500, Exit.FAILED),
}


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JSON body of every error answer, on the bus and over HTTP."""

    code: str
    message: str
    details: list[str] = []


class FaasError(Exception):
    """An error with a stable code, for the person who reads it: what is wrong, where, what to do.

    ``retry_after`` is whole seconds (RFC 9110 section 10.2.3) when trying again later makes sense; ``details`` lists
    single findings, such as the wrong fields of a resource.
    """

    def __init__(
        self, code: Code, message: str, *, retry_after: int | None = None, details: list[str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.details = details or []

    @property
    def status(self) -> int:
        """The HTTP status of this error."""
        return MEANING[self.code].status

    def body(self) -> bytes:
        """The error as the JSON document of ErrorBody."""
        return msgspec.json.encode(ErrorBody(self.code, self.message, self.details))


def exit_code(status: int, code: str | None) -> int:
    """The CLI's exit code for an answer: by its stable code when it has a known one, else by its HTTP status."""
    if code is not None and code in Code.__members__.values():
        return MEANING[Code(code)].exit
    if status < 400:
        return Exit.OK
    return {404: Exit.FAILED, 503: Exit.UNAVAILABLE, 504: Exit.TIMED_OUT}.get(status, Exit.FAILED)
