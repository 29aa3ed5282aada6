"""What becomes of a call without a Pod."""

import pytest

from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.router.coldstart import Preference, decide, fails_waiting, parse_preference
from tests.support.router import function, not_ready

ADD = FunctionRef("default", "add")
RETURN, WAIT = function(), function(coldStart="Wait")
BROKEN = function(ready=not_ready("ImagePullBackOff", "no such image"))


def refused(answer: FaasError | float) -> FaasError:
    """The error of an answer that must be one."""
    assert isinstance(answer, FaasError)
    return answer


def test_a_function_that_does_not_exist_or_is_being_deleted_is_not_found() -> None:
    deleted = function()
    deleted.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
    for one in (None, deleted):
        error = refused(decide(ADD, one, Preference(wait=True), 0.0, 60.0))
        assert (error.code, error.message) == (Code.FUNCTION_NOT_FOUND, "there is no function default/add")


def test_return_answers_at_once_with_the_hint() -> None:
    error = refused(decide(ADD, RETURN, None, 0.0, 60.0))
    assert error.code is Code.FUNCTION_STARTING
    assert error.retry_after == 1
    assert error.message == "function default/add is starting: try again in 1 s"


def test_a_function_that_cannot_start_says_why() -> None:
    error = refused(decide(ADD, BROKEN, None, 0.0, 60.0))
    assert error.code is Code.FUNCTION_UNAVAILABLE
    assert error.message == "function default/add can't start: ImagePullBackOff: no such image"
    quiet = function(ready=not_ready("Unschedulable"))
    assert refused(decide(ADD, quiet, None, 0.0, 60.0)).message.endswith("can't start: Unschedulable")


@pytest.mark.parametrize(
    ("by_default", "asked", "until"),
    [
        (WAIT, None, 60.0),
        (WAIT, Preference(wait=True, seconds=5.0), 15.0),
        (WAIT, Preference(wait=True, seconds=500.0), 60.0),
        (WAIT, Preference(wait=False), None),
        (RETURN, Preference(wait=True), 60.0),
        (RETURN, Preference(wait=True, seconds=0.0), None),
        (BROKEN, Preference(wait=True, seconds=3.0), 13.0),
    ],
)
def test_the_callers_wish_counts_more_than_the_functions(
    by_default: object, asked: Preference | None, until: float | None
) -> None:
    answer = decide(ADD, by_default, asked, 10.0, 60.0)  # type: ignore[arg-type]
    assert (None if isinstance(answer, FaasError) else answer) == until


@pytest.mark.parametrize(
    ("text", "preference"),
    [("return", Preference(False)), ("wait", Preference(True)), ("wait=7", Preference(True, 7.0))],
)
def test_preferences_are_read(text: str, preference: Preference) -> None:
    assert parse_preference(text) == preference


@pytest.mark.parametrize(
    "text", ["", "Wait", "wait=", "wait=-1", "wait=1.5", "wait=1s", "return=1", "wait=1234567", "²"]
)
def test_other_preferences_are_refused(text: str) -> None:
    with pytest.raises(FaasError, match="Faas-Cold-Start") as caught:
        parse_preference(text)
    assert caught.value.code is Code.INVALID_HEADER


def test_those_who_wait_are_told_of_a_new_failure_only() -> None:
    assert fails_waiting(RETURN, BROKEN)
    assert not fails_waiting(BROKEN, BROKEN)
    assert not fails_waiting(BROKEN, RETURN)
    assert not fails_waiting(None, BROKEN), "what was known before they came is not news"
    assert fails_waiting(BROKEN, function(ready=not_ready("CrashLoopBackOff")))
