"""Resources of one kind at the API server, as the gateway's users read and write them."""

import asyncio

import msgspec
from fastapi import Request

from services.common.kube import ApiError, KubeClient
from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.gateway.errors import of_api_server
from services.gateway.kinds import Kind
from services.gateway.manifests import Document, checked, read_document, replaced
from services.gateway.request import check_length, fields_of, read_body

MAX_MANIFEST = 1024 * 1024
"""Bytes; the API server takes no more than about 1.5 MiB. Inline sources are limited to 64 KiB, workflows' definitions
to 512 KiB and their inputs to 256 KiB."""
_ATTEMPTS = 5
"""How often a replacement is decided anew when somebody (a status aside) changed the object meanwhile."""


class Resources:
    """Those of one kind. ``namespaces``: a creation makes its namespace when it is missing."""

    def __init__(self, kube: KubeClient, kind: Kind, namespaces: bool) -> None:
        self.kind = kind
        self._kube = kube
        self._namespaces = namespaces
        self._one_at_a_time = asyncio.Lock()

    def about(self, ref: FunctionRef) -> str:
        """What messages call it."""
        return f"{self.kind.noun} {ref}"

    async def manifest(self, request: Request, namespace: str, name: str | None) -> tuple[FunctionRef, Document]:
        """What a request's body is about, and what of it is to be stored. Raises FaasError."""
        check_length(fields_of(request.scope["headers"]), MAX_MANIFEST)
        body = await read_body(request.receive, MAX_MANIFEST)

        def read() -> tuple[FunctionRef, Document]:
            document = read_document(request.headers.get("content-type", ""), body, self.kind)
            return checked(document, namespace, name, self.kind)

        if not self.kind.slow:
            return read()
        async with self._one_at_a_time:  # threads share the interpreter with all calls
            return await asyncio.to_thread(read)

    async def items(self, path: str, about: str) -> list[Document]:
        """The objects of a collection. Raises FaasError."""
        try:
            found: list[Document] = msgspec.json.decode(await self._kube.request("GET", path))["items"]
        except ApiError as error:
            raise of_api_server(error, about) from None
        return found

    async def read(self, ref: FunctionRef) -> bytes:
        """The object as the API server has it. Raises FaasError."""
        try:
            return await self._kube.request("GET", self._path(ref))
        except ApiError as error:
            raise of_api_server(error, self.about(ref)) from None

    async def create(self, ref: FunctionRef, wanted: Document) -> bytes:
        """The created object. Raises FaasError."""
        try:
            return await self._create(ref, wanted)
        except ApiError as error:
            raise of_api_server(error, self._creating(ref, error)) from None

    async def put(self, ref: FunctionRef, wanted: Document) -> tuple[int, bytes]:
        """Creates the object or replaces its spec: the status of the answer, and the object. Raises FaasError."""
        try:
            return await self._replace(ref, wanted)
        except ApiError as error:
            about = self.about(ref) if "resourceVersion" in wanted["metadata"] else self._creating(ref, error)
            raise of_api_server(error, about) from None

    async def delete(self, ref: FunctionRef) -> bytes:
        """Deletes the object. Raises FaasError."""
        try:
            return await self._kube.delete(self._path(ref))
        except ApiError as error:
            raise of_api_server(error, self.about(ref)) from None

    def _path(self, ref: FunctionRef) -> str:
        return f"{self.kind.collection(ref.namespace)}/{ref.name}"

    def _creating(self, ref: FunctionRef, error: ApiError) -> str:
        """404 of a creation: its namespace is not there."""
        return f"namespace {ref.namespace}" if error.status == 404 else self.about(ref)

    async def _create(self, ref: FunctionRef, wanted: Document) -> bytes:
        path = self.kind.collection(ref.namespace)
        try:
            return await self._kube.create(path, wanted)
        except ApiError as error:
            # 404 is also the answer to a kind that is not installed
            if not self._namespaces or error.status != 404 or not error.message.startswith("namespaces "):
                raise
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ref.namespace}}
        try:
            await self._kube.create("/api/v1/namespaces", body)
        except ApiError as error:
            if error.reason != "AlreadyExists":  # somebody else was as quick
                raise
        return await self._kube.create(path, wanted)

    async def _replace(self, ref: FunctionRef, wanted: Document) -> tuple[int, bytes]:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                current = await self._kube.request("GET", self._path(ref))
            except ApiError as error:
                if error.status != 404 or "resourceVersion" in wanted["metadata"]:
                    raise
                try:
                    return 201, await self._create(ref, wanted)
                except ApiError as refusal:
                    if refusal.reason != "AlreadyExists" or attempt == _ATTEMPTS:
                        raise
                    continue
            body = replaced(msgspec.json.decode(current), wanted, self.kind)
            if body is None:
                return 200, current
            try:
                return 200, await self._kube.request("PUT", self._path(ref), body=body)
            except ApiError as error:
                if error.status != 409 or "resourceVersion" in wanted["metadata"] or attempt == _ATTEMPTS:
                    raise
        raise FaasError(Code.CONFLICT, f"{self.about(ref)} keeps changing; try again", retry_after=1)
