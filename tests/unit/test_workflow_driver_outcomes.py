"""What answers of Functions mean to a task, and the names of what runs do outside."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef, is_label
from services.contracts.runs import new_run_id
from services.workflow.driver import outcomes
from services.workflow.driver.functions import call_id_of
from services.workflow.driver.keys import Parent, child_id, parse_parent
from services.workflow.driver.outcomes import Next, judge, pause

labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize("code", sorted(outcomes.NOT_NOW))
def test_what_was_not_started_is_tried_again_for_a_while(code: Code) -> None:
    assert judge(code, 0.0, 60.0, idempotent=False) is Next.AGAIN
    assert judge(code, 60.0, 60.0, idempotent=True) is Next.FAIL


@pytest.mark.parametrize("code", sorted(outcomes.UNKNOWN))
def test_what_may_have_run_is_repeated_only_when_that_is_harmless(code: Code) -> None:
    assert judge(code, 0.0, 60.0, idempotent=True) is Next.REPEAT
    assert judge(code, 60.0, 60.0, idempotent=True) is Next.FAIL
    assert judge(code, 0.0, 60.0, idempotent=False) is Next.FAIL


@pytest.mark.parametrize("code", ["", "handler_failed", "handler_timeout", "function_not_found", "made_up"])
def test_what_failed_has_failed(code: str) -> None:
    assert judge(code, 0.0, 60.0, idempotent=True) is Next.FAIL


def test_every_code_of_the_platform_has_its_verdict() -> None:
    decided = outcomes.NOT_NOW | outcomes.UNKNOWN
    assert {code for code in Code if code.value in ("busy", "router_lost", "outcome_unknown")} <= decided
    assert Code.HANDLER_EXITED not in decided


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_pauses_grow_and_are_bounded(attempt: int, chance: float) -> None:
    assert outcomes.FIRST_PAUSE / 2 <= pause(attempt, chance) <= outcomes.LONGEST_PAUSE
    assert pause(attempt + 1, chance) >= pause(attempt, chance)


@pytest.mark.parametrize(
    ("type_", "body", "expected"),
    [
        ("application/json", b'{"a": 1}', b'{"a": 1}'),
        ("Application/JSON; charset=utf-8", b"1", b"1"),
        ("application/cloudevents+json", b"{}", b"{}"),
        ("text/plain", "grüße".encode(), '"grüße"'.encode()),
        ("image/png", b"\x89PNG", b'"' + base64.b64encode(b"\x89PNG") + b'"'),
    ],
)
def test_an_answer_becomes_json(type_: str, body: bytes, expected: bytes) -> None:
    assert outcomes.output({"Content-Type": type_}, body) == expected


@pytest.mark.parametrize(
    ("status", "failed"), [("200", False), ("302", False), ("400", True), ("500", True), ("", True)]
)
def test_a_status_says_whether_it_failed(status: str, failed: bool) -> None:
    assert outcomes.failed({"Faas-Status": status} if status else {}) is failed


def test_errors_are_those_of_the_specification() -> None:
    fields = {"Faas-Status": "404", "Faas-Error": "function_not_found"}
    error = outcomes.error(fields, FaasError(Code.FUNCTION_NOT_FOUND, "no function default/x").body())
    assert error["type"].endswith("/errors/communication")
    assert (error["status"], error["detail"]) == (404, "function_not_found: no function default/x")
    own = outcomes.error({"Faas-Status": "418"}, b"I am a teapot")
    assert (own["status"], own["detail"]) == (418, "I am a teapot")
    assert len(outcomes.error({"Faas-Status": "500"}, b"x" * 10**6)["detail"]) == 2000
    unknown = outcomes.outcome_unknown("the call of function default/x")
    assert unknown["type"].endswith("/errors/runtime")


@given(labels)
def test_ids_of_runs_are_labels_and_unlike(workflow: str) -> None:
    made = {new_run_id(workflow) for _ in range(5)}
    assert len(made) == 5
    assert all(map(is_label, made))
    assert is_label(child_id("default.run.7", workflow))
    assert child_id("default.run.7", workflow) == child_id("default.run.7", workflow)
    assert child_id("default.run.7", workflow) != child_id("default.run.8", workflow)


@given(labels, labels, st.integers(0, 10**9))
def test_a_parent_in_a_header(namespace: str, run: str, task: int) -> None:
    parent = Parent(FunctionRef(namespace, run), task)
    assert parse_parent(str(parent)) == parent
    assert parse_parent("") is None


def test_a_key_that_is_too_long_for_a_header_is_replaced_by_its_digest() -> None:
    assert call_id_of("default.run.7") == "default.run.7"
    long = f"{'n' * 63}.{'r' * 63}.7"
    assert len(call_id_of(long)) == 64
    assert call_id_of(long) == call_id_of(long)
    assert msgspec.json.encode(call_id_of(long))
