"""What becomes of a call when no Pod of its function can take it: an error now, or how long it waits. Pure."""

import re
from typing import NamedTuple

from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.contracts.resources import Condition, Function

RETRY_AFTER = 1
"""Seconds after which a caller may try a starting function again: the smallest that the header can say."""
_PREFERENCE = re.compile(r"return|wait(?:=([0-9]{1,6}))?")


class Preference(NamedTuple):
    """A caller's wish: wait for a start, and for how many seconds at most (None: as long as a call may wait at all)."""

    wait: bool
    seconds: float | None = None


def parse_preference(text: str) -> Preference:
    """The value of ``Faas-Cold-Start``. Raises FaasError invalid_header."""
    found = _PREFERENCE.fullmatch(text)
    if found is None:
        raise FaasError(
            Code.INVALID_HEADER, f"Faas-Cold-Start is {text[:40]!a}: write return, wait or wait=N (N whole seconds)"
        )
    return Preference(text.startswith("wait"), float(found[1]) if found[1] else None)


def not_found(ref: FunctionRef) -> FaasError:
    """The error for a function that does not exist."""
    return FaasError(Code.FUNCTION_NOT_FOUND, f"there is no function {ref}")


def broken(function: Function) -> Condition | None:
    """The condition that says why ``function`` cannot start, when there is one."""
    for condition in function.status.conditions:
        if condition.type == "Ready":
            return condition if condition.status == "False" else None
    return None


def not_now(ref: FunctionRef, function: Function) -> FaasError:
    """The error for a function without a Pod: it is starting, or it can't start and why."""
    why = broken(function)
    if why is None:
        return FaasError(
            Code.FUNCTION_STARTING,
            f"function {ref} is starting: try again in {RETRY_AFTER} s",
            retry_after=RETRY_AFTER,
        )
    reason = f"{why.reason}: {why.message}" if why.message else why.reason
    return FaasError(Code.FUNCTION_UNAVAILABLE, f"function {ref} can't start: {reason}")


def decide(
    ref: FunctionRef,
    function: Function | None,
    preference: Preference | None,
    now: float,
    may_wait_until: float,
) -> FaasError | float:
    """For a call that found no callable Pod: the error to answer now, or the time until which it waits for one.

    ``may_wait_until`` bounds every wait: the call's deadline, or the longest that any call waits. The caller's
    preference counts more than the function's ``coldStart``.
    """
    if function is None or function.metadata.deletion_timestamp is not None:
        return not_found(ref)
    if preference is None:
        preference = Preference(wait=function.spec.cold_start == "Wait")
    if not preference.wait or preference.seconds == 0:
        return not_now(ref, function)
    return may_wait_until if preference.seconds is None else min(may_wait_until, now + preference.seconds)


def fails_waiting(before: Function | None, after: Function) -> bool:
    """Whether calls that wait should be told now: the function was found unable to start while they waited.

    What ``Ready`` said before they came does not count: the start that they asked for may go better than the last.
    """
    why = broken(after)
    return why is not None and before is not None and broken(before) != why
