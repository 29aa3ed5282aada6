"""The call ``openapi``."""

import re
from collections.abc import Mapping
from typing import Any

from services.contracts.workflow.calls import OpenApiArguments
from services.workflow.calls import http
from services.workflow.calls.authorize import Sender
from services.workflow.calls.documents import Documents
from services.workflow.calls.exchange import Request
from services.workflow.calls.multipart import encoded, is_multipart
from services.workflow.calls.operations import Operation, check_given, operation_of, value_of
from services.workflow.calls.paths import path_text
from services.workflow.calls.policies import resolved
from services.workflow.calls.problems import configuration
from services.workflow.calls.values import headers_of, text_of

_COOKIE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")


async def call(
    sender: Sender, documents: Documents, arguments: OpenApiArguments, secrets: Mapping[str, Any], key: str
) -> Any:
    """The output of a call. Raises CallError."""
    policy = resolved(arguments.authentication, secrets)
    document = await documents.get(arguments.document, secrets)
    operation = operation_of(document, text_of(arguments.operation_id, "operationId"))
    given = arguments.parameters
    if given is not None and not isinstance(given, dict):
        raise configuration("parameters: expected an object")
    check_given(operation, given or {}, document.place)
    request = request_of(operation, given or {}, key, bool(secrets))
    return await http.perform(sender, request, policy, arguments.output, arguments.redirect, bool(secrets))


def request_of(operation: Operation, given: dict[str, Any], key: str, private: bool) -> Request:
    """The request of an operation with checked parameters. Raises CallError for values that can't be sent."""
    path, query, headers, cookies = operation.path, [], {}, []
    for parameter in operation.parameters:
        if given.get(parameter.name) is None:
            continue
        what = f"parameters: {parameter.name}"
        if parameter.place == "path":
            text = path_text(parameter, given[parameter.name], what)
            path = path.replace("{" + parameter.name + "}", text)
            continue
        pairs = value_of(parameter, given[parameter.name], what)
        if parameter.place == "query":
            query += pairs
        elif parameter.place == "header" and parameter.name.lower() not in ("accept", "content-type", "authorization"):
            headers[parameter.name] = pairs[0][1] if pairs else None
        elif parameter.place == "cookie":
            cookies += [f"{name}={_cookie(value, name)}" for name, value in pairs]
    made = headers_of(headers)
    if cookies:
        made["cookie"] = "; ".join(cookies)
    body = _body(operation, given)
    if body is not None:
        made["content-type"] = operation.body_type
    if body is not None and is_multipart(operation.body_type):
        if not isinstance(body, dict):
            raise configuration("parameters: a body of several parts is an object, with a field for each part")
        body, made["content-type"] = encoded(body, operation.files)
    uri = operation.server + "/" + path.lstrip("/")
    return http.request_of(
        method=operation.method, uri=uri, query=query, headers=made, body=body, key=key, private=private
    )


def _cookie(value: str, name: str) -> str:
    if not _COOKIE.fullmatch(value):
        raise configuration(f"parameters: {name}: a character that no cookie has")
    return value


def _body(operation: Operation, given: dict[str, Any]) -> Any:
    """The parameter that is the body, or the parameters that are none of path, query, header and cookie."""
    if not operation.body_type:
        return None
    if operation.body_name and operation.body_name in given:
        return given[operation.body_name]
    known = {each.name for each in operation.parameters}
    rest = {name: value for name, value in given.items() if name not in known}
    return rest or ({} if operation.body_required else None)
