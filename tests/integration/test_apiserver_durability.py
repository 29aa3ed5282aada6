"""kill -9 loses nothing that was acknowledged, versions never go back, and writers do not overwrite each other."""

import contextlib
import http.client
import resource
import threading
import time
from pathlib import Path

import pytest

from cli.local.apiserver.server import HOUSEKEEPING_SECONDS
from tests.support.apiclient import JSON_PATCH, ApiClient, configmap
from tests.support.apiserver import ApiServer, running_apiserver
from tests.support.patience import eventually

MAPS = "/api/v1/namespaces/default/configmaps"
WRITERS = 3


class Ledger:
    """What writers were told: the last acknowledged state of each object, None for one that is deleted."""

    def __init__(self) -> None:
        self.states: dict[str, str | None] = {}
        self.version = 0
        self.writes = 0
        self.lock = threading.Lock()

    def note(self, name: str, state: str | None, version: int) -> None:
        with self.lock:
            self.states[name] = state
            self.version = max(self.version, version)
            self.writes += 1


def write_until_killed(server: ApiServer, ledger: Ledger, writer: str, pending: dict[str, str]) -> None:
    """Create, change and delete until the connection breaks; `pending` holds the object of the unanswered request."""
    with contextlib.suppress(OSError, http.client.HTTPException), ApiClient(server) as client:
        for turn in range(100_000):
            name = f"{writer}-{turn}"
            pending[writer] = name
            ledger.note(name, "1", client.create(MAPS, configmap(name, v="1")).version)
            ledger.note(name, "2", client.patch(f"{MAPS}/{name}", {"data": {"v": "2"}}).version)
            if turn % 3 == 0:
                assert client.delete(f"{MAPS}/{name}").status == 200
                ledger.note(name, None, 0)


def test_kill_at_any_moment_loses_nothing_acknowledged(tmp_path: Path) -> None:
    ledger, round_of = Ledger(), 0
    pending: dict[str, str] = {}
    with running_apiserver(tmp_path) as server:
        for delay in (0.25, 0.1, 0.4):
            round_of += 1
            arguments = [(server, ledger, f"r{round_of}w{number}", pending) for number in range(WRITERS)]
            threads = [threading.Thread(target=write_until_killed, args=each) for each in arguments]
            for thread in threads:
                thread.start()
            before = ledger.writes
            time.sleep(delay)  # not for something to happen: the moment of the kill is what varies
            eventually(lambda before=before: ledger.writes > before + 10, "writes are under way")
            assert server.stop(kill=True) == -9
            for thread in threads:
                thread.join(timeout=60)
            server.start()
            with ApiClient(server) as client:
                answer = client.get(MAPS).obj
                found = {item["metadata"]["name"]: item["data"]["v"] for item in answer["items"]}
                version = int(answer["metadata"]["resourceVersion"])
            assert version >= ledger.version, "the version went back"
            for name, state in ledger.states.items():
                if name not in pending.values():  # one request of each writer has no answer: it may count or not
                    assert found.get(name) == state, f"{name} is {found.get(name)}, acknowledged was {state}"
    assert ledger.writes > 30, "too few writes to show anything"


def test_a_restart_keeps_definitions_and_goes_on_deleting(tmp_path: Path) -> None:
    from tests.integration.test_apiserver_crd import DEFINITION, DEFINITIONS, WIDGETS, widget

    with running_apiserver(tmp_path) as server:
        with ApiClient(server) as client:
            client.create(DEFINITIONS, DEFINITION)
            client.create(WIDGETS, widget("kept", size=1))
            before = client.get("/api/v1/namespaces").version
        server.stop()
        server.start()
        with ApiClient(server) as client:
            assert client.get(f"{WIDGETS}/kept").obj["spec"]["size"] == 1
            assert client.create(WIDGETS, widget("more", size=99)).status == 422, "the schema is back too"
            assert client.get("/api/v1/namespaces").version == before
            with client.watch(MAPS, resourceVersion=before) as events:
                client.create(MAPS, configmap("after"))
                assert next(events)["object"]["metadata"]["name"] == "after"
            with client.watch(MAPS, resourceVersion=before - 1) as events:
                assert next(events)["object"]["code"] == 410


def test_of_concurrent_writers_each_sees_the_others(tmp_path: Path) -> None:
    """Compare-and-set on one counter: conflicts are refused, and no increment is lost."""
    turns = 25
    conflicts: list[int] = []
    with running_apiserver(tmp_path) as server:
        with ApiClient(server) as client:
            client.create(MAPS, configmap("counter", n="0"))

        def count() -> None:
            with ApiClient(server) as client:
                for _ in range(turns):
                    while True:
                        current = client.get(f"{MAPS}/counter").obj
                        current["data"]["n"] = str(int(current["data"]["n"]) + 1)
                        answer = client.update(f"{MAPS}/counter", current)
                        if answer.status == 200:
                            break
                        assert answer.obj["reason"] == "Conflict"
                        conflicts.append(1)

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        with ApiClient(server) as client:
            assert client.get(f"{MAPS}/counter").obj["data"]["n"] == str(4 * turns)
            test = [{"op": "test", "path": "/data/n", "value": "0"}, {"op": "replace", "path": "/data/n", "value": "x"}]
            assert client.patch(f"{MAPS}/counter", test, JSON_PATCH).status == 422
    assert conflicts, "the writers never met: nothing was tested"


def test_only_one_of_many_creates(tmp_path: Path) -> None:
    statuses: list[int] = []
    with running_apiserver(tmp_path) as server:
        gate = threading.Barrier(6)

        def create() -> None:
            with ApiClient(server) as client:
                gate.wait(timeout=40)
                statuses.append(client.create(MAPS, configmap("contested")).status)

        threads = [threading.Thread(target=create) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
    assert sorted(statuses) == [201, 409, 409, 409, 409, 409]


def test_a_start_with_wrong_settings_says_what_is_wrong(tmp_path: Path) -> None:
    with running_apiserver(tmp_path) as server:
        copy = ApiServer(tmp_path, server.host, server.port + 1, server.token, server.authority)
        with pytest.raises(RuntimeError, match="in use by another API server") as caught:
            copy.start()
        assert "Traceback" not in str(caught.value)


def test_a_full_disk_refuses_writes_and_ends_nothing(tmp_path: Path) -> None:
    with running_apiserver(tmp_path) as server, ApiClient(server) as client:
        client.create(MAPS, configmap("before", v="1"))
        # a limit on the size of files stands for the full disk, which a test without root cannot have
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        refused = client.request("POST", MAPS, configmap("during", v="1"))
        assert refused.status == 500
        assert "the database refused the write: " in refused.message
        time.sleep(HOUSEKEEPING_SECONDS + 1)  # until its housekeeping has met the fault as well
        assert server.process is not None
        assert server.process.poll() is None
        assert client.get(f"{MAPS}/before").status == 200
        assert client.get(f"{MAPS}/during").status == 404
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert client.create(MAPS, configmap("after", v="1")).status == 201
