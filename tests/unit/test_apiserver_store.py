"""The store and its history: versions, durability across a reopening, bounded memory of the past."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from cli.local import pki
from cli.local.apiserver import protobuf
from cli.local.apiserver.builtin import make_registry
from cli.local.apiserver.deletion import Deleter
from cli.local.apiserver.history import History
from cli.local.apiserver.store import Store, StoreError
from cli.local.apiserver.writes import Writer


def obj(name: str, **data: str) -> Any:
    return {"metadata": {"name": name}, "data": data}


def test_versions_grow_with_every_write_and_survive(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", History())
    first = store.create("things", ("", "a"), obj("a"))
    second = store.create("things", ("", "b"), obj("b"))
    changed = store.update("things", first, obj("a", x="1"))
    store.delete("things", second, obj("b"))
    assert [first.version, second.version, changed.version, store.version] == [1, 2, 3, 4]
    store.close()

    again = Store(tmp_path / "db", History())
    assert again.version == 4, "the version of a deletion was forgotten"
    assert [(s.name, s.obj, s.version) for s in again.select("things")] == [("a", changed.obj, 3)]
    assert again.create("things", ("", "b"), obj("b")).version == 5
    again.close()


def test_the_raw_bytes_are_the_object(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", History())
    stored = store.create("things", ("ns", "a"), obj("a", x="ü"))
    assert stored.raw == '{"metadata":{"name":"a","resourceVersion":"1"},"data":{"x":"ü"}}'.encode()
    assert store.get("things", ("ns", "a")) is stored
    assert store.get("things", ("other", "a")) is None
    store.close()


def test_two_servers_cannot_share_a_database(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", History())
    with pytest.raises(StoreError, match="in use by another API server"):
        Store(tmp_path / "db", History())
    store.close()
    Store(tmp_path / "db", History()).close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("no database at all, but long enough to look at" * 50)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(tmp_path / "db", History())


def test_secrets_are_kept_from_other_users(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", History())
    store.create("secrets", ("", "a"), obj("a"))
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}
    store.close()


def test_a_checkpoint_loses_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", History())
    for number in range(200):
        store.create("things", ("", f"n{number}"), obj(f"n{number}", x="y" * 500))
    store.checkpoint()
    store.create("things", ("", "after"), obj("after"))
    store.close()
    again = Store(tmp_path / "db", History())
    assert len(again.select("things")) == 201
    again.close()


def test_history_gives_what_came_after_a_version_or_says_that_it_cannot(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", History(limit=3))
    stored = store.create("things", ("", "a"), obj("a"))
    store.create("others", ("", "o"), obj("o"))
    for number in range(4):
        stored = store.update("things", stored, obj("a", n=str(number)))
    since = store.history.since
    assert store.version == 6
    assert [event.version for event in since("things", 4) or []] == [5, 6]
    assert [event.version for event in since("things", 3) or []] == [4, 5, 6]
    assert since("things", 6) == []
    assert since("things", 2) is None, "version 3 is no longer held"
    assert [event.version for event in since("others", 0) or []] == [2]
    store.close()


def test_history_before_a_restart_is_unknown(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", History())
    store.create("things", ("", "a"), obj("a"))
    store.create("things", ("", "b"), obj("b"))
    store.close()
    again = Store(tmp_path / "db", History())
    assert again.history.since("things", 2) == []
    assert again.history.since("things", 1) is None
    again.close()


def test_subscribers_hear_of_writes_in_order_until_they_leave(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", History())
    heard: list[tuple[str, int]] = []
    leave = store.history.subscribe("things", lambda event: heard.append((event.kind, event.version)))
    stored = store.create("things", ("", "a"), obj("a"))
    store.create("others", ("", "a"), obj("a"))
    stored = store.update("things", stored, obj("a", x="1"))
    store.delete("things", stored, obj("a"))
    leave()
    store.create("things", ("", "b"), obj("b"))
    assert heard == [("ADDED", 1), ("MODIFIED", 3), ("DELETED", 4)]
    store.close()


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"k8s\x00", b"k8s\x00\xff\xff\xff", b"k8s\x00\x0a\x10\x0a", b"k8s\x00\x0a\x05\x12\x03Pod\x12\x00"],
)
def test_protobuf_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(protobuf.ProtobufError):
        protobuf.decode(body)


def test_a_kubeconfig_and_its_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    authority = pki.create_authority()
    server = pki.issue_server_certificate(authority, "server", ["127.0.0.1"])
    pki.write_key_pair(server, tmp_path / "server.crt", tmp_path / "server.key")
    pki.write_kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:1", authority.cert_pem, "token")
    assert (tmp_path / "server.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "kubeconfig").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kubeconfig", "server.crt", "server.key"]
    with pytest.raises(ValueError, match="at least one"):
        pki.issue_server_certificate(authority, "server", [])


def test_events_expire(tmp_path: Path) -> None:
    store, registry = Store(tmp_path / "db", History()), make_registry()
    deleter = Deleter(store, registry, Writer(store, {}))

    def event(name: str, created: str, **more: str) -> Any:
        return {"metadata": {"name": name, "creationTimestamp": created}, **more}

    store.create("events", ("n", "old"), event("old", "2026-01-01T00:00:00Z"))
    store.create("events", ("n", "new"), event("new", "2026-01-03T00:00:00Z"))
    store.create("events", ("n", "seen"), event("seen", "2026-01-01T00:00:00Z", lastTimestamp="2026-01-03T00:00:00Z"))
    deleter.expire_events(datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC).timestamp())
    assert [stored.name for stored in store.select("events")] == ["new", "seen"]
    store.close()
