"""Get and list: objects as stored, filtered, paged, or as the tables that kubectl prints."""

import base64
import binascii
from collections import OrderedDict
from typing import Any

import msgspec

from cli.local.apiserver import errors, table
from cli.local.apiserver.registry import ResourceType
from cli.local.apiserver.selectors import make_predicate
from cli.local.apiserver.store import Key, Store, Stored

Json = dict[str, Any]

_SNAPSHOTS_KEPT = 16  # paged lists under way; the eldest is told to start over (410)
_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You must start a new list without"
    " the continue parameter."
)


class Reader:
    """Answers get and list from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._snapshots: OrderedDict[str, list[Stored]] = OrderedDict()

    def get(self, rtype: ResourceType, key: Key) -> Stored:
        stored = self._store.get(rtype.key, key)
        if stored is None:
            raise errors.not_found(rtype.group, rtype.plural, key[1])
        return stored

    def collection(self, rtype: ResourceType, namespace: str | None, query: dict[str, str], form: table.Form) -> bytes:
        """The encoded list. Raises StatusError: 400 for selectors, 410 for a continue token that is too old, 504."""
        check_known_version(query.get("resourceVersion", ""), self._store.version)
        items, version, token, remaining = self._page(rtype, namespace, query)
        meta: Json = {"resourceVersion": str(version)}
        if token:
            meta["continue"] = token
        if remaining:
            meta["remainingItemCount"] = remaining
        if form.kind == "Table":
            return msgspec.json.encode(table.render(rtype, items, meta, form.include))
        head = {"kind": rtype.list_kind, "apiVersion": rtype.api_version, "metadata": meta}
        if form.kind == "PartialObjectMetadata":
            head |= {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
            bodies = [table.metadata_only(item.obj) for item in items]
        else:
            # Items of built-in kinds carry neither kind nor apiVersion, custom ones do: as the real one answers.
            cut = 0 if rtype.custom else len(rtype.prefix)
            bodies = [in_version(rtype, item) if not cut else b"{" + item.raw[cut:] for item in items]
        return msgspec.json.encode(head)[:-1] + b',"items":[' + b",".join(bodies) + b"]}"

    def _page(
        self, rtype: ResourceType, namespace: str | None, query: dict[str, str]
    ) -> tuple[list[Stored], int, str, int]:
        predicate = make_predicate(query.get("labelSelector", ""), query.get("fieldSelector", ""), rtype)
        limit = _number(query.get("limit", ""), "limit")
        version, start = self._store.version, 0
        if query.get("continue"):
            version, start, items = self._resume(query["continue"], rtype)
        else:
            items = self._store.select(rtype.key, namespace)
            if predicate is not None:
                items = [item for item in items if predicate(item.obj)]
        if not limit or len(items) - start <= limit:
            return items[start:], version, "", 0
        snapshot = f"{rtype.key}:{version}:{hash((namespace, query.get('labelSelector'), query.get('fieldSelector')))}"
        self._snapshots[snapshot] = items
        self._snapshots.move_to_end(snapshot)
        while len(self._snapshots) > _SNAPSHOTS_KEPT:
            self._snapshots.popitem(last=False)
        end = start + limit
        token = base64.urlsafe_b64encode(msgspec.json.encode([snapshot, version, end])).decode().rstrip("=")
        return items[start:end], version, token, 0 if predicate else len(items) - end

    def _resume(self, token: str, rtype: ResourceType) -> tuple[int, int, list[Stored]]:
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            snapshot, version, start = msgspec.json.decode(raw, type=tuple[str, int, int])
        except (binascii.Error, ValueError, msgspec.DecodeError):
            raise errors.bad_request("continue key is not valid: it is no token of this server") from None
        items = self._snapshots.get(snapshot)
        if items is None or not snapshot.startswith(f"{rtype.key}:"):
            raise errors.expired(_EXPIRED)
        return version, start, items


def check_known_version(text: str, current: int) -> None:
    """Raise a StatusError for a resourceVersion that is no number (400) or lies ahead of this server (504)."""
    version = _number(text, "resourceVersion")
    if version > current:
        raise errors.too_large_version(version, current)


def in_version(rtype: ResourceType, stored: Stored) -> bytes:
    """The stored bytes in the asked-for version; only objects written in another one cost an encoding."""
    if stored.raw.startswith(rtype.prefix):
        return stored.raw
    return msgspec.json.encode(stored.obj | {"apiVersion": rtype.api_version})


def _number(text: str, name: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise errors.bad_request(f'{name}: Invalid value: "{text}": must be a non-negative integer')
    return int(text)
