"""Functions as resources: the platform's HTTP API in front of the API server."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Request, Response

from services.common.kube import ApiError, KubeClient
from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.contracts.resources import GROUP, VERSION
from services.gateway.errors import of_api_server
from services.gateway.manifests import Document, checked, read_document, replaced
from services.gateway.request import check_length, checked_ref, fields_of, read_body

MAX_MANIFEST = 1024 * 1024
"""Bytes; the API server takes no more than about 1.5 MiB, and inline sources are limited to 64 KiB."""
_ATTEMPTS = 5
"""How often a replacement is decided anew when somebody (the scaler's status aside) changed the function meanwhile."""

Namespace = Annotated[str, Path(description="A DNS-1123 label.")]
Name = Annotated[str, Path(description="The function's name, a DNS-1123 label.")]
_MANIFEST = {
    "requestBody": {
        "required": True,
        "description": "A manifest of faas.dev/v1alpha1 Function, as JSON or (by its Content-Type) YAML.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/yaml": {"schema": {"type": "object"}},
        },
    }
}


def collection(namespace: str) -> str:
    """The API server's path of a namespace's Functions."""
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/functions"


def json_response(content: Any, status: int = 200) -> Response:
    """An answer in JSON; bytes are JSON already."""
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    return Response(body, status, media_type="application/json")


async def read_function(kube: KubeClient, ref: FunctionRef) -> bytes:
    """The Function as the API server has it. Raises FaasError."""
    try:
        return await kube.request("GET", f"{collection(ref.namespace)}/{ref.name}")
    except ApiError as error:
        raise of_api_server(error, f"function {ref}") from None


async def _manifest(request: Request, namespace: str, name: str | None) -> tuple[FunctionRef, Document]:
    check_length(fields_of(request.scope["headers"]), MAX_MANIFEST)
    body = await read_body(request.receive, MAX_MANIFEST)
    return checked(read_document(request.headers.get("content-type", ""), body), namespace, name)


async def _create(kube: KubeClient, ref: FunctionRef, wanted: Document, namespaces: bool) -> bytes:
    """The created object; with ``namespaces``, its namespace is made when it is missing. Raises ApiError."""
    try:
        return await kube.create(collection(ref.namespace), wanted)
    except ApiError as error:
        # 404 is also the answer to a kind that is not installed
        if not namespaces or error.status != 404 or not error.message.startswith("namespaces "):
            raise
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ref.namespace}}
    try:
        await kube.create("/api/v1/namespaces", body)
    except ApiError as error:
        if error.reason != "AlreadyExists":  # somebody else was as quick
            raise
    return await kube.create(collection(ref.namespace), wanted)


async def _replace(kube: KubeClient, ref: FunctionRef, wanted: Document, namespaces: bool) -> tuple[int, bytes]:
    """Status and object. Raises ApiError."""
    path = f"{collection(ref.namespace)}/{ref.name}"
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            current = await kube.request("GET", path)
        except ApiError as error:
            if error.status != 404 or "resourceVersion" in wanted["metadata"]:
                raise
            try:
                return 201, await _create(kube, ref, wanted, namespaces)
            except ApiError as refusal:
                if refusal.reason != "AlreadyExists" or attempt == _ATTEMPTS:
                    raise
                continue
        body = replaced(msgspec.json.decode(current), wanted)
        if body is None:
            return 200, current
        try:
            return 200, await kube.request("PUT", path, body=body)
        except ApiError as error:
            if error.status != 409 or "resourceVersion" in wanted["metadata"] or attempt == _ATTEMPTS:
                raise
    raise FaasError(Code.CONFLICT, f"function {ref} keeps changing; try again", retry_after=1)


def everywhere(kube: KubeClient) -> APIRouter:
    """The route that spans all namespaces; the door asks for a token that opens all of them."""
    routes = APIRouter(prefix="/api/v1", tags=["functions"])

    @routes.get("/functions", summary="List the functions of all namespaces")
    async def list_all_functions() -> Response:
        found = msgspec.json.decode(await kube.request("GET", f"/apis/{GROUP}/{VERSION}/functions"))
        return json_response({"items": found["items"]})

    return routes


def router(kube: KubeClient, create_namespaces: bool) -> APIRouter:
    """The routes; see the setting ``create_namespaces``."""
    routes = APIRouter(prefix="/api/v1/namespaces/{namespace}/functions", tags=["functions"])

    @routes.get("", summary="List the functions of a namespace")
    async def list_functions(namespace: Namespace) -> Response:
        try:
            found = msgspec.json.decode(await kube.request("GET", collection(namespace)))
        except ApiError as error:
            raise of_api_server(error, f"namespace {namespace}") from None
        return json_response({"items": found["items"]})

    @routes.post("", status_code=201, summary="Create a function", openapi_extra=_MANIFEST)
    async def create_function(namespace: Namespace, request: Request) -> Response:
        ref, wanted = await _manifest(request, namespace, None)
        wanted["metadata"].pop("resourceVersion", None)
        try:
            return json_response(await _create(kube, ref, wanted, create_namespaces), 201)
        except ApiError as error:
            about = f"namespace {namespace}" if error.status == 404 else f"function {ref}"
            raise of_api_server(error, about) from None

    @routes.get("/{name}", summary="Read a function")
    async def get_function(namespace: Namespace, name: Name) -> Response:
        return json_response(await read_function(kube, checked_ref(namespace, name)))

    @routes.put("/{name}", summary="Create a function or replace its spec", openapi_extra=_MANIFEST)
    async def put_function(namespace: Namespace, name: Name, request: Request) -> Response:
        ref, wanted = await _manifest(request, namespace, checked_ref(namespace, name).name)
        try:
            status, stored = await _replace(kube, ref, wanted, create_namespaces)
        except ApiError as error:
            # 404 of a creation: its namespace is not there
            creating = error.status == 404 and "resourceVersion" not in wanted["metadata"]
            raise of_api_server(error, f"namespace {namespace}" if creating else f"function {ref}") from None
        return json_response(stored, status)

    @routes.delete("/{name}", summary="Delete a function and its Pods")
    async def delete_function(namespace: Namespace, name: Name) -> Response:
        ref = checked_ref(namespace, name)
        try:
            return json_response(await kube.delete(f"{collection(namespace)}/{name}"))
        except ApiError as error:
            raise of_api_server(error, f"function {ref}") from None

    return routes
