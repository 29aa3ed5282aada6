"""Watch: a stream of what is written, from a resourceVersion on, without gaps, repetitions or changes of order.

An event's line is made once for all watchers that want the same form of it. A watcher that does not read is cut
off when `QUEUE_LIMIT` events wait for it: its client lists and watches again, and the server's memory stays bounded.
"""

import asyncio
from collections import deque
from typing import Any

import msgspec

from cli.local.apiserver import errors, table
from cli.local.apiserver.errors import StatusError
from cli.local.apiserver.history import Event
from cli.local.apiserver.reads import check_known_version, in_version
from cli.local.apiserver.registry import ResourceType
from cli.local.apiserver.selectors import Predicate, make_predicate
from cli.local.apiserver.store import Store, Stored

Json = dict[str, Any]

QUEUE_LIMIT = 16384
BOOKMARK_SECONDS = 30.0
_DEFAULT_TIMEOUT_SECONDS = 3600.0
_INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}


class Watcher:
    """One watch: created with what it starts from, then `next_lines` until it returns None."""

    def __init__(
        self, store: Store, rtype: ResourceType, namespace: str | None, query: dict[str, str], form: table.Form
    ) -> None:
        """Raises StatusError: 400 for bad parameters, 504 for a version of the future; 410 is sent as an event."""
        self._store = store
        self._rtype = rtype
        self._namespace = namespace
        self._form = form
        self._predicate: Predicate | None = make_predicate(
            query.get("labelSelector", ""), query.get("fieldSelector", ""), rtype
        )
        self._bookmarks = query.get("allowWatchBookmarks") in ("true", "1")
        self.timeout = _timeout(query.get("timeoutSeconds", ""))
        self._first_row = True
        self._lines: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._ended = False
        self._unsubscribe = store.history.subscribe(rtype.key, self._on_event)
        try:
            self._begin(query)
        except BaseException:
            self.close()
            raise

    async def next_lines(self) -> bytes | None:
        """The lines that are due, or None when the watch is over."""
        if not self._lines and not self._ended:
            self._wake.clear()
            try:
                async with asyncio.timeout(BOOKMARK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                if self._bookmarks:
                    return self._bookmark()
                return b""
        if not self._lines:
            return None
        lines = b"".join(self._lines)
        self._lines.clear()
        return lines

    def end(self) -> None:
        """Let the reader come to the end after what is already due."""
        self._ended = True
        self.close()
        self._wake.set()

    def close(self) -> None:
        self._unsubscribe()

    def last_bookmark(self) -> bytes:
        """What to send before the watch's time is over, so that the client goes on from here."""
        return self._bookmark() if self._bookmarks else b""

    def _begin(self, query: dict[str, str]) -> None:
        text = query.get("resourceVersion", "")
        check_known_version(text, self._store.version)
        initial = query.get("sendInitialEvents") in ("true", "1")
        if initial and query.get("resourceVersionMatch") != "NotOlderThan":
            why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            raise errors.bad_request(f"resourceVersionMatch: Forbidden: {why}")
        if initial or (text in ("", "0") and query.get("sendInitialEvents") is None):
            for stored in self._store.select(self._rtype.key, self._namespace):
                if self._predicate is None or self._predicate(stored.obj):
                    self._lines.append(self._line("ADDED", stored, None))
            if initial and self._bookmarks:
                self._lines.append(self._bookmark(_INITIAL_EVENTS_END))
        elif text not in ("", "0"):
            self._replay(int(text))

    def _replay(self, version: int) -> None:
        events = self._store.history.since(self._rtype.key, version)
        if events is None:
            gone = errors.expired(f"too old resource version: {version} ({self._store.version})")
            self._lines.append(_error_line(gone))
            self.end()
            return
        for event in events:
            self._on_event(event)

    def _on_event(self, event: Event) -> None:
        if self._namespace is not None and event.stored.namespace != self._namespace:
            return
        kind, stored = event.kind, event.stored
        shared: Event | None = event
        if self._predicate is not None:
            before = event.old is not None and self._predicate(event.old.obj)
            after = event.kind != "DELETED" and self._predicate(event.stored.obj)
            if not before and not after:
                return
            if before and not after and event.kind == "MODIFIED":
                # It left the selection: the watcher sees its last matching state go, at this write's version.
                kind, stored, shared = "DELETED", _at_version(event.old, event.version), None
            elif after and not before:
                kind = "ADDED"
        self._lines.append(self._line(kind, stored, shared))
        if len(self._lines) > QUEUE_LIMIT:
            self._lines.clear()
            self.end()
        self._wake.set()

    def _line(self, kind: str, stored: Stored, event: Event | None) -> bytes:
        form = self._form
        if form.kind == "Table":
            rendered = table.render(
                self._rtype, [stored], {"resourceVersion": str(stored.version)}, form.include, self._first_row
            )
            self._first_row = False
            return b'{"type":"%s","object":%s}\n' % (kind.encode(), msgspec.json.encode(rendered))
        wanted = (kind, self._rtype.version, form.kind)
        line = event.lines.get(wanted) if event is not None else None
        if line is None:
            body = table.metadata_only(stored.obj) if form.kind else in_version(self._rtype, stored)
            line = b'{"type":"%s","object":%s}\n' % (kind.encode(), body)
            if event is not None:
                event.lines[wanted] = line
        return line

    def _bookmark(self, annotations: Json | None = None) -> bytes:
        meta: Json = {"resourceVersion": str(self._store.version), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        obj: Json = {"kind": self._rtype.kind, "apiVersion": self._rtype.api_version, "metadata": meta}
        if self._form.kind == "Table":
            row = {"cells": [], "object": obj}
            obj = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "rows": [row]}
        return msgspec.json.encode({"type": "BOOKMARK", "object": obj}) + b"\n"


def _at_version(stored: Stored, version: int) -> Stored:
    obj = stored.obj | {"metadata": stored.obj["metadata"] | {"resourceVersion": str(version)}}
    return Stored(stored.key, stored.row, version, obj, msgspec.json.encode(obj))


def _error_line(error: StatusError) -> bytes:
    return msgspec.json.encode({"type": "ERROR", "object": error.status()}) + b"\n"


def _timeout(text: str) -> float:
    if not text:
        return _DEFAULT_TIMEOUT_SECONDS
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise errors.bad_request(f'timeoutSeconds: Invalid value: "{text}": must be a number of seconds')
    return float(text) or _DEFAULT_TIMEOUT_SECONDS
