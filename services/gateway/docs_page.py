"""The page at ``/docs``: the OpenAPI document as plain HTML, with nothing fetched from anywhere. Pure."""

from html import escape
from typing import Any

import msgspec

from services.contracts.errors import ErrorBody
from services.contracts.runs import HistoryPage, RunList, RunView, Trace

POLICY = "default-src 'none'; style-src 'unsafe-inline'"

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h2 { margin-top: 2.5rem; text-transform: capitalize; } article { border-top: 1px solid #ddd; padding: .6rem 0; }
code, pre { font: 14px/1.5 ui-monospace, monospace; background: #f4f4f4; border-radius: 4px; padding: .1rem .3rem; }
pre { padding: .6rem; overflow-x: auto; } b.verb { display: inline-block; min-width: 4.5rem; }
dt { font-weight: 600; } dd { margin: 0 0 .3rem 1.5rem; }
@media (prefers-color-scheme: dark) {
  body { background: #16181c; color: #ddd; } code, pre { background: #24272d; } article { border-color: #333; }
  a { color: #8ab4f8; }
}
"""

_CALL_PARAMETERS: list[dict[str, Any]] = [
    {"name": "Faas-Timeout-Ms", "in": "header", "description": "Bounds the call: whole milliseconds, 1 to 3600000."},
    {"name": "Prefer", "in": "header", "description": "wait or wait=N: through a cold start, at most N s (RFC 7240)."},
    {"name": "Faas-Cold-Start", "in": "header", "description": "return, wait or wait=N: as Prefer, and before it."},
    {"name": "Faas-Id", "in": "header", "description": "The call's id; one is made when it is left out."},
]  # fmt: skip
_PATHS: dict[str, dict[str, Any]] = {
    "/{namespace}/{name}": {
        "post": {
            "tags": ["calls"],
            "summary": "Call a function",
            "description": "The body is the function's input as it is, its answer's body the result. The headers "
            "Faas-Id, Faas-Pod and Faas-Duration say more; Faas-Error has the stable code of an error.",
            "parameters": _CALL_PARAMETERS,
            "responses": {"200": {"description": "The result"}, "503": {"description": "Starting: see Retry-After"}},
        },
        "get": {
            "tags": ["calls"],
            "summary": "Check a function",
            "description": "Name, namespace, replicas, readyReplicas, revision and conditions; starts nothing.",
            "responses": {"200": {"description": "The function's state"}, "404": {"description": "There is none"}},
        },
    },
    "/api/v1/namespaces/{namespace}/functions/{name}/proxy/{path}": {
        "get": {
            "tags": ["calls"],
            "summary": "Any method, sub-path and query of an HTTP function",
            "description": "The function sees the real method, path and query, and an allow-list of headers.",
            "parameters": _CALL_PARAMETERS,
            "responses": {"200": {"description": "What the function answers"}},
        }
    },
}
_MESSAGES = (ErrorBody, RunView, RunList, Trace, HistoryPage)
"""Those that answers are made of."""


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI document with the addresses that no route of the framework serves."""
    paths = dict(document.get("paths", {}))
    for path, operations in _PATHS.items():
        named = [{"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}
                 for part in path.split("/") if part.startswith("{")]  # fmt: skip
        paths[path] = {"parameters": named, **operations}
    for operations in _PATHS.values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                parameter.setdefault("schema", {"type": "string"})
    _, schemas = msgspec.json.schema_components(_MESSAGES, ref_template="#/components/schemas/{name}")
    components = dict(document.get("components", {}))
    components["schemas"] = {**components.get("schemas", {}), **schemas}
    return {**document, "paths": paths, "components": components}


def render(document: dict[str, Any]) -> str:
    """The page for an OpenAPI document."""
    groups: dict[str, list[str]] = {"calls": []}
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            if verb != "parameters":
                group = (operation.get("tags") or ["platform"])[0]
                groups.setdefault(group, []).append(_operation(verb, path, operation))
    info = document["info"]
    body = "".join(f"<section><h2>{escape(name)}</h2>{''.join(items)}</section>" for name, items in groups.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info.get('description', ''))}</p>"
        f'<p>For programs: <a href="/openapi.json">openapi.json</a>.</p>{body}</body></html>'
    )


def _operation(verb: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<dt><code>{escape(found['name'])}</code> ({escape(found['in'])})</dt><dd>{escape(_about(found))}</dd>"
        for found in operation.get("parameters", [])
        if found["in"] != "path"
    )
    wanted = operation.get("requestBody", {}).get("description", "")
    return (
        f'<article><h3><b class="verb">{escape(verb.upper())}</b> <code>{escape(path)}</code></h3>'
        f"<p><strong>{escape(operation.get('summary', ''))}.</strong> {escape(operation.get('description', ''))}</p>"
        + (f"<p>Body: {escape(wanted)}</p>" if wanted else "")
        + (f"<dl>{parameters}</dl>" if parameters else "")
        + _answers(operation.get("responses", {}))
        + "</article>"
    )


def _answers(responses: dict[str, Any]) -> str:
    """The statuses that an operation answers with, where somebody has written what they mean."""
    found = [
        f"<code>{escape(status)}</code> {escape(response['description'])}"
        for status, response in responses.items()
        if response.get("description") not in (None, "Successful Response", "Validation Error")
    ]
    return f"<p>Answers: {'; '.join(found)}</p>" if found else ""


def _about(parameter: dict[str, Any]) -> str:
    described: str = parameter.get("description") or parameter.get("schema", {}).get("description", "")
    return described
