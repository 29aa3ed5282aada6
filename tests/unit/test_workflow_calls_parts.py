"""OpenAPI's styles of path parameters, and bodies in parts."""

import email
import email.policy
from typing import Any

import pytest
from yarl import URL

from services.workflow.calls.documents import Document
from services.workflow.calls.exchange import Request
from services.workflow.calls.openapi import request_of
from services.workflow.calls.operations import check_given, operation_of
from services.workflow.calls.problems import CallError

HOME = URL("https://docs.example/specs/shop.json")
LIST, OBJECT = ["blue", "black", "a/b"], {"R": 100, "G": 200}


def request(document: dict[str, Any], /, **given: Any) -> Request:
    found = operation_of(Document(document, HOME, "the document"), "op")
    check_given(found, given, "the document")
    return request_of(found, given, "key", False)


def path(style: str, explode: bool | None, value: Any, **more: Any) -> str:
    parameter = {"name": "color", "in": "path", "required": True, "schema": {}, "style": style, **more}
    if explode is not None:
        parameter["explode"] = explode
    operation = {"operationId": "op", "parameters": [parameter]}
    made = request({"openapi": "3.1.0", "paths": {"/x{color}/y": {"get": operation}}}, color=value)
    return made.url.raw_path.removeprefix("/x").removesuffix("/y")


@pytest.mark.parametrize(
    ("style", "explode", "value", "text"),
    [  # the examples of OpenAPI 3.1, 4.8.12.4
        ("simple", None, "blue", "blue"),
        ("simple", None, LIST, "blue,black,a%2Fb"),
        ("simple", False, OBJECT, "R,100,G,200"),
        ("simple", True, OBJECT, "R=100,G=200"),
        ("label", None, "blue", ".blue"),
        ("label", None, 7, ".7"),
        ("label", False, LIST, ".blue,black,a%2Fb"),
        ("label", True, LIST, ".blue.black.a%2Fb"),
        ("label", False, OBJECT, ".R,100,G,200"),
        ("label", True, OBJECT, ".R=100.G=200"),
        ("matrix", None, "a b", ";color=a%20b"),
        ("matrix", None, "", ";color="),
        ("matrix", False, LIST, ";color=blue,black,a%2Fb"),
        ("matrix", True, LIST, ";color=blue;color=black;color=a%2Fb"),
        ("matrix", False, OBJECT, ";color=R,100,G,200"),
        ("matrix", True, OBJECT, ";R=100;G=200"),
    ],
)
def test_styles_of_path_parameters(style: str, explode: bool | None, value: Any, text: str) -> None:
    assert path(style, explode, value) == text


@pytest.mark.parametrize(
    ("style", "value", "said"),
    [
        ("simple", "", "expected a text that can stand in a path"),
        ("simple", "..", "expected a text that can stand in a path"),
        ("label", "", "expected a text that can stand in a path"),
        ("label", ".", "expected a text that can stand in a path"),
        ("matrix", [[1]], "found a list; expected a text"),
        ("form", "a", "a style that paths do not have: form"),
    ],
)
def test_what_can_stand_in_no_path_is_refused(style: str, value: Any, said: str) -> None:
    with pytest.raises(CallError, match="parameters: color: ") as refused:
        path(style, None, value)
    assert said in str(refused.value)


def parts(made: Request) -> list[tuple[str, str | None, str, bytes]]:
    """Name, file name, content type and content of each part, as the standard library reads them."""
    assert made.body is not None
    head = f"Content-Type: {made.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + made.body, policy=email.policy.HTTP)
    found = []
    for part in message.iter_parts():  # type: ignore[attr-defined]
        name = part.get_param("name", header="content-disposition")
        found.append((name, part.get_filename(), part.get_content_type(), part.get_payload(decode=True)))
    return found


def upload(properties: dict[str, Any], **schema: Any) -> dict[str, Any]:
    content = {"multipart/form-data": {"schema": {"type": "object", "properties": properties, **schema}}}
    operation = {"operationId": "op", "requestBody": {"required": True, "content": content}}
    return {"openapi": "3.1.0", "paths": {"/files": {"post": operation}}, "components": {"x": {"format": "binary"}}}


def test_a_body_in_parts_has_one_for_each_field() -> None:
    document = upload({
        "picture": {"type": "string", "format": "binary"},
        "others": {"type": "array", "items": {"$ref": "#/components/x"}},
        "raw": {"contentMediaType": "application/octet-stream"},
    })  # fmt: skip
    given = {
        "note": "a\r\n--b", "count": 3, "tags": ["x", "ü"], "who": {"a": [1]}, "left": None,
        "picture": "AP8=", "others": ["AQ==", "Ag=="], "raw": "Aw==",
    }  # fmt: skip
    file, text = "application/octet-stream", "text/plain"
    assert parts(request(document, **given)) == [
        ("note", None, text, b"a\r\n--b"), ("count", None, text, b"3"), ("tags", None, text, b"x"),
        ("tags", None, text, "ü".encode()), ("who", None, "application/json", b'{"a":[1]}'),
        ("picture", "picture", file, b"\x00\xff"), ("others", "others", file, b"\x01"),
        ("others", "others", file, b"\x02"), ("raw", "raw", file, b"\x03"),
    ]  # fmt: skip
    assert parts(request(document, body={'a"\r\nX: y': "1"}))[0][0] == "a%22%0D%0AX: y"


def test_swagger_files_are_parts() -> None:
    form = [{"name": name, "in": "formData", "type": kind} for name, kind in (("note", "string"), ("file", "file"))]
    consumes = ["application/x-www-form-urlencoded", "multipart/form-data"]
    operation = {"operationId": "op", "consumes": consumes, "parameters": form}
    document = {"swagger": "2.0", "host": "x.example", "paths": {"/files": {"post": operation}}}
    made = request(document, note="n", file="AP8=")
    assert [(name, content) for name, _, _, content in parts(made)] == [("note", b"n"), ("file", b"\x00\xff")]


@pytest.mark.parametrize("given", [{"picture": "no base64!"}, {"picture": 3}, {"body": "text"}, {"body": [1]}])
def test_what_can_be_no_part_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(CallError, match=r"in base64|is an object, with a field for each part"):
        request(upload({"picture": {"format": "binary"}}), **given)


def test_another_type_that_the_operation_takes_is_sent_before_parts() -> None:
    document = upload({})
    content = document["paths"]["/files"]["post"]["requestBody"]["content"]
    content["application/json"] = {}
    assert request(document, a=1).body == b'{"a":1}'
