"""PATCH: which kind of patch a request carries, and how it changes the stored object."""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from cli.local.apiserver import errors
from cli.local.apiserver.address import Address
from cli.local.apiserver.apply import Manager, apply
from cli.local.apiserver.errors import StatusError
from cli.local.apiserver.http import check_metadata, decode_yaml
from cli.local.apiserver.metadata import timestamp
from cli.local.apiserver.options import WriteOptions
from cli.local.apiserver.patch import PatchError, json_patch, merge_patch
from cli.local.apiserver.registry import ResourceType
from cli.local.apiserver.schema import ANY, Schema
from cli.local.apiserver.store import Store, Stored
from cli.local.apiserver.strategic import strategic_merge
from cli.local.apiserver.writes import Writer

Json = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCHES = ("application/apply-patch+yaml", "application/apply-patch+json")


class Patcher:
    """Applies patches through the writer."""

    def __init__(self, store: Store, writer: Writer) -> None:
        self._store = store
        self._writer = writer

    def patch(self, at: Address, content_type: str, body: bytes, options: WriteOptions) -> tuple[Stored, bool]:
        """Apply a patch; returns the object and whether it was created. Raises StatusError: 400, 404, 409, 415, 422."""
        if content_type in APPLY_PATCHES:
            return self._apply(at, body, options)
        options.patch = body.decode("utf-8", "replace")
        change = change_of(at.rtype.schema, content_type, body, at.rtype)
        return self._writer.update(at.rtype, at.key, change, options, at.subresource), False

    def _apply(self, at: Address, body: bytes, options: WriteOptions) -> tuple[Stored, bool]:
        """Server-side apply: creates the object when it does not exist."""
        rtype = at.rtype
        config = _configuration(body)
        check_metadata(config)
        meta = config.get("metadata") or {}
        if meta.get("managedFields"):
            raise errors.bad_request("metadata.managedFields must be nil")
        if meta.get("name", at.name) != at.name:
            message = f"the name of the object ({meta['name']}) does not match the name on the URL ({at.name})"
            raise errors.bad_request(message)
        config = self._writer.shape(rtype, config, options, defaults=False)
        config["metadata"]["name"] = at.name
        manager = Manager(options.manager, "Apply", rtype.api_version, at.subresource)
        now = timestamp(time.time())
        options.applies = True
        if self._store.get(rtype.key, at.key) is None:
            if at.subresource:
                raise errors.not_found(rtype.group, rtype.plural, at.name)
            if config["metadata"].get("uid"):
                uid = config["metadata"]["uid"]
                why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                raise errors.conflict(rtype.group, rtype.plural, at.name, why)
            obj = apply(rtype.schema, None, config, manager, now, force=options.force)
            return self._writer.create(rtype, at.namespace or "", obj, options), True

        def change(live: Json) -> Json:
            return apply(rtype.schema, live, config, manager, now, force=options.force)

        return self._writer.update(rtype, at.key, change, options, at.subresource), False

    def scale_change(self, content_type: str, body: bytes) -> Callable[[Json], Json]:
        """A patch of the scale subresource."""
        return change_of(ANY, content_type, body, None)


def _configuration(body: bytes) -> Json:
    """An applied configuration, JSON or YAML. Raises a 400 StatusError when it is neither."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        try:
            return decode_yaml(body)
        except ValueError as error:
            raise errors.bad_request(f"error decoding YAML: {error}") from None


def change_of(schema: Schema, content_type: str, body: bytes, rtype: ResourceType | None) -> Callable[[Json], Json]:
    """The function that applies a patch to a fresh copy. Raises StatusError: 400 when it is no JSON, 415."""
    accepted = [
        JSON_PATCH,
        MERGE_PATCH,
        *([] if rtype is not None and rtype.custom else [STRATEGIC_PATCH]),
        *APPLY_PATCHES,
    ]
    if content_type not in accepted:
        raise errors.unsupported_media_type(accepted)
    try:
        patch = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise errors.bad_request(f"the patch is not valid JSON: {error}") from None
    if isinstance(patch, list) != (content_type == JSON_PATCH) or not isinstance(patch, dict | list):
        raise errors.bad_request("a JSON patch is an array of operations, any other patch an object")

    def change(obj: Json) -> Json:
        try:
            if content_type == JSON_PATCH:
                result = json_patch(obj, patch)
            elif content_type == MERGE_PATCH:
                result = merge_patch(obj, patch)
            else:
                result = strategic_merge(schema, obj, patch)
        except PatchError as error:
            raise _unprocessable(str(error)) from None
        if not isinstance(result, dict) or not isinstance(result.get("metadata", {}), dict):
            raise errors.bad_request("the patch does not leave an object with metadata")
        return result

    return change


def _unprocessable(why: str) -> StatusError:
    return StatusError(422, "Invalid", f"the server rejected our request due to an error in our request: {why}", {})
