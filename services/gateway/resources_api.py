"""Functions and Workflows as resources: the platform's HTTP API in front of the API server."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Request, Response

from services.common.kube import KubeClient
from services.contracts.names import FunctionRef
from services.contracts.resources import GROUP, VERSION
from services.gateway.kinds import FUNCTION, Kind
from services.gateway.request import checked_ref
from services.gateway.resources import Resources

Namespace = Annotated[str, Path(description="A DNS-1123 label.")]
Name = Annotated[str, Path(description="The resource's name, a DNS-1123 label.")]


def json_response(content: Any, status: int = 200) -> Response:
    """An answer in JSON; bytes are JSON already."""
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    return Response(body, status, media_type="application/json")


async def read_function(kube: KubeClient, ref: FunctionRef) -> bytes:
    """The Function as the API server has it. Raises FaasError."""
    return await Resources(kube, FUNCTION, False).read(ref)


def everywhere(kube: KubeClient, kind: Kind) -> APIRouter:
    """The route that spans all namespaces; the door asks for a token that opens all of them."""
    routes = APIRouter(prefix="/api/v1", tags=[kind.plural])
    resources = Resources(kube, kind, False)

    @routes.get(f"/{kind.plural}", summary=f"List the {kind.plural} of all namespaces")
    async def list_everywhere() -> Response:
        path = f"/apis/{GROUP}/{VERSION}/{kind.plural}"
        return json_response({"items": await resources.items(path, "the resource")})

    return routes


def router(kube: KubeClient, kind: Kind, create_namespaces: bool) -> APIRouter:
    """The routes of one kind; see the setting ``create_namespaces``."""
    routes = APIRouter(prefix=f"/api/v1/namespaces/{{namespace}}/{kind.plural}", tags=[kind.plural])
    resources = Resources(kube, kind, create_namespaces)
    manifest = {"requestBody": _manifest_of(kind)}

    @routes.get("", summary=f"List the {kind.plural} of a namespace")
    async def list_all(namespace: Namespace) -> Response:
        items = await resources.items(kind.collection(namespace), f"namespace {namespace}")
        return json_response({"items": items})

    @routes.post("", status_code=201, summary=f"Create a {kind.noun}", openapi_extra=manifest)
    async def create(namespace: Namespace, request: Request) -> Response:
        ref, wanted = await resources.manifest(request, namespace, None)
        wanted["metadata"].pop("resourceVersion", None)
        return json_response(await resources.create(ref, wanted), 201)

    @routes.get("/{name}", summary=f"Read a {kind.noun}")
    async def read(namespace: Namespace, name: Name) -> Response:
        return json_response(await resources.read(checked_ref(namespace, name)))

    @routes.put("/{name}", summary=f"Create a {kind.noun} or replace its spec", openapi_extra=manifest)
    async def put(namespace: Namespace, name: Name, request: Request) -> Response:
        ref, wanted = await resources.manifest(request, namespace, checked_ref(namespace, name).name)
        status, stored = await resources.put(ref, wanted)
        return json_response(stored, status)

    @routes.delete("/{name}", summary=f"Delete a {kind.noun}{_WITH_IT[kind.name]}")
    async def delete(namespace: Namespace, name: Name) -> Response:
        return json_response(await resources.delete(checked_ref(namespace, name)))

    return routes


_WITH_IT = {"Function": " and its Pods", "Workflow": "; its runs go on to their end"}


def _manifest_of(kind: Kind) -> dict[str, Any]:
    schema: dict[str, Any] = {"schema": {"type": "object"}}
    return {
        "required": True,
        "description": f"A manifest of {GROUP}/{VERSION} {kind.name}, as JSON or (by its Content-Type) YAML.",
        "content": {"application/json": schema, "application/yaml": schema},
    }
