"""A stub of the well-known pet store, as far as the specification's examples and kits of its kind call it: its
documents (Swagger 2.0, and OpenAPI 3 as its third version has it), and answers in the form of the real service's."""

from typing import Any
from urllib.parse import parse_qsl

Value = dict[str, Any]
PETS: dict[int, Value] = {
    1: {"id": 1, "name": "milou", "status": "pending"},  # as the specification's own example of an answer has it
    2: {"id": 2, "name": "rex", "status": "available"},
}
NO_PET = {"code": 1, "type": "error", "message": "Pet not found"}
LAST_PET = 90
"""Pets up to this number are there, those above are not."""


def _path(name: str, kind: str = "integer") -> Value:
    return {"name": name, "in": "path", "required": True, "type": kind}


def _query(name: str, kind: str = "string") -> Value:
    more = {"items": {"type": "string"}, "collectionFormat": "multi"} if kind == "array" else {}
    return {"name": name, "in": "query", "required": True, "type": kind} | more


_BODY: Value = {"name": "body", "in": "body", "required": True, "schema": {"type": "object"}}
_FORM: list[Value] = [{"name": name, "in": "formData", "type": "string"} for name in ("name", "status")]
_KEY: Value = {"name": "api_key", "in": "header", "type": "string"}
_OPERATIONS: list[tuple[str, str, str, list[Value]]] = [
    ("post", "/pet", "addPet", [_BODY]),
    ("put", "/pet", "updatePet", [_BODY]),
    ("get", "/pet/findByStatus", "findPetsByStatus", [_query("status", "array")]),
    ("get", "/pet/findByTags", "findPetsByTags", [_query("tags", "array")]),
    ("get", "/pet/{petId}", "getPetById", [_path("petId")]),
    ("post", "/pet/{petId}", "updatePetWithForm", [_path("petId"), *_FORM]),
    ("delete", "/pet/{petId}", "deletePet", [_path("petId"), _KEY]),
    ("get", "/store/inventory", "getInventory", []),
    ("post", "/store/order", "placeOrder", [_BODY]),
    ("get", "/store/order/{orderId}", "getOrderById", [_path("orderId")]),
    ("delete", "/store/order/{orderId}", "deleteOrder", [_path("orderId")]),
    ("post", "/user", "createUser", [_BODY]),
    ("get", "/user/login", "loginUser", [_query("username"), _query("password")]),
    ("get", "/user/logout", "logoutUser", []),
    ("get", "/user/{username}", "getUserByName", [_path("username", "string")]),
    ("put", "/user/{username}", "updateUser", [_path("username", "string"), _BODY]),
    ("delete", "/user/{username}", "deleteUser", [_path("username", "string")]),
]


def swagger(scheme: str, host: str, base: str) -> Value:
    """Its document in Swagger 2.0."""
    paths: dict[str, Value] = {}
    for method, path, name, parameters in _OPERATIONS:
        made: Value = {"operationId": name, "parameters": parameters, "responses": {"200": {"description": "fine"}}}
        if any(each["in"] == "body" for each in parameters):
            made["consumes"] = ["application/json", "application/xml"]
        elif any(each["in"] == "formData" for each in parameters):
            made["consumes"] = ["application/x-www-form-urlencoded"]
        paths.setdefault(path, {})[method] = made
    return {"swagger": "2.0", "host": host, "basePath": base, "schemes": [scheme], "paths": paths}


def openapi(server: str) -> Value:
    """Its document in OpenAPI 3; the server's URL may be relative to that of the document."""
    paths: dict[str, Value] = {}
    for method, path, name, parameters in _OPERATIONS:
        simple = [each for each in parameters if each["in"] not in ("body", "formData")]
        made: Value = {"operationId": name, "parameters": [_third(each) for each in simple]}
        if any(each["in"] == "body" for each in parameters):
            content = {kind: {"schema": {"type": "object"}} for kind in ("application/json", "application/xml")}
            made["requestBody"] = {"required": True, "content": content}
        paths.setdefault(path, {})[method] = made
    return {"openapi": "3.0.4", "servers": [{"url": server}], "paths": paths}


def _third(parameter: Value) -> Value:
    schema = {name: parameter[name] for name in ("type", "items") if name in parameter}
    return {name: parameter[name] for name in ("name", "in", "required") if name in parameter} | {"schema": schema}


def answer(method: str, path: str, query: Value, body: Any) -> tuple[int, Any]:
    """Status and value for a request, ``path`` being below the service's base."""
    parts = path.strip("/").split("/")
    group, rest = parts[0], parts[1:]
    if method in ("POST", "PUT") and not (group == "pet" and rest):
        return 200, body if group != "user" else _message("1")
    if group == "pet" and rest in (["findByStatus"], ["findByTags"]):
        wanted = query.get("status")
        return 200, [pet for pet in PETS.values() if pet["status"] == wanted or pet["status"] in (wanted or [])]
    if group == "pet" and len(rest) == 1:
        return _pet(method, rest[0], body)
    if parts == ["store", "inventory"]:
        return 200, {"sold": 0, "pending": 1, "available": 1}
    if method == "DELETE" or parts in (["user", "login"], ["user", "logout"]):
        return 200, _message("ok" if len(parts) < 2 else parts[-1])
    if parts[:2] == ["store", "order"] and len(parts) == 3:
        return 200, {"id": int(parts[2]), "petId": 1, "quantity": 1, "status": "placed", "complete": True}
    if group == "user" and len(rest) == 1:
        return 200, {"id": 1, "username": rest[0], "email": f"{rest[0]}@example.com", "userStatus": 1}
    return 404, _message("null for uri") | {"code": 404}


def _pet(method: str, text: str, body: Any) -> tuple[int, Any]:
    number = int(text) if text.isdigit() else 0
    if not 0 < number <= LAST_PET:
        return 404, NO_PET
    if method == "DELETE":
        return 200, _message(text)
    found = PETS.get(number, {"id": number, "name": f"pet {number}", "status": "available"})
    if method == "POST":  # a form
        fields = dict(parse_qsl(body)) if isinstance(body, str) else {}
        return 200, found | fields
    return 200, found


def _message(text: str) -> Value:
    return {"code": 200, "type": "unknown", "message": text}
