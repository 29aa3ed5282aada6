"""Operations of OpenAPI and Swagger documents become requests."""

from typing import Any

import pytest
from yarl import URL

from services.workflow.calls.documents import Document
from services.workflow.calls.exchange import Request
from services.workflow.calls.openapi import request_of
from services.workflow.calls.operations import check_given, operation_of
from services.workflow.calls.problems import CallError

HOME = URL("https://docs.example/specs/shop.json")


def request(document: dict[str, Any], operation: str, /, **given: Any) -> Request:
    found = operation_of(Document(document, HOME, "the document"), operation)
    check_given(found, given, "the document")
    return request_of(found, given, "key", False)


def openapi(parameters: list[Any] | None = None, body: Any = None, method: str = "get", **more: Any) -> dict[str, Any]:
    path = more.pop("path", "/pets/{id}" if any(p.get("in") == "path" for p in parameters or []) else "/pets")
    operation = {"operationId": "op", "parameters": parameters or [], "responses": {}}
    if body is not None:
        operation["requestBody"] = body
    return {"openapi": "3.0.3", "paths": {path: {method: operation}}, **more}


def parameter(name: str, place: str = "query", **more: Any) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": {}, **more}


PETSTORE = {
    "swagger": "2.0",
    "host": "petstore.example",
    "basePath": "/v2",
    "schemes": ["https", "http"],
    "paths": {
        "/pet/findByStatus": {
            "get": {
                "operationId": "findPetsByStatus",
                "parameters": [
                    {"name": "status", "in": "query", "required": True, "type": "array", "collectionFormat": "multi"}
                ],
            }
        },
        "/pet/{petId}": {
            "parameters": [{"name": "petId", "in": "path", "required": True, "type": "integer"}],
            "get": {"operationId": "getPetById"},
            "post": {
                "operationId": "updateWithForm",
                "consumes": ["application/x-www-form-urlencoded"],
                "parameters": [
                    {"name": "name", "in": "formData", "type": "string", "required": True},
                    {"name": "api_key", "in": "header", "type": "string"},
                ],
            },
        },
        "/pet": {
            "post": {
                "operationId": "addPet",
                "consumes": ["application/xml", "application/json"],
                "parameters": [{"$ref": "#/parameters/Pet"}],
            }
        },
    },
    "parameters": {"Pet": {"in": "body", "name": "pet", "required": True, "schema": {}}},
}


def test_swagger_query_path_header_form_and_body() -> None:
    assert str(request(PETSTORE, "findPetsByStatus", status="available").url) == (
        "https://petstore.example/v2/pet/findByStatus?status=available"
    )
    assert request(PETSTORE, "findPetsByStatus", status=["a", "b"]).url.query_string == "status=a&status=b"
    assert request(PETSTORE, "getPetById", petId=7).url.path == "/v2/pet/7"
    form = request(PETSTORE, "updateWithForm", petId=7, name="A b", api_key="k")
    assert (form.method, form.body, form.headers["api_key"]) == ("POST", b"name=A+b", "k")
    for given in ({"pet": {"n": 1}}, {"n": 1}):
        added = request(PETSTORE, "addPet", **given)
        assert (added.body, added.headers["content-type"]) == (b'{"n":1}', "application/json")
    assert added.headers["idempotency-key"] == "key"


def test_swagger_without_a_host_is_where_its_document_is() -> None:
    document = {name: PETSTORE[name] for name in ("swagger", "paths", "parameters")}
    assert str(request(document, "getPetById", petId=1).url) == "https://docs.example/pet/1"


@pytest.mark.parametrize(
    ("more", "value", "query"),
    [
        ({}, ["a", "b"], "p=a&p=b"),
        ({"explode": False}, ["a", "b"], "p=a,b"),
        ({"style": "spaceDelimited", "explode": False}, ["a", "b"], "p=a%20b"),
        ({"style": "pipeDelimited", "explode": False}, ["a", "b"], "p=a%7Cb"),
        ({"style": "deepObject"}, {"x": 1, "y": "z"}, "p%5Bx%5D=1&p%5By%5D=z"),
        ({}, {"x": 1, "y": "z"}, "x=1&y=z"),
        ({"explode": False}, {"x": 1}, "p=x,1"),
        ({"content": {"application/json": {}}}, {"x": 1}, "p=%7B%22x%22%3A1%7D"),
        ({}, True, "p=true"),
        ({}, None, ""),
    ],
)
def test_styles_of_query_parameters(more: dict[str, Any], value: Any, query: str) -> None:
    made = request(openapi([parameter("p", **more)]), "op", p=value)
    assert made.url.raw_query_string.replace("%2C", ",") == query


def test_path_header_and_cookie_parameters() -> None:
    document = openapi([parameter("id", "path"), parameter("X-Trace", "header"), parameter("s", "cookie")])
    made = request(document, "op", id="a/b ü", **{"X-Trace": "t", "s": "v"})
    assert made.url.raw_path == "/pets/a%2Fb%20%C3%BC"
    assert (made.headers["x-trace"], made.headers["cookie"]) == ("t", "s=v")


@pytest.mark.parametrize("given", [{"id": ".."}, {"id": ""}, {"id": 1, "X": "a\r\nb"}, {"id": 1, "s": "a; b=c"}])
def test_values_that_would_change_the_request_are_refused(given: dict[str, Any]) -> None:
    document = openapi([parameter("id", "path"), parameter("X", "header"), parameter("s", "cookie")])
    with pytest.raises(CallError):
        request(document, "op", **given)


def test_servers_variables_and_relative_ones() -> None:
    assert str(request(openapi(), "op").url) == "https://docs.example/pets"
    assert str(request(openapi(servers=[{"url": "../api"}]), "op").url) == "https://docs.example/api/pets"
    servers = [
        {"url": "ws://x.example"},
        {"url": "https://{region}.x.example/v1/", "variables": {"region": {"default": "eu"}}},
    ]
    assert str(request(openapi(servers=servers), "op").url) == "https://eu.x.example/v1/pets"
    own = openapi(servers=servers)
    own["paths"]["/pets"]["get"]["servers"] = [{"url": "https://own.example"}]
    assert request(own, "op").url.host == "own.example"
    with pytest.raises(CallError, match="no server with http"):
        request(openapi(servers=[{"url": "ws://x.example"}]), "op")


def test_bodies_of_openapi() -> None:
    schema = {"type": "object", "required": ["name"]}
    body = {"required": True, "content": {"text/plain": {}, "application/json": {"schema": schema}}}
    document = openapi([parameter("id", "path")], body, "put")
    assert request(document, "op", id=1, name="n", tag="t").body == b'{"name":"n","tag":"t"}'
    assert request(document, "op", id=1, body=[1]).body == b"[1]"
    with pytest.raises(CallError, match="op wants body"):
        request(document, "op", id=1)
    with pytest.raises(CallError, match="op wants name"):
        request(document, "op", id=1, tag="t")
    text = openapi(body={"content": {"text/csv": {}}}, method="post")
    assert request(text, "op", body="a,b").body == b"a,b"
    upload = openapi(body={"content": {"multipart/mixed": {}}}, method="post")
    with pytest.raises(CallError, match="multipart/mixed alone"):
        request(upload, "op", body="x")


def test_references_are_followed_within_the_document_only() -> None:
    document = openapi([{"$ref": "#/components/parameters/a~1b"}])
    document["components"] = {"parameters": {"a/b": parameter("p")}}
    assert request(document, "op", p=1).url.query_string == "p=1"
    for reference, why in (
        ("other.json#/x", "another document"),
        ("#/components/gone", "not there"),
        ("#/components/loop", "leads to itself"),
    ):
        broken = openapi([{"$ref": reference}], components={"loop": {"$ref": "#/components/loop"}})
        with pytest.raises(CallError, match=why):
            request(broken, "op")


def test_what_is_wrong_is_told_with_what_there_is() -> None:
    document = openapi([parameter("id", "path"), parameter("q", required=True)])
    for name, given, why in (
        ("none", {}, "no operation none; there are: op"),
        ("op", {"q": 1}, "op wants id"),
        ("op", {"id": 1}, "op wants q"),
        ("op", {"id": 1, "q": 1, "z": 1}, "op has no z; it has id, q"),
    ):
        with pytest.raises(CallError, match=why) as raised:
            request(document, name, **given)
        assert raised.value.error["status"] == 400
    for wrong in ({}, {"openapi": "4.0.0"}, {"openapi": "3.0.0", "paths": 3}, {"openapi": "3.0.0", "paths": {"/": 1}}):
        with pytest.raises(CallError):
            request(wrong, "op")
