"""Where a definition may use secrets, and what it is told where it may not."""

import copy
from typing import Any

import pytest

from services.contracts.workflow import InvalidWorkflow, Problem, load_yaml, parse
from tests.support.workflows import EVERYTHING, definition


def problems(document: Any) -> list[Problem]:
    with pytest.raises(InvalidWorkflow) as refused:
        parse(document)
    return refused.value.problems


def only(document: Any) -> Problem:
    (problem,) = problems(document)
    return problem


SET = {"set": {"a": 1}}
CALL = {"method": "get", "endpoint": "https://example.com"}
SECRET = "${ $secrets.api }"


def with_task(task: dict[str, Any], **use: Any) -> dict[str, Any]:
    return definition({"a": task}, use={"secrets": ["api"], **use})


@pytest.mark.parametrize(
    "document",
    [
        with_task({"call": "http", "with": {**CALL, "headers": {"X": SECRET}}}),
        with_task({"call": "http", "with": {**CALL, "body": {"deep": [f"key {SECRET}"]}}}),
        with_task({"call": "add", "with": {"key": SECRET}}),
        with_task({"call": "http", "input": {"from": SECRET}, "with": CALL}),
        with_task({"call": "http", "input": {"from": SECRET}, "with": CALL, "output": {"as": ".body"}}),
        with_task(
            {
                "call": "http",
                "with": {**CALL, "endpoint": {"uri": "https://x", "authentication": {"bearer": {"token": SECRET}}}},
            }
        ),
        with_task({"call": "f", "with": {"k": SECRET}}, functions={"f": {"call": "http", "with": CALL}}),
        with_task(SET, authentications={"p": {"bearer": {"token": SECRET}}}),
        with_task({"call": "add", "with": {"key": '${ $secrets["api"].key + $secrets."api".id }'}}),
    ],
)
def test_secrets_may_go_into_calls(document: dict[str, Any]) -> None:
    assert parse(document).use.secrets == ["api"]


@pytest.mark.parametrize(
    ("task", "pointer"),
    [
        ({"set": {"x": SECRET}}, "/do/0/a/set/x"),
        ({"set": {"x": 'key "${ "\\($secrets.api)" }"'}}, "/do/0/a/set/x"),
        ({**SET, "input": {"from": SECRET}}, "/do/0/a/input/from"),
        ({**SET, "if": "$secrets.api != null"}, "/do/0/a/if"),
        ({**SET, "output": {"as": SECRET}}, "/do/0/a/output/as"),
        ({**SET, "export": {"as": {"k": SECRET}}}, "/do/0/a/export/as/k"),
        ({"call": "http", "with": CALL, "output": {"as": SECRET}}, "/do/0/a/output/as"),
        ({"call": "http", "with": CALL, "input": {"from": SECRET}, "output": {"as": "$input"}}, "/do/0/a/output/as"),
        ({"call": "http", "with": CALL, "input": {"from": SECRET}, "export": {"as": "$input.x"}}, "/do/0/a/export/as"),
        ({"emit": {"event": {"with": {"type": "x", "data": SECRET}}}}, "/do/0/a/emit/event/with/data"),
        ({"raise": {"error": {"type": "/x", "status": 400, "detail": SECRET}}}, "/do/0/a/raise/error/detail"),
        (
            {"run": {"workflow": {"namespace": "x", "name": "y", "version": "1.0.0", "input": SECRET}}},
            "/do/0/a/run/workflow/input",
        ),
        ({"call": "keep", "with": {"x": SECRET}}, "/do/0/a/with/x"),
        ({"call": "add", "with": {"x": "${ $secrets.ap }"}}, "/do/0/a/with/x"),
        ({"call": "add", "with": {"x": '${ $secrets["other"] }'}}, "/do/0/a/with/x"),
    ],
    ids=str,
)
def test_secrets_may_not_go_where_they_would_be_recorded(task: dict[str, Any], pointer: str) -> None:
    problem = only(with_task(task, functions={"keep": {"set": {"kept": "${ . }"}}}))
    assert (problem.pointer, problem.kind) == (pointer, "rule")


def test_secrets_may_not_shape_the_data_of_a_subscription_or_the_workflow() -> None:
    document = load_yaml(EVERYTHING)
    changed = copy.deepcopy(document)
    changed["do"][3]["hear"]["with"]["subscription"]["foreach"]["do"][0]["keep"]["set"]["kept"] = SECRET
    assert only(changed).pointer == "/do/3/hear/with/subscription/foreach/do/0/keep/set/kept"
    document["input"]["from"] = SECRET
    assert only(document).pointer == "/input/from"
