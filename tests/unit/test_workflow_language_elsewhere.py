"""Schemas by ``resource``: what of them is refused before anybody fetches, and ``$ref`` to what is not there."""

from typing import Any

import pytest

from services.contracts.workflow import InvalidWorkflow, parse
from services.contracts.workflow.data import Schema
from services.contracts.workflow.elsewhere import MAX_RESOURCES, elsewhere
from services.workflow.engine.errors import Raised
from services.workflow.engine.schemas import check_references
from tests.support.workflows import definition

URI = "https://x.example/schema.json"
PLACE = "/input/schema/resource/endpoint"
TASK = {"keep": {"set": {"a": 1}}}


def with_resource(endpoint: Any, **fields: Any) -> dict[str, Any]:
    return definition(TASK, input={"schema": {"format": "json", "resource": {"endpoint": endpoint}}}, **fields)


def oauth(authority: str) -> dict[str, Any]:
    return {"oauth2": {"authority": authority, "grant": "client_credentials"}}


@pytest.mark.parametrize(
    ("endpoint", "pointer", "said"),
    [
        ("${ .uri }", PLACE, "found an expression; expected a constant URI (a schema is fetched once, before any run"),
        ("https://x.example/${ .name }.json", PLACE, "found an expression; expected a constant URI"),
        ({"uri": "${ .uri }"}, PLACE, "found an expression; expected a constant URI"),
        ("https://x.example/{name}.json", PLACE, "expected a URI without {name} in it (a schema is fetched once"),
        ("schema.json", PLACE, "expected an absolute URI with http or https"),
        ("ftp://x.example/schema.json", PLACE, "expected an absolute URI with http or https"),
        ("https://user:secret@x.example/schema.json", PLACE, "and no user in it"),
        ({"uri": URI, "authentication": oauth("https://{tenant}.example")}, f"{PLACE}/authentication", "an authority"),
        ({"uri": URI, "authentication": {"use": "tenant"}}, f"{PLACE}/authentication", "an authority without {name}"),
    ],
)
def test_what_says_where_a_schema_is_has_to_be_constant(endpoint: Any, pointer: str, said: str) -> None:
    use = {"authentications": {"tenant": oauth("https://x.example/{tenant}")}}
    with pytest.raises(InvalidWorkflow) as refused:
        parse(with_resource(endpoint, use=use))
    (problem,) = refused.value.problems
    assert (problem.pointer, problem.kind) == (pointer, "rule")
    assert said in str(problem)


@pytest.mark.parametrize("mode", ["strict", "loose"])
def test_every_place_of_a_schema_may_have_it_elsewhere(mode: str) -> None:
    there = {"schema": {"resource": {"name": "s", "endpoint": {"uri": URI}}}}
    subscription = {"consume": {"amount": 1}, "foreach": {"output": there, "export": there}}
    with_ = {"document": {"endpoint": URI}, "channel": "news", "subscription": subscription}
    made = parse(
        definition(
            {"task": {"set": {"a": 1}, "input": there, "output": there, "export": there}},
            {"events": {"listen": {"to": {"any": []}}, "foreach": {"output": there, "export": there}}},
            {"messages": {"call": "asyncapi", "with": with_}},
            {"called": {"call": "own", "with": {}}},
            input=there,
            output=there,
            use={"functions": {"own": {"call": "add", "input": there}}},
            evaluate={"mode": mode},
        )
    )
    assert sorted(pointer for pointer, _ in elsewhere(made)) == sorted([
        "/input/schema", "/output/schema",
        "/do/0/task/input/schema", "/do/0/task/output/schema", "/do/0/task/export/schema",
        "/do/1/events/foreach/output/schema", "/do/1/events/foreach/export/schema",
        "/do/2/messages/with/subscription/foreach/output/schema",
        "/do/2/messages/with/subscription/foreach/export/schema",
        "/use/functions/own/input/schema",
    ])  # fmt: skip


def test_there_are_not_too_many() -> None:
    there = {"schema": {"resource": {"endpoint": URI}}}
    tasks = [{f"t{number}": {"set": {"a": 1}, "input": there}} for number in range(MAX_RESOURCES + 1)]
    parse(definition(*tasks[:-1]))
    with pytest.raises(InvalidWorkflow, match="found 51 schemas that are elsewhere; expected at most 50"):
        parse(definition(*tasks))


RIGHT: list[Any] = [
    {"$defs": {"a": {"type": "string"}}, "items": {"$ref": "#/$defs/a"}},
    {"properties": {"$ref": {"type": "string"}}},
    {"enum": [{"$ref": "nowhere"}]},
    {"$id": "https://x.example/a", "$defs": {"b": {"$id": "b", "items": {"$ref": "a"}}}, "items": {"$ref": "b"}},
    {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"a": {}},
        "not": {"$ref": "#/definitions/a"},
    },
    {"$ref": "#"},
    True,
]


@pytest.mark.parametrize("document", RIGHT)
def test_references_within_a_schema_are_followed(document: Any) -> None:
    check_references(Schema(document=document))


@pytest.mark.parametrize("reference", ["#/$defs/b", "b.json", "https://x.example/b", "#b", "http://[b", "#/items/b"])
def test_a_reference_to_what_is_not_in_the_schema_is_found_wherever_it_stands(reference: str) -> None:
    for document in ({"$ref": reference}, {"items": {"anyOf": [{}, {"$ref": reference}]}}):
        with pytest.raises(Raised) as raised:
            check_references(Schema(document=document))
        assert raised.value.error["detail"] == f"a schema refers to {reference}, which is not in it"
