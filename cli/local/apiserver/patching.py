"""PATCH: which kind of patch a request carries, and how it changes the stored object."""

from collections.abc import Callable
from typing import Any

import msgspec

from cli.local.apiserver import errors
from cli.local.apiserver.address import Address
from cli.local.apiserver.errors import StatusError
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
        change = change_of(at.rtype.schema, content_type, body, at.rtype)
        return self._writer.update(at.rtype, at.key, change, options, at.subresource), False

    def scale_change(self, content_type: str, body: bytes) -> Callable[[Json], Json]:
        """A patch of the scale subresource."""
        return change_of(ANY, content_type, body, None)


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
    if content_type != JSON_PATCH and not isinstance(patch, dict):
        raise errors.bad_request("a merge patch is a JSON object")

    def change(obj: Json) -> Json:
        try:
            if content_type == JSON_PATCH:
                result = json_patch(obj, patch)
            elif content_type == MERGE_PATCH:
                result = merge_patch(obj, patch)
            else:
                result = strategic_merge(schema, obj, patch)
        except PatchError as error:
            raise _unprocessable(rtype, str(error)) from None
        if not isinstance(result, dict) or not isinstance(result.get("metadata", {}), dict):
            raise errors.bad_request("the patch does not leave an object with metadata")
        return result

    return change


def _unprocessable(rtype: ResourceType | None, why: str) -> StatusError:
    message = f"the server rejected our request due to an error in our request: {why}"
    return StatusError(422, "Invalid", message, {"kind": rtype.plural if rtype else "scale"})
