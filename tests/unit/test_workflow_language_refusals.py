"""What a user is told about a wrong definition: where, what was found, what was expected, what was probably meant."""

import time
from typing import Any

import pytest

from services.contracts.workflow import InvalidWorkflow, Problem, parse
from services.contracts.workflow.limits import MAX_DEPTH, MAX_NODES
from services.contracts.workflow.node import MAX_PROBLEMS
from tests.support.workflows import definition


def problems(document: Any) -> list[Problem]:
    with pytest.raises(InvalidWorkflow) as refused:
        parse(document)
    return refused.value.problems


def only(document: Any) -> Problem:
    (problem,) = problems(document)
    return problem


SET = {"set": {"a": 1}}


@pytest.mark.parametrize(
    ("task", "pointer", "kind", "text"),
    [
        ({"sett": {"a": 1}}, "", "shape", "a task with one of call, do, emit"),
        ({"sett": {"a": 1}}, "", "shape", "did you mean set?"),
        ({"dance": {"a": 1}}, "", "shape", "switch, try, wait"),
        ({"set": {}}, "/set", "shape", "found an empty object; expected an object with at least one field"),
        ({"set": {"a": 1}, "call": "x"}, "", "shape", "found call and set in one task"),
        ({**SET, "outptu": {}}, "/outptu", "unknown-field", "did you mean output?"),
        ({**SET, "IF": "true"}, "/IF", "unknown-field", "did you mean if?"),
        ({**SET, "if": True}, "/if", "shape", "found true; expected a string (write it in quotes)"),
        ({**SET, "if": " "}, "/if", "rule", "one expression"),
        ({**SET, "if": "${ .a } and ${ .b }"}, "/if", "rule", "one expression"),
        ({**SET, "if": "${ .a"}, "/if", "shape", "a jq program between ${ and }"),
        ({"set": {"a": "${ }"}}, "/set/a", "shape", "a jq program between ${ and }"),
        ({"set": {"a": ["x ${ .b"]}}, "/set/a/0", "shape", "a jq program between ${ and }"),
        ({**SET, "input": {"schema": {}}}, "/input/schema", "shape", "exactly one of document, resource"),
        ({**SET, "input": {"schema": {"document": 1}}}, "/input/schema/document", "rule", "a JSON Schema"),
        (
            {**SET, "output": {"schema": {"format": "avro", "document": {}}}},
            "/output/schema/format",
            "unsupported",
            "json",
        ),
        ({**SET, "timeout": {}}, "/timeout", "shape", "found no after; expected the field after"),
        ({**SET, "timeout": "lnog"}, "/timeout", "rule", 'found "lnog"; expected a name in use.timeouts, which has'),
        ({"wait": "30s"}, "/wait", "shape", "an ISO 8601 duration such as PT30S"),
        ({"wait": 30}, "/wait", "shape", "an object such as seconds: 30"),
        ({"wait": {}}, "/wait", "shape", "at least one of days"),
        ({"wait": {"second": 30}}, "/wait/second", "unknown-field", "did you mean seconds?"),
        ({"wait": {"seconds": 1.5}}, "/wait/seconds", "shape", "a whole number"),
        ({"wait": {"seconds": -1}}, "/wait", "rule", "0 seconds to 100 years"),
        ({"call": 1}, "/call", "shape", "a string"),
        ({"call": "http"}, "", "shape", "found no with"),
        ({"call": "http", "with": {"method": "get", "endpoint": ""}}, "/with/endpoint", "shape", "a URI"),
        ({"call": "http", "with": {"method": "get", "endpoint": "a b"}}, "/with/endpoint", "shape", "a URI"),
        ({"call": "Add"}, "/call", "rule", "use lower-case letters"),
        ({"call": "a/b/c"}, "/call", "rule", "a Function's name or namespace/name"),
        ({"call": "add", "with": [1]}, "/with", "shape", "found a list of 1; expected an object"),
        ({"call": "grpc", "with": {}}, "/call", "unsupported", "grpc calls are not supported"),
        ({"call": "a2a", "with": {}}, "/call", "unsupported", "a2a calls are not supported"),
        ({"call": "mcp", "with": {}}, "/call", "unsupported", "mcp calls are not supported"),
        ({"call": "log:1.0.0@default"}, "/call", "unsupported", "no function is fetched from elsewhere"),
        ({"call": "https://example.com/f.yaml"}, "/call", "unsupported", "no function is fetched from elsewhere"),
        ({"run": {"container": {"image": "x"}}}, "/run/container", "unsupported", "deploy it and call it"),
        ({"run": {"script": {}}}, "/run/script", "unsupported", "make it a Function"),
        ({"run": {"shell": {}}}, "/run/shell", "unsupported", "make it a Function"),
        ({"run": {}}, "/run", "shape", "exactly one of workflow, container"),
        ({"for": {"in": [1]}, "do": []}, "/for/in/0", "shape", "other items come from an expression"),
        ({"for": {"in": ".x", "each": "a-b"}, "do": []}, "/for/each", "rule", "a name that jq takes for a variable"),
        ({"for": {"in": ".x", "each": "then"}, "do": []}, "/for/each", "rule", "a name that jq takes for a variable"),
        ({"for": {"in": ".x", "each": "context"}, "do": []}, "/for/each", "rule", "another name than those"),
        ({"for": {"in": ".x", "each": "index"}, "do": []}, "/for/at", "rule", "another variable than each"),
        (
            {"listen": {"to": {"any": []}}, "foreach": {"at": "item"}},
            "/foreach/at",
            "rule",
            "another variable than item",
        ),
        ({"for": {"in": ".x"}}, "", "shape", "found no do; expected the field do"),
        ({"emit": {"event": {"with": {"source": "/x"}}}}, "/emit/event/with", "shape", "found no type"),
        ({"listen": {"to": {}}}, "/listen/to", "shape", "found none of them; expected exactly one of all, any, one"),
        ({"listen": {"to": {"any": [], "all": []}}}, "/listen/to", "shape", "found all and any"),
        ({"listen": {"to": {"all": [], "until": "true"}}}, "/listen/to/until", "shape", "until only beside any"),
        ({"listen": {"to": {"one": {"with": {}}}}}, "/listen/to/one/with", "shape", "at least one attribute"),
        (
            {"listen": {"to": {"any": [], "until": {"any": [], "until": "true"}}}},
            "/listen/to/until/until",
            "shape",
            "no until inside until",
        ),
        ({"switch": []}, "/switch", "shape", "at least one case"),
        ({"switch": [{"a": {"when": ".x"}}]}, "/switch/0/a", "shape", "found no then"),
        (
            {"switch": [{"a": {"then": "end"}}, {"b": {"then": "exit"}}]},
            "/switch",
            "rule",
            "found a, b without when; expected at most one default case",
        ),
        ({"switch": [{"a/b": {"then": "nowhere"}}]}, "/switch/0/a~1b/then", "rule", "of its own list"),
        ({"try": []}, "", "shape", "found no catch"),
        ({"try": [], "catch": {"then": "conntinue"}}, "/catch/then", "rule", "did you mean continue?"),
        ({"try": [], "catch": {"retry": {"backoff": {}}}}, "/catch/retry/backoff", "shape", "exactly one of constant"),
        (
            {"try": [], "catch": {"retry": {"backoff": {"linear": {"increment": 1}}}}},
            "/catch/retry/backoff/linear",
            "unknown-field",
            "DSL 1.0 defines no properties of a backoff",
        ),
        (
            {"try": [], "catch": {"retry": {"limit": {"attempt": {"count": -1}}}}},
            "/catch/retry/limit/attempt/count",
            "rule",
            "not negative",
        ),
        ({"raise": {"error": "late"}}, "/raise/error", "rule", "a name in use.errors"),
        ({"raise": {"error": {"type": "/x"}}}, "/raise/error", "shape", "found no status"),
        (
            {"fork": {"branches": [{"a": {**SET, "then": "b"}}, {"b": SET}]}},
            "/fork/branches/0/a/then",
            "rule",
            "no task",
        ),
        ({**SET, "then": "b"}, "/then", "rule", 'found "b"; expected one of continue, exit, end, a'),
    ],
    ids=str,
)
def test_a_wrong_task(task: dict[str, Any], pointer: str, kind: str, text: str) -> None:
    problem = only(definition({"a": task}))
    assert (problem.pointer, problem.kind) == (f"/do/0/a{pointer}", kind)
    assert text in str(problem)
    assert str(problem).startswith(f"/do/0/a{pointer}: found ")


@pytest.mark.parametrize(
    ("fields", "pointer", "text"),
    [
        ({"shcedule": {}}, "/shcedule", "did you mean schedule?"),
        ({"do": None}, "/do", "found null; expected a list"),
        ({"do": {"a": SET}}, "/do", "found an object with a; expected a list"),
        ({"do": [{}]}, "/do/0", "one task: an object with its name as the only key"),
        ({"do": [{"a": SET, "b": SET}]}, "/do/0", "one task: an object with its name as the only key"),
        ({"do": [{"a": SET}, {"a": SET}]}, "/do/1/a", "/do/0/a has it"),
        ({"do": [{"end": SET}]}, "/do/0/end", "a name that is no directive"),
        ({"schedule": {}}, "/schedule", "at least one of every, cron, after, on"),
        ({"schedule": {"cron": "@daily"}}, "/schedule/cron", "a cron expression of five fields"),
        ({"schedule": {"cron": "* * * *"}}, "/schedule/cron", "a cron expression of five fields"),
        ({"schedule": {"every": {"milliseconds": 10}}}, "/schedule/every", "at least 1 s"),
        ({"schedule": {"every": "${ .x }"}}, "/schedule/every", "there is no data before a run"),
        ({"schedule": {"cron": "* * * * *", "read": "raw"}}, "/schedule/read", "on beside it"),
        ({"schedule": {"true": {"any": []}}}, "/schedule/true", 'write "on" in quotes'),
        ({"schedule": {True: {"any": []}}}, "/schedule/True", 'write "on" in quotes'),
        ({"evaluate": {"language": "js"}}, "/evaluate/language", "jq"),
        ({"evaluate": {"mode": "lose"}}, "/evaluate/mode", "did you mean loose?"),
        ({"use": {"catalogs": {}}}, "/use/catalogs", "catalogs are not supported"),
        ({"use": {"extensions": []}}, "/use/extensions", "extensions are not supported"),
        ({"use": {"function": {}}}, "/use/function", "did you mean functions?"),
        ({"use": {"functions": {"f": {"set": {}}}}}, "/use/functions/f/set", "at least one field"),
        ({"use": {"functions": {"f": {**SET, "then": "f"}}}}, "/use/functions/f/then", "no task follows this one"),
        ({"use": {"functions": {"http": SET}}}, "/use/functions/http", "no kind of call"),
        ({"use": {"authentications": {"a": {"use": "b"}}}}, "/use/authentications/a/use", "unknown field use"),
        (
            {"use": {"authentications": {"a": {"basic": {"use": "s"}}}}},
            "/use/authentications/a/basic/use",
            "use.secrets",
        ),
        (
            {"use": {"authentications": {"a": {"oidc": {"authority": "https://x", "grant": "authorization_code"}}}}},
            "/use/authentications/a/oidc/grant",
            "a person in front of a browser",
        ),
    ],
    ids=str,
)
def test_a_wrong_definition(fields: dict[str, Any], pointer: str, text: str) -> None:
    found = problems(definition(**fields) | fields)
    assert found[0].pointer == pointer
    assert text in str(found[0])


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("dsl", "1.1.0", "1.0.0 to 1.0.3"),
        ("dsl", "2.0.0", "1.0.0 to 1.0.3"),
        ("dsl", "1.0", "a semantic version"),
        ("dsl", 1.0, "a string"),
        ("version", "1", "a semantic version"),
        ("version", "01.0.0", "a semantic version"),
        ("name", "Tested", "lower-case letters"),
        ("name", "a.b", "lower-case letters"),
        ("name", "x" * 64, "lower-case letters"),
        ("namespace", "", "lower-case letters"),
        ("namespace", None, "found null; expected a string"),
    ],
)
def test_a_wrong_document(field: str, value: Any, text: str) -> None:
    document = definition()
    document["document"][field] = value
    problem = only(document)
    assert problem.pointer == f"/document/{field}"
    assert text in str(problem)


def test_all_problems_are_told_at_once() -> None:
    found = problems(
        definition({"a": {"wait": "x"}}, {"b": {"set": {}}}, {"c": {"call": "http", "with": {"metod": 1}}})
    )
    assert [problem.pointer for problem in found] == [
        "/do/0/a/wait",
        "/do/1/b/set",
        "/do/2/c/with/metod",
        "/do/2/c/with",
        "/do/2/c/with",
    ]


def test_functions_that_call_themselves_are_refused() -> None:
    use = {"functions": {"f": {"do": [{"x": {"call": "g"}}]}, "g": {"call": "f"}, "h": {"call": "f"}}}
    found = problems(definition({"a": {"call": "h"}}, use=use))
    assert [(problem.pointer, problem.kind) for problem in found] == [
        ("/use/functions/f", "rule"),
        ("/use/functions/g", "rule"),
    ]


def test_a_directive_reaches_only_its_own_list() -> None:
    inner = {"do": [{"x": {**SET, "then": "b"}}]}
    problem = only(definition({"a": inner}, {"b": SET}))
    assert problem.pointer == "/do/0/a/do/0/x/then"
    assert "only be followed by one of its own list" in problem.hint


def test_bounds_hold_for_documents_that_never_were_yaml() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    assert only(definition({"a": {"set": {"x": deep}}})).found == f"more than {MAX_DEPTH} nested levels"
    assert only(definition({"a": {"set": {"x": [0] * MAX_NODES}}})).found == f"more than {MAX_NODES} values"


def test_found_values_are_shown_short() -> None:
    problem = only(definition({"a": {"wait": "x" * 10_000}}))
    assert len(str(problem)) < 250


SECRET = "${ $secrets.api }"


def test_the_worst_documents_within_the_bounds_are_judged_soon() -> None:
    """A check that is quadratic in tasks, functions or problems would take minutes; these take about a second."""
    many = range(4000)
    lost = definition(*({f"t{i}": {**SET, "then": f"t{i}x"}} for i in many))
    assert len(problems(lost)) == MAX_PROBLEMS
    calls = (
        {f"t{i}": {"call": "add", "input": {"from": SECRET}, "with": {"x": SECRET}, "output": {"as": "."}}}
        for i in many
    )
    document = definition(*calls, use={"secrets": ["api"]})
    chain = {"functions": {f"f{i}": {"call": f"f{i + 1}"} for i in many} | {"f4000": SET}}
    begun = time.process_time()
    assert parse(document)
    assert parse(definition(use=chain))
    assert time.process_time() - begun < 20
