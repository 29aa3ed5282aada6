"""Watches: nothing missed, nothing twice, in order, from every starting point the protocol knows."""

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.apiclient import ApiClient, configmap, pod
from tests.support.apiserver import ApiServer, running_apiserver

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
HISTORY = 50


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    directory = tmp_path_factory.mktemp("apiserver")
    with running_apiserver(directory, extra_args=("--history", str(HISTORY))) as server:
        yield server


@pytest.fixture
def api(server: ApiServer) -> Iterator[ApiClient]:
    with ApiClient(server) as client:
        yield client


def take(events: Iterator[Any], count: int) -> list[Any]:
    return list(itertools.islice(events, count))


def brief(events: list[Any]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


def version(event: Any) -> int:
    return int(event["object"]["metadata"]["resourceVersion"])


def test_a_watch_goes_on_where_the_list_ended(api: ApiClient) -> None:
    since = api.get(MAPS).obj["metadata"]["resourceVersion"]
    api.create(MAPS, configmap("w1"))
    with api.watch(MAPS, resourceVersion=since) as events:
        api.patch(f"{MAPS}/w1", {"data": {"a": "1"}})
        api.delete(f"{MAPS}/w1")
        seen = take(events, 3)
    assert brief(seen) == [("ADDED", "w1"), ("MODIFIED", "w1"), ("DELETED", "w1")]
    assert version(seen[0]) < version(seen[1]) < version(seen[2]), "a deletion has a version of its own"
    assert seen[2]["object"]["data"] == {"a": "1"}
    assert seen[0]["object"]["kind"] == "ConfigMap"


def test_without_a_version_the_present_comes_first(api: ApiClient) -> None:
    api.create(MAPS, configmap("here"))
    for start in ({}, {"resourceVersion": "0"}):
        with api.watch(MAPS, fieldSelector="metadata.name=here", **start) as events:
            api.patch(f"{MAPS}/here", {"data": {"n": str(time.monotonic())}})
            assert brief(take(events, 2)) == [("ADDED", "here"), ("MODIFIED", "here")]
    api.delete(f"{MAPS}/here")


def test_initial_events_end_with_a_bookmark(api: ApiClient) -> None:
    api.create(MAPS, configmap("initial"))
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    with api.watch(MAPS, fieldSelector="metadata.name=initial", **query) as events:
        added, bookmark = take(events, 2)
    assert added["type"] == "ADDED"
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert version(bookmark) == api.get(MAPS).version
    assert api.get(MAPS, watch="1", sendInitialEvents="true").status == 400
    api.delete(f"{MAPS}/initial")


def test_what_enters_and_leaves_a_selection_is_added_and_deleted(api: ApiClient) -> None:
    since = api.get(MAPS).version
    with api.watch(MAPS, resourceVersion=since, labelSelector="on=yes") as events:
        api.create(MAPS, configmap("moves", a="0"))
        for label in ("yes", "yes", "no", "yes"):
            patch = {"metadata": {"labels": {"on": label}}, "data": {"a": f"{label}{time.monotonic()}"}}
            last = api.patch(f"{MAPS}/moves", patch)
        api.delete(f"{MAPS}/moves")
        seen = take(events, 5)
    assert [event["type"] for event in seen] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
    assert seen[2]["object"]["metadata"]["labels"] == {"on": "yes"}, "the last state that matched"
    assert version(seen[2]) == version(seen[3]) - 1 == last.version - 1


def test_fields_select_too(api: ApiClient) -> None:
    since = api.get(PODS).version
    with api.watch(PODS, resourceVersion=since, fieldSelector="status.phase=Running") as events:
        api.create(PODS, pod("phases"))
        api.patch(f"{PODS}/phases/status", {"status": {"phase": "Running"}})
        api.patch(f"{PODS}/phases/status", {"status": {"phase": "Succeeded"}})
        assert [event["type"] for event in take(events, 2)] == ["ADDED", "DELETED"]
    api.delete(f"{PODS}/phases")


def test_namespaces_are_kept_apart_or_watched_together(api: ApiClient) -> None:
    api.create("/api/v1/namespaces", {"metadata": {"name": "apart"}})
    since = api.get(MAPS).version
    other = "/api/v1/namespaces/apart/configmaps"
    with (
        api.watch(other, resourceVersion=since) as inside,
        api.watch("/api/v1/configmaps", resourceVersion=since) as everywhere,
    ):
        api.create(MAPS, configmap("one"))
        api.create(other, configmap("two", "apart"))
        assert brief(take(inside, 1)) == [("ADDED", "two")]
        assert brief(take(everywhere, 2)) == [("ADDED", "one"), ("ADDED", "two")]
    api.delete(f"{MAPS}/one")
    api.delete("/api/v1/namespaces/apart")


def test_a_version_that_is_too_old_is_gone(api: ApiClient) -> None:
    since = api.create(MAPS, configmap("old")).version
    for number in range(HISTORY + 1):
        api.patch(f"{MAPS}/old", {"data": {"n": str(number)}})
    with api.watch(MAPS, resourceVersion=since) as events:
        seen = list(events)
    assert [event["type"] for event in seen] == ["ERROR"]
    status = seen[0]["object"]
    assert (status["code"], status["reason"]) == (410, "Expired")
    assert status["message"].startswith(f"too old resource version: {since} (")
    with api.watch(MAPS, resourceVersion=since + 1) as events:
        assert len(take(events, HISTORY)) == HISTORY, "the oldest that is held"
    api.delete(f"{MAPS}/old")


def test_a_watch_ends_in_time_with_a_bookmark(api: ApiClient) -> None:
    since = api.create(MAPS, configmap("elsewhere")).version
    api.delete(f"{MAPS}/elsewhere")
    began = time.monotonic()
    with api.watch(PODS, resourceVersion=since, timeoutSeconds=1, allowWatchBookmarks="true") as events:
        seen = list(events)
    assert 0.8 < time.monotonic() - began < 30
    assert [event["type"] for event in seen] == ["BOOKMARK"]
    assert version(seen[0]) > since, "a bookmark spares a quiet watcher the 410"
    assert api.get(MAPS, watch="1", timeoutSeconds="soon").status == 400
    assert api.get(MAPS, watch="1", resourceVersion="999999999").status == 504


def test_a_watch_of_tables(api: ApiClient) -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    since = api.get(MAPS).version
    with api.watch(MAPS, accept=accept, resourceVersion=since) as events:
        api.create(MAPS, configmap("tabled", a="1"))
        api.delete(f"{MAPS}/tabled")
        first, second = take(events, 2)
    assert first["object"]["kind"] == "Table"
    assert first["object"]["rows"][0]["cells"][:2] == ["tabled", 1]
    assert first["object"]["columnDefinitions"]
    assert not second["object"]["columnDefinitions"]


def test_list_and_watch_see_every_write_once_and_in_order(server: ApiServer) -> None:
    """Readers list and then watch while writers write; what each has seen must be what was acknowledged."""
    writers, writes, readers = 3, 60, 3
    acknowledged: list[int] = []
    seen: list[list[int]] = [[] for _ in range(readers)]
    path = "/api/v1/namespaces/busy/configmaps"
    with ApiClient(server) as setup:
        setup.create("/api/v1/namespaces", {"metadata": {"name": "busy"}})
        start = setup.get(path).version

    def write(number: int) -> None:
        with ApiClient(server) as client:
            for turn in range(writes // 3):
                name = f"w{number}-{turn}"
                acknowledged.append(client.create(path, configmap(name, "busy")).version)
                acknowledged.append(client.patch(f"{path}/{name}", {"data": {"x": "y"}}).version)
                client.delete(f"{path}/{name}")

    def read(number: int) -> None:
        with ApiClient(server) as client, client.watch(path, resourceVersion=start) as events:
            for event in events:
                seen[number].append(version(event))
                if event["object"]["metadata"]["name"] == "end":
                    return

    threads = [threading.Thread(target=read, args=(number,)) for number in range(readers)]
    workers = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in [*threads, *workers]:
        thread.start()
    for worker in workers:
        worker.join()
    with ApiClient(server) as client:
        acknowledged.append(client.create(path, configmap("end", "busy")).version)
    for thread in threads:
        thread.join(timeout=60)
    # 3 writers x 20 turns x (create, patch, delete), and the end; the history of 50 was outrun, the watches were not.
    for versions in seen:
        assert len(versions) == writers * writes + 1
        assert versions == sorted(set(versions)), "out of order, or twice"
        assert set(acknowledged) <= set(versions), "an acknowledged write was missed"


def test_a_write_is_seen_at_once(api: ApiClient) -> None:
    since = api.get(MAPS).version
    with api.watch(MAPS, resourceVersion=since) as events:
        delays = []
        for number in range(20):
            api.create(MAPS, configmap(f"quick{number}"))
            began = time.perf_counter()
            next(events)
            delays.append(time.perf_counter() - began)
    assert sorted(delays)[10] < 0.2, f"half of all events came later than {sorted(delays)[10]:.3f} s after the answer"


def test_shutdown_ends_open_watches(tmp_path: Path) -> None:
    with running_apiserver(tmp_path) as server, ApiClient(server) as client:
        watches = [client.watch(MAPS) for _ in range(10)]
        streams = [watch.__enter__() for watch in watches]
        began = time.monotonic()
        assert server.stop() == 0
        took = time.monotonic() - began
        for stream in streams:
            assert list(stream) == [], "the watch ended by a reset"
        for watch in watches:
            watch.__exit__(None, None, None)
    assert took < 15, f"stopping took {took:.2f} s"  # a watch would last for minutes
