"""Durable object store: SQLite on disk, every object in memory, one writer.

Each write is one SQLite transaction and one step of a counter, the resourceVersion, which never repeats: it is kept in
the rows themselves, and beside them for deletions. A write returns once the transaction is committed; only then do
readers and watchers see it. Everything runs on the event loop's thread, so a read-modify-write without `await` is
atomic. Checkpoints, the only part that waits for the disk, run on a connection and thread of their own (`checkpoint`).
See docs/decisions/apiserver-store.md.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from cli.local.apiserver.history import Event, History

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    id INTEGER PRIMARY KEY,      -- the resourceVersion of its creation: unique and growing, so inserts append
    resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO counter VALUES (1, 0);
"""
_INSERT = "INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?)"
_UPDATE = "UPDATE objects SET version = ?, body = ? WHERE id = ?"
_DELETE = "DELETE FROM objects WHERE id = ?"
_COUNT = "UPDATE counter SET version = ?"

Key = tuple[str, str]  # namespace ("" when cluster-scoped), name
Json = dict[str, Any]

_encode = msgspec.json.Encoder().encode


class StoreError(Exception):
    """The database cannot be used; the message says which file and why."""


class Stored(msgspec.Struct, frozen=True, gc=False):
    """One object at one resourceVersion. All readers share `obj`: never change it, copy what changes."""

    key: Key
    row: int
    version: int
    obj: Json
    raw: bytes

    @property
    def namespace(self) -> str:
        return self.key[0]

    @property
    def name(self) -> str:
        return self.key[1]


class Store:
    """All objects by resource (`pods`, `replicasets.apps`) and key, with the history that watches read."""

    def __init__(self, path: Path, history: History) -> None:
        """Open or create the database; raises StoreError when another process has it or it is no database."""
        self._path = path
        self.history = history
        self._lock = self._take_lock(path)
        self._db = self._open(path)
        self._objects: dict[str, dict[Key, Stored]] = {}
        self.version = self._load()
        history.start(self.version)

    def get(self, resource: str, key: Key) -> Stored | None:
        objects = self._objects.get(resource)
        return objects.get(key) if objects else None

    def select(self, resource: str, namespace: str | None = None) -> list[Stored]:
        """All of a resource, or of one namespace, ordered by key."""
        objects = self._objects.get(resource, {})
        return [objects[key] for key in sorted(objects) if namespace is None or key[0] == namespace]

    def count(self, resource: str) -> int:
        return len(self._objects.get(resource, ()))

    def resources(self) -> Iterable[str]:
        """Resources that have objects."""
        return [resource for resource, objects in self._objects.items() if objects]

    def create(self, resource: str, key: Key, obj: Json) -> Stored:
        """Commit a new object at a key that is free. Sets `metadata.resourceVersion` in `obj`."""
        version = self.version + 1
        stored = _encoded(key, version, version, obj)
        self._db.execute(_INSERT, (version, resource, key[0], key[1], version, stored.raw))
        self._committed(resource, "ADDED", stored, None)
        return stored

    def update(self, resource: str, old: Stored, obj: Json) -> Stored:
        """Commit a new state of `old`. Sets `metadata.resourceVersion` in `obj`, whose metadata must be a copy."""
        version = self.version + 1
        stored = _encoded(old.key, old.row, version, obj)
        self._db.execute(_UPDATE, (version, stored.raw, old.row))
        self._committed(resource, "MODIFIED", stored, old)
        return stored

    def delete(self, resource: str, old: Stored, obj: Json) -> Stored:
        """Commit the removal of `old`; `obj` is its last state, which watchers see at the removal's resourceVersion."""
        version = self.version + 1
        stored = _encoded(old.key, old.row, version, obj)
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute(_DELETE, (old.row,))
            self._db.execute(_COUNT, (version,))
        self._committed(resource, "DELETED", stored, old)
        return stored

    def checkpoint(self) -> None:
        """Move committed pages from the log into the database file; for a thread of its own, it waits for the disk."""
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        finally:
            connection.close()

    def close(self) -> None:
        self._db.close()
        os.close(self._lock)

    def _committed(self, resource: str, kind: str, stored: Stored, old: Stored | None) -> None:
        self.version = stored.version
        objects = self._objects.setdefault(resource, {})
        if kind == "DELETED":
            del objects[stored.key]
        else:
            objects[stored.key] = stored
        self.history.record(resource, Event(kind, stored.version, stored, old))

    def _take_lock(self, path: Path) -> int:
        # SQLite would let a second server open the file, and its objects in memory would then be wrong.
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise StoreError(f"{path} is in use by another API server: stop it, or give another --db") from None
        return descriptor

    def _open(self, path: Path) -> sqlite3.Connection:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # it holds Secrets
        try:
            db = sqlite3.connect(path, isolation_level=None, cached_statements=32)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA wal_autocheckpoint = 0")  # checkpoint() does it, off the event loop
            db.execute("PRAGMA temp_store = MEMORY")
            db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise StoreError(f"{path} cannot be opened as the API server's database: {error}") from error
        return db

    def _load(self) -> int:
        decode: Callable[[bytes], Json] = msgspec.json.Decoder().decode
        version = int(self._db.execute("SELECT version FROM counter").fetchone()[0])
        for row, resource, namespace, name, at, body in self._db.execute("SELECT * FROM objects"):
            key = (namespace, name)
            self._objects.setdefault(resource, {})[key] = Stored(key, row, at, decode(body), body)
            version = max(version, at)
        return version


def _encoded(key: Key, row: int, version: int, obj: Json) -> Stored:
    obj["metadata"]["resourceVersion"] = str(version)
    return Stored(key, row, version, obj, _encode(obj))
