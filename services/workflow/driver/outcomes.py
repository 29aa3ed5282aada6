"""What the answer to a call of a Function means for the task that made it. Pure."""

import base64
from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec

from services.contracts import headers
from services.contracts.errors import Code, ErrorBody, FaasError
from services.workflow.engine.errors import standard

NOT_NOW = frozenset(
    {
        Code.FUNCTION_STARTING, Code.FUNCTION_UNAVAILABLE, Code.OVERLOADED, Code.BUSY, Code.DRAINING, Code.NO_ROUTER,
        Code.BUS_UNAVAILABLE, Code.API_UNAVAILABLE,
    }
)  # fmt: skip
"""Answers of which it is certain that nothing was started."""
UNKNOWN = frozenset({Code.OUTCOME_UNKNOWN, Code.ROUTER_LOST, Code.DEADLINE_EXCEEDED})
"""Answers after which the function may have run or not. A deadline is the platform's: a function's own time being over
is ``handler_timeout``."""
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
_MAX_DETAIL = 2000
"""Characters of an error's text that go into a run's history."""


class Next(Enum):
    """What is to be done about a call that did not succeed."""

    FAIL = "fail"
    AGAIN = "again"
    REPEAT = "repeat"


def judge(code: str, waited: float, patience: float, idempotent: bool) -> Next:
    """``waited``: seconds since the task first asked. AGAIN: nothing was started; REPEAT: it may have been, with the
    same key it may be again."""
    if code in NOT_NOW:
        return Next.AGAIN if waited < patience else Next.FAIL
    if code in UNKNOWN and idempotent:
        return Next.REPEAT if waited < patience else Next.FAIL
    return Next.FAIL


def pause(attempt: int, chance: float) -> float:
    """Seconds before attempt 2, 3 … (``attempt`` is that which failed, from 1), spread by half with ``chance``."""
    return float(min(FIRST_PAUSE * 2 ** min(attempt - 1, 16), LONGEST_PAUSE) * (0.5 + chance / 2))


def code_of(fields: Mapping[str, str]) -> str:
    """The stable code of a reply; empty for none."""
    return fields.get(headers.ERROR, "")


def failed(fields: Mapping[str, str]) -> bool:
    """Whether a reply is no success."""
    status = fields.get(headers.STATUS, "")
    return not (status.isdigit() and int(status) < 400)


def output(fields: Mapping[str, str], body: bytes) -> bytes:
    """A Function's answer as JSON: JSON as it is, other text as a string, anything else in base64."""
    type_ = fields.get(headers.CONTENT_TYPE, "application/json").partition(";")[0].strip().lower()
    if type_ == "application/json" or type_.endswith("+json"):
        return body
    if type_.startswith("text/"):
        return msgspec.json.encode(body.decode(errors="replace"))
    return msgspec.json.encode(base64.b64encode(body).decode())


def error(fields: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """A reply that is no success, as an error that the workflow may catch."""
    text, status = fields.get(headers.STATUS, ""), 500
    if text.isdigit():
        status = int(text)
    code = code_of(fields)
    try:
        message = msgspec.json.decode(body, type=ErrorBody).message
    except (msgspec.DecodeError, RecursionError):
        message = body[:_MAX_DETAIL].decode(errors="replace")
    return _communication(code, message, status)


def of_faas_error(found: FaasError) -> dict[str, Any]:
    """An error of the call path as one that the workflow may catch."""
    return _communication(found.code.value, found.message, found.status)


def _communication(code: str, message: str, status: int) -> dict[str, Any]:
    detail = f"{code}: {message}" if code else message or f"the function answered with status {status}"
    return standard("communication", detail[:_MAX_DETAIL], status).error


def outcome_unknown(what: str) -> dict[str, Any]:
    """Of an attempt whose outcome was lost with the service that waited for it."""
    return standard(
        "runtime",
        f"outcome unknown: {what} had begun when the service that drove the run stopped, and its answer was lost; "
        "it is not repeated, since it is not known to be idempotent",
    ).error
