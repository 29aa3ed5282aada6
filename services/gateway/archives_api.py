"""Archives over HTTP, by the SHA-256 of their bytes."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse

from services.contracts.archives import MAX_ARCHIVE, is_digest
from services.contracts.errors import Code, FaasError
from services.gateway.archive_store import ArchiveStore, Stored
from services.gateway.request import body_chunks, check_length, checked_label, fields_of
from services.gateway.resources_api import Namespace, json_response

Digest = Annotated[str, Path(description="SHA-256 of the archive's bytes, 64 lower-case hexadecimal digits.")]
_BODY = {
    "requestBody": {"description": f"The archive, at most {MAX_ARCHIVE} bytes.", "content": {"application/gzip": {}}}
}


def _checked(namespace: str, digest: str) -> None:
    checked_label(namespace, "namespace")
    if not is_digest(digest):
        raise FaasError(
            Code.INVALID_NAME, f"the archive {digest[:80]!a} is not a SHA-256 in 64 lower-case hexadecimal digits"
        )


async def _found(store: ArchiveStore, namespace: str, digest: str) -> Stored:
    _checked(namespace, digest)
    stored = await store.find(namespace, digest)
    if stored is None:
        raise FaasError(Code.NOT_FOUND, f"the namespace {namespace} has no archive {digest}")
    return stored


def _fields(stored: Stored, digest: str) -> dict[str, str]:
    return {"content-length": str(stored.size), "etag": f'"{digest}"', "cache-control": "private, immutable"}


def router(store: ArchiveStore) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/api/v1/namespaces/{namespace}/archives", tags=["archives"])

    @routes.head("/{digest}", summary="Ask whether an archive is there")
    async def head_archive(namespace: Namespace, digest: Digest) -> Response:
        stored = await _found(store, namespace, digest)
        return Response(headers=_fields(stored, digest), media_type="application/gzip")

    @routes.get("/{digest}", summary="Fetch an archive")
    async def get_archive(namespace: Namespace, digest: Digest) -> Response:
        stored = await _found(store, namespace, digest)
        return StreamingResponse(store.read(stored), headers=_fields(stored, digest), media_type="application/gzip")

    @routes.put("/{digest}", status_code=201, summary="Store an archive", openapi_extra=_BODY)
    async def put_archive(namespace: Namespace, digest: Digest, request: Request) -> Response:
        _checked(namespace, digest)
        check_length(fields_of(request.scope["headers"]), MAX_ARCHIVE)
        stored = await store.find(namespace, digest)
        if stored is not None:
            return json_response({"digest": digest, "size": stored.size})
        size = await store.put(namespace, digest, _body(request))
        return json_response({"digest": digest, "size": size}, 201)

    return routes


def _body(request: Request) -> AsyncIterator[bytes]:
    return body_chunks(request.receive)
