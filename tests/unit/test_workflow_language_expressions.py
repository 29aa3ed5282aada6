"""Where expressions and URI templates stand in a definition, and what comes in their place."""

import pytest

from services.contracts.workflow import (
    Definition,
    calls,
    parse,
    parse_yaml,
    schemas,
    tasks,
    walk,
)
from services.contracts.workflow.expressions import Expression, Interpolation, Template, fill, text_of
from services.contracts.workflow.uri import NotExpandable, expand
from tests.support.workflows import EVERYTHING, definition


@pytest.fixture(scope="module")
def everything() -> Definition:
    return parse_yaml(EVERYTHING)


def task(everything: Definition, name: str) -> tasks.Task:
    return next(task for task in walk(everything) if task.name == name)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("plain", "plain"),
        ("", ""),
        ("$x and {y}", "$x and {y}"),
        ("${ .a }", Expression(".a", "/p")),
        ("  ${.a}\n", Expression(".a", "/p")),
        ('${ {a: "}"} }', Expression('{a: "}"}', "/p")),
        ('${ "\\(.a | "}")" }', Expression('"\\(.a | "}")"', "/p")),
        ("${ .a # } }\n + 1 }", Expression(".a # } }\n + 1", "/p")),
        ("${ .a # why }", Expression(".a # why", "/p")),  # jq's comment would swallow the brace that ends it
        ("${ ] }", Expression("]", "/p")),  # for jq to refuse
        ("a ${ .b } c", Interpolation(("a ", Expression(".b", "/p"), " c"))),
        ("${ .a }-${ {b: 1}.b }", Interpolation((Expression(".a", "/p"), "-", Expression("{b: 1}.b", "/p")))),
    ],
)
def test_where_expressions_begin_and_end(text: str, read: object) -> None:
    assert text_of(text, "/p", loose=False) == read


def test_loose_mode_takes_any_string_for_an_expression() -> None:
    document = definition(
        {"a": {"set": {"x": ".y", "z": "${ .y }", "n": 1}}},
        {"b": {"call": "http", "with": {"method": "get", "endpoint": "https://example.com/{id}"}}},
        evaluate={"mode": "loose"},
    )
    made = parse(document)
    first, second = made.do
    assert isinstance(first, tasks.SetTask)
    assert isinstance(first.set, Template)
    assert first.set.value == {
        "x": Expression(".y", "/do/0/a/set/x", loose=True),
        "z": Expression(".y", "/do/0/a/set/z"),
        "n": 1,
    }
    assert isinstance(second, calls.CallHttp)
    assert second.with_.endpoint.uri == "https://example.com/{id}"


def test_all_expressions_and_schemas_are_listed_with_their_places(everything: Definition) -> None:
    places = [expression.pointer for expression in everything.expressions]
    assert len(places) == len(set(places)) + 1  # of the two in one string
    assert {"/input/from", "/do/11/events/foreach/do/0/log/with/event", "/use/retries/patient/when"} <= set(places)
    assert [place for place, _ in schemas(everything)] == [
        "/input/schema",
        "/output/schema",
        "/do/0/first/input/schema",
        "/do/0/first/output/schema",
        "/do/0/first/export/schema",
    ]


@pytest.mark.parametrize(
    ("template", "uri"),
    [
        ("https://x/{id}", "https://x/7"),
        ("https://x/{name}?q={name}", "https://x/a%20b%2Fc%3F?q=a%20b%2Fc%3F"),
        ("https://x/{pet.id}/{pet}", "https://x/9/"),
        ("{flag}-{none}-{missing}-{half}", "true---0.5"),
        ("{tilde}", "~._-%C3%A9"),
        ("no variable", "no variable"),
    ],
)
def test_uri_templates(template: str, uri: str) -> None:
    data = {"id": 7, "name": "a b/c?", "pet.id": 9, "flag": True, "none": None, "half": 0.5, "tilde": "~._-é"}
    assert expand(template, data) == uri


def test_a_uri_takes_no_object_and_data_may_be_anything() -> None:
    for value in ({}, []):
        with pytest.raises(NotExpandable, match=r"\{pet\}"):
            expand("/{pet}", {"pet": value})
    assert expand("/{pet}", [1]) == "/"


def test_filling_puts_values_where_expressions_stand() -> None:
    document = {"a": "${ .n }", "b": ["n is ${ .n }, s is ${ .s }", 1, None], "c": {"d": "constant"}}
    (task,) = parse(definition({"t": {"set": document}})).do
    assert isinstance(task, tasks.SetTask)
    values = {".n": {"x": [1, None]}, ".s": "text"}
    assert fill(task.set, lambda expression: values[expression.text]) == {
        "a": {"x": [1, None]},
        "b": ['n is {"x":[1,null]}, s is text', 1, None],
        "c": {"d": "constant"},
    }


def test_filling_never_evaluates_what_came_out_of_an_expression() -> None:
    (task,) = parse(definition({"t": {"set": {"a": "${ .x }"}}})).do
    assert isinstance(task, tasks.SetTask)
    assert fill(task.set, lambda _: "${ .secret }") == {"a": "${ .secret }"}
