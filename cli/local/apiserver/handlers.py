"""The verbs: one function for each kind of request to a resource."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from cli.local.apiserver import crds, errors, protobuf, table
from cli.local.apiserver.address import Address
from cli.local.apiserver.builtin import TYPES
from cli.local.apiserver.coerce import decode_as
from cli.local.apiserver.deletion import Deleter
from cli.local.apiserver.fielderrors import required
from cli.local.apiserver.http import Request, Response, check_metadata, decode_yaml, json_response, warning_headers
from cli.local.apiserver.options import DeleteOptions, WriteOptions, delete_options, write_options
from cli.local.apiserver.patching import APPLY_PATCHES, Patcher
from cli.local.apiserver.reads import Reader, in_version
from cli.local.apiserver.registry import ResourceType
from cli.local.apiserver.scale import replicas_change, scale_of
from cli.local.apiserver.selectors import make_predicate
from cli.local.apiserver.store import Store, Stored
from cli.local.apiserver.watch import Watcher
from cli.local.apiserver.writes import Writer

Json = dict[str, Any]

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_WATCH_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-cache, private")]


class Handlers:
    """Answers requests for resources."""

    def __init__(self, store: Store, writer: Writer, deleter: Deleter) -> None:
        self._store = store
        self._writer = writer
        self._deleter = deleter
        self._reader = Reader(store)
        self._patcher = Patcher(store, writer)
        self._watchers: set[Watcher] = set()
        self._stopping = False

    async def handle(self, request: Request, at: Address) -> Response | None:
        """Answer, or return None when the response was streamed. Raises StatusError."""
        method = request.method
        if method in ("GET", "HEAD"):
            if not at.name:
                if request.query.get("watch") in ("true", "1"):
                    await self.watch(request, at)
                    return None
                return self._list(request, at)
            return self._get(request, at)
        body = await request.read_body()
        if method == "POST" and at.namespace is not None and (not at.name or (at.rtype.custom and not at.subresource)):
            return self._create(request, at, body)
        if method == "POST" and at.subresource in ("binding", "eviction"):
            return self._evict(request, at, body) if at.subresource == "eviction" else self._bind(request, at, body)
        if method == "PUT" and at.name:
            return self._update(request, at, body)
        if method == "PATCH" and at.name:
            return self._patch(request, at, body)
        if method == "DELETE" and not at.subresource:
            return self._delete(request, at, body) if at.name else self._delete_collection(request, at, body)
        if method == "PUT" and at.rtype.custom:
            raise errors.bad_request("name must be provided")
        raise errors.method_not_allowed()

    def close(self) -> None:
        """End every watch; new ones end at once."""
        self._stopping = True
        for watcher in tuple(self._watchers):
            watcher.end()

    def _get(self, request: Request, at: Address) -> Response:
        stored = self._reader.get(at.rtype, at.key)
        if at.subresource == "scale":
            return json_response(scale_of(at.rtype, stored.obj))
        return self._answer(request, at.rtype, stored)

    def _list(self, request: Request, at: Address) -> Response:
        form = table.negotiate(request.header(b"accept"), request.query.get("includeObject", ""))
        return Response(self._reader.collection(at.rtype, at.namespace, request.query, form))

    def _create(self, request: Request, at: Address, body: bytes) -> Response:
        options = self._options(request)
        stored = self._writer.create(at.rtype, at.namespace or "", decode(request, body), options)
        return self._answer(request, at.rtype, stored, 201, options)

    def _update(self, request: Request, at: Address, body: bytes) -> Response:
        options = self._options(request)
        obj = decode(request, body)
        if at.subresource == "scale":
            change = replicas_change(at.rtype, lambda current: obj)
            return json_response(scale_of(at.rtype, self._writer.update(at.rtype, at.key, change, options).obj))
        if at.rtype.creates_on_update and not at.subresource and self._store.get(at.rtype.key, at.key) is None:
            (obj.get("metadata") or {}).pop("resourceVersion", None)
            stored = self._writer.create(at.rtype, at.namespace or "", obj, options)
            return self._answer(request, at.rtype, stored, 201, options)
        stored = self._writer.update(at.rtype, at.key, lambda current: obj, options, at.subresource)
        return self._answer(request, at.rtype, stored, 200, options)

    def _patch(self, request: Request, at: Address, body: bytes) -> Response:
        options = self._options(request)
        if at.subresource == "scale":
            change = replicas_change(at.rtype, self._patcher.scale_change(request.content_type, body))
            return json_response(scale_of(at.rtype, self._writer.update(at.rtype, at.key, change, options).obj))
        if request.content_type in APPLY_PATCHES and not request.query.get("fieldManager"):
            error = required("fieldManager", "is required for apply patch")
            raise errors.invalid("meta.k8s.io", "PatchOptions", "", [error])
        stored, created = self._patcher.patch(at, request.content_type, body, options)
        return self._answer(request, at.rtype, stored, 201 if created else 200, options)

    def _delete(self, request: Request, at: Address, body: bytes) -> Response:
        options = self._delete_options(request, body)
        stored, gone = self._deleter.delete(at.rtype, at.key, options)
        if not gone or at.rtype.returns_deleted:
            return self._answer(request, at.rtype, stored)
        details = {
            "name": at.name,
            "group": at.rtype.group,
            "kind": at.rtype.plural,
            "uid": stored.obj["metadata"]["uid"],
        }
        details = {name: value for name, value in details.items() if value}
        head = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return json_response(head | {"details": details})

    def _evict(self, request: Request, at: Address, body: bytes) -> Response:
        """`policy/v1` Eviction: a deletion, as nothing here has a disruption budget."""
        eviction = decode_as(TYPES.compiled("Eviction"), decode(request, body))
        options = delete_options(request.query, eviction.get("deleteOptions") or {})
        self._deleter.delete(at.rtype, at.key, options)
        return json_response(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
        )

    def _bind(self, request: Request, at: Address, body: bytes) -> Response:
        """`v1` Binding: gives a Pod its node."""
        binding = decode_as(TYPES.compiled("Binding"), decode(request, body))
        node = binding.get("target", {}).get("name", "")
        if not node:
            raise errors.invalid("", "Binding", at.name, [required("target.name")])

        def assign(pod: Json) -> Json:
            assigned = pod["spec"].get("nodeName")
            if assigned:
                why = f'pod {at.name} is already assigned to node "{assigned}"'
                raise errors.conflict("", "pods/binding", at.name, why)
            pod["spec"]["nodeName"] = node
            return pod

        self._writer.update(at.rtype, at.key, assign, self._options(request), "binding")
        return json_response(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
        )

    def _delete_collection(self, request: Request, at: Address, body: bytes) -> Response:
        if at.namespace is None or at.rtype.key == "namespaces":
            raise errors.method_not_allowed()
        options = self._delete_options(request, body)
        options = DeleteOptions(options.grace, options.propagation, dry_run=options.dry_run)
        query = request.query
        predicate = make_predicate(query.get("labelSelector", ""), query.get("fieldSelector", ""), at.rtype)
        chosen = [s for s in self._store.select(at.rtype.key, at.namespace) if predicate is None or predicate(s.obj)]
        for stored in chosen:
            if self._store.get(at.rtype.key, stored.key) is not None:
                self._deleter.delete(at.rtype, stored.key, options)
        meta = {"resourceVersion": str(self._store.version)}
        head = {"kind": at.rtype.list_kind, "apiVersion": at.rtype.api_version, "metadata": meta}
        bodies = b",".join(in_version(at.rtype, stored) for stored in chosen)
        return Response(msgspec.json.encode(head)[:-1] + b',"items":[' + bodies + b"]}")

    async def watch(self, request: Request, at: Address) -> None:
        """Stream events until the client leaves, the time is over or the server stops."""
        query = request.query
        form = table.negotiate(request.header(b"accept"), query.get("includeObject", ""))
        namespace = at.namespace if at.rtype.namespaced else None
        watcher = Watcher(self._store, at.rtype, namespace, query, form)
        self._watchers.add(watcher)
        try:
            if self._stopping:
                watcher.end()
            await request.start(200, _WATCH_HEADERS)
            # The headers must leave at once: a client lists as watched what has answered.
            await request.write(b"")
            async with asyncio.TaskGroup() as tasks:
                leaving = tasks.create_task(_wait_for_disconnect(request, watcher))
                await _stream(request, watcher)
                leaving.cancel()
            await request.write(b"", last=True)
        finally:
            watcher.close()
            self._watchers.discard(watcher)

    def _delete_options(self, request: Request, body: bytes) -> DeleteOptions:
        given = decode_as(TYPES.compiled("DeleteOptions"), decode(request, body)) if body else {}
        return delete_options(request.query, given)

    def _options(self, request: Request) -> WriteOptions:
        return write_options(request.query, request.header(b"user-agent"))

    def _answer(
        self,
        request: Request,
        rtype: ResourceType,
        stored: Stored,
        status: int = 200,
        options: WriteOptions | None = None,
    ) -> Response:
        warnings = [*(options.warnings if options else ()), *([rtype.deprecation] if rtype.deprecation else ())]
        if options is not None and rtype.key == crds.KEY:
            warnings += crds.unchecked_rules(stored.obj)
        headers = warning_headers(warnings)
        form = table.negotiate(request.header(b"accept"), request.query.get("includeObject", ""))
        if form.kind == "Table":
            meta = {"resourceVersion": str(stored.version)}
            return Response(
                msgspec.json.encode(table.render(rtype, [stored], meta, form.include)), status, headers=headers
            )
        if form.kind:
            return Response(table.metadata_only(stored.obj), status, headers=headers)
        return Response(in_version(rtype, stored), status, headers=headers)


async def _stream(request: Request, watcher: Watcher) -> None:
    try:
        async with asyncio.timeout(watcher.timeout):
            while (lines := await watcher.next_lines()) is not None:
                if lines:
                    await request.write(lines)
    except TimeoutError:
        await request.write(watcher.last_bookmark())


async def _wait_for_disconnect(request: Request, watcher: Watcher) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    watcher.end()


def decode(request: Request, body: bytes) -> Json:
    """Decode a JSON or YAML object. Raises a StatusError: 400 when it is none, 415 for other media types."""
    decoders: dict[str, Callable[[bytes], Json]] = {
        "": _decode,
        "application/json": _decode,
        "application/yaml": decode_yaml,
        protobuf.MEDIA_TYPE: protobuf.decode,
    }
    decoder = decoders.get(request.content_type)
    if decoder is None:
        raise errors.unsupported_media_type(("application/json", "application/yaml"))
    try:
        obj = decoder(body)
    except (msgspec.DecodeError, ValueError) as error:
        raise errors.bad_request(f"the object provided is unrecognized (must be a JSON object): {error}") from None
    check_metadata(obj)
    return obj
