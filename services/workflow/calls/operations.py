"""Operations of OpenAPI 3.x and Swagger 2.0 documents. Pure.

Both versions end in the same form here: Swagger's ``body`` parameter and ``formData`` are a request body.
"""

import re
from typing import Any

import msgspec
from yarl import URL

from services.workflow.calls.documents import Document, follow, listed, objects
from services.workflow.calls.multipart import MULTIPART, is_multipart
from services.workflow.calls.problems import configuration
from services.workflow.calls.values import FORM, JSON, text_of

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_VARIABLE = re.compile(r"\{([^{}]*)\}")


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter in path, query, header or cookie. ``separator``: what a list's items are joined by; empty: each is
    a parameter of its own. ``style``: that of OpenAPI 3."""

    name: str
    place: str
    required: bool
    style: str
    explode: bool
    separator: str
    json: bool = False


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """``body_name``: the parameter that is the body; ``fields``: those that are parts of one (None: any may be);
    ``files``: those of them that are bytes."""

    id: str
    method: str
    server: str
    path: str
    parameters: list[Parameter]
    body_type: str = ""
    body_name: str = ""
    body_required: bool = False
    fields: list[str] | None = None
    required_fields: list[str] = []
    files: list[str] = []


def operation_of(document: Document, operation_id: str) -> Operation:
    """The operation of that id. Raises CallError, with the ids that there are."""
    root, place = document.value, document.place
    version = str(root.get("openapi", root.get("swagger", "")))
    if not version.startswith(("3.", "2.")):
        raise configuration(f"{place}: expected OpenAPI 3.x or Swagger 2.0")
    known: list[str] = []
    for path, found in objects(root.get("paths")).items():
        item = objects(follow(root, found, place))
        for method in METHODS:
            operation = objects(item.get(method))
            if operation.get("operationId") == operation_id:
                given = [*listed(operation.get("parameters")), *listed(item.get("parameters"))]
                parameters = [objects(follow(root, each, place)) for each in given]
                make = _swagger if version.startswith("2.") else _openapi
                return make(document, item, operation, parameters, path=path, method=method, id=operation_id)
            known += [str(operation["operationId"])] if "operationId" in operation else []
    names = ", ".join(known[:20]) + (" …" if len(known) > 20 else "")
    raise configuration(f"{place}: no operation {operation_id}; there are: {names or 'none'}")


def _openapi(
    document: Document, item: dict[str, Any], operation: dict[str, Any], parameters: list[dict[str, Any]], **names: Any
) -> Operation:
    root, place = document.value, document.place
    body = objects(follow(root, operation.get("requestBody"), place))
    content = objects(body.get("content"))
    kind = _media_type(list(content), place) if content else ""
    schema = objects(follow(root, objects(content.get(kind)).get("schema"), place))
    servers = next((s for s in (operation.get("servers"), item.get("servers"), root.get("servers")) if s), None)
    return Operation(
        server=_server(document, listed(servers)),
        parameters=_distinct([_parameter(each) for each in parameters]),
        body_type=kind,
        body_name="body" if body else "",
        body_required=body.get("required") is True,
        required_fields=[str(each) for each in listed(schema.get("required"))],
        files=_files(root, schema, place) if is_multipart(kind) else [],
        **names,
    )


def _swagger(
    document: Document, item: dict[str, Any], operation: dict[str, Any], parameters: list[dict[str, Any]], **names: Any
) -> Operation:
    root, place = document.value, document.place
    whole = next((each for each in parameters if each.get("in") == "body"), None)
    form = [each for each in parameters if each.get("in") == "formData"]
    files = [str(each.get("name")) for each in form if each.get("type") == "file"]
    consumes = [str(each) for each in listed(operation.get("consumes") or root.get("consumes"))]
    kind = ""
    if whole is not None:
        kind = _media_type(consumes or [JSON], place)
    elif form:
        kind = MULTIPART if files else _media_type([FORM] if FORM in consumes or not consumes else consumes, place)
    simple = [each for each in parameters if each.get("in") not in ("body", "formData")]
    return Operation(
        server=_swagger_server(document),
        parameters=_distinct([_parameter(each) for each in simple]),
        body_type=kind,
        body_name=str(whole.get("name", "body")) if whole is not None else "",
        body_required=whole is not None and whole.get("required") is True,
        fields=[str(each.get("name")) for each in form] if form else None,
        required_fields=[str(each.get("name")) for each in form if each.get("required") is True],
        files=files,
        **names,
    )


def _files(root: dict[str, Any], schema: dict[str, Any], place: str) -> list[str]:
    """The fields of a body in parts that are bytes, or lists of them."""
    made = []
    for name, found in objects(schema.get("properties")).items():
        field = objects(follow(root, found, place))
        for each in (field, objects(follow(root, field.get("items"), place))):
            raw = each.get("contentMediaType") == "application/octet-stream" and "contentEncoding" not in each
            if each.get("format") == "binary" or raw:
                made.append(str(name))
    return made


def _media_type(kinds: list[str], place: str) -> str:
    """The type to send: JSON when it is taken, else a form, else the first that text can be, else parts."""
    for wanted in (
        lambda kind: kind == JSON or kind.endswith("+json"),
        lambda kind: kind == FORM,
        lambda kind: not kind.startswith("multipart/") and "*" not in kind,
        is_multipart,
    ):
        for kind in kinds:
            if wanted(kind.partition(";")[0].strip().lower()):
                return kind
    if "*/*" in kinds or "application/*" in kinds:
        return JSON
    raise configuration(f"{place}: the operation takes {', '.join(kinds)} alone, which can't be sent")


def _parameter(found: dict[str, Any]) -> Parameter:
    place = str(found.get("in", ""))
    style = str(found.get("style", "form" if place in ("query", "cookie") else "simple"))
    old = found.get("collectionFormat", "csv" if "type" in found else None)
    if old is not None:  # Swagger 2.0
        separator = {"ssv": " ", "tsv": "\t", "pipes": "|", "multi": ""}.get(str(old), ",")
        explode = old == "multi"
    else:
        explode = bool(found.get("explode", style in ("form", "deepObject")))
        separator = {"spaceDelimited": " ", "pipeDelimited": "|"}.get(style, ",")
        separator = "" if explode and style in ("form", "spaceDelimited", "pipeDelimited") else separator
    return Parameter(
        name=str(found.get("name", "")),
        place=place,
        required=found.get("required") is True or place == "path",
        style=style,
        explode=explode,
        separator=separator,
        json=any("json" in kind for kind in objects(found.get("content"))),
    )


def _distinct(parameters: list[Parameter]) -> list[Parameter]:
    """An operation's own parameters come first and replace those of its path."""
    return list({(each.place, each.name): each for each in reversed(parameters)}.values())[::-1]


def _server(document: Document, servers: list[Any]) -> str:
    """The first server with http, its variables by their defaults, relative to the document (OpenAPI 3.1, 4.8.5)."""
    made: list[str] = []
    for server in servers or [{"url": "/"}]:
        variables = objects(objects(server).get("variables"))
        filled = _VARIABLE.sub(
            lambda found, known=variables: str(objects(known.get(found[1])).get("default", "")),  # type: ignore[misc]
            str(objects(server).get("url", "/")),
        )
        try:
            made.append(str(document.url.join(URL(filled))))
        except ValueError:
            continue  # not a URL: as good as none
    usable = [url for url in made if url.startswith(("http://", "https://"))]
    if not usable:
        raise configuration(f"{document.place}: no server with http or https")
    return usable[0].partition("?")[0].rstrip("/")


def _swagger_server(document: Document) -> str:
    """Swagger 2.0: the document's own scheme and host where it names none."""
    root = document.value
    schemes = [each for each in listed(root.get("schemes")) if each in ("http", "https")] or [document.url.scheme]
    scheme = document.url.scheme if document.url.scheme in schemes else schemes[0]
    host = root.get("host") or document.url.raw_authority
    return f"{scheme}://{host}/{str(root.get('basePath', '/')).strip('/')}".rstrip("/")


def check_given(operation: Operation, given: dict[str, Any], place: str) -> None:
    """Raises CallError for parameters that are missing, or that the operation has not."""
    known = {each.name for each in operation.parameters}
    fields = operation.fields
    takes_rest = bool(operation.body_type) and fields is None
    extra = [name for name in given if name not in known and name != operation.body_name and not takes_rest]
    extra = [name for name in extra if name not in (fields or [])]
    if extra:
        names = [*sorted(known), *(fields or []), *([operation.body_name] if operation.body_name else [])]
        raise configuration(f"{place}: {operation.id} has no {', '.join(extra)}; it has {', '.join(names) or 'none'}")
    missing = [each.name for each in operation.parameters if each.required and given.get(each.name) is None]
    whole = operation.body_name and operation.body_name in given
    body_given = whole or any(name not in known for name in given)
    if operation.body_required and not body_given:
        missing.append(operation.body_name)
    if operation.body_type and not whole and (body_given or operation.fields):
        missing += [name for name in operation.required_fields if given.get(name) is None and name not in known]
    if missing:
        raise configuration(f"{place}: {operation.id} wants {', '.join(missing)}")


def value_of(parameter: Parameter, value: Any, what: str) -> list[tuple[str, str]]:
    """A parameter as one or more pairs of name and text, by its style."""
    if parameter.json:
        return [(parameter.name, msgspec.json.encode(value).decode())]
    if isinstance(value, list):
        items = [text_of(item, what) for item in value if item is not None]
        if not parameter.separator:
            return [(parameter.name, item) for item in items]
        return [(parameter.name, parameter.separator.join(items))]
    if isinstance(value, dict):
        pairs = [(name, text_of(item, what)) for name, item in value.items() if item is not None]
        if parameter.style == "deepObject":
            return [(f"{parameter.name}[{name}]", item) for name, item in pairs]
        if parameter.explode and parameter.style == "form":
            return pairs
        joint = "=" if parameter.explode else ","
        return [(parameter.name, ",".join(f"{name}{joint}{item}" for name, item in pairs))]
    return [(parameter.name, text_of(value, what))]
