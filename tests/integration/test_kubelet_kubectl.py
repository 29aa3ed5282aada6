"""kubectl against the local API server, kubelet and controllers together."""

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.api import Api
from tests.support.apiserver import ApiServer, running_apiserver
from tests.support.kubelet import PODS, process_pod, running_kubelet
from tests.support.patience import eventually

TALK = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("ended", flush=True)))
print("one", flush=True)
print("two", flush=True)
time.sleep(600)
"""

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    base = tmp_path_factory.mktemp("kubectl")
    with running_apiserver(base / "api") as server, running_kubelet(server, base / "kubelet" / "dir"):
        api = Api(server)
        eventually(lambda: api.find("/api/v1/nodes/node-1"), "the node is registered")
        api.create(PODS, process_pod("talk", TALK))
        crash = process_pod("crash", "import os; print('run', os.getpid()); raise SystemExit(1)")
        api.create(PODS, crash)
        eventually(lambda: "BackOff" in kubectl(server, "get", "pod", "crash"), "it crash-loops")
        yield server


def kubectl(server: ApiServer, *arguments: str) -> str:
    command = ["kubectl", "--kubeconfig", str(server.kubeconfig), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_get_shows_what_happens(server: ApiServer) -> None:
    listing = kubectl(server, "get", "pods")
    rows = {line.split()[0]: line.split()[1:] for line in listing.splitlines()[1:]}
    assert rows["talk"][:3] == ["1/1", "Running", "0"]
    assert rows["crash"][:2] == ["0/1", "CrashLoopBackOff"]
    assert "Ready" in kubectl(server, "get", "nodes")


def test_describe_shows_events_and_reasons(server: ApiServer) -> None:
    described = kubectl(server, "describe", "pod", "crash")
    assert re.search(r"Reason:\s+CrashLoopBackOff", described)
    assert re.search(r"Exit Code:\s+1", described)
    eventually(lambda: "BackOff" in kubectl(server, "describe", "pod", "crash").partition("Events:")[2], "its events")


def test_logs(server: ApiServer) -> None:
    assert kubectl(server, "logs", "talk") == "one\ntwo\n"
    assert kubectl(server, "logs", "talk", "--tail=1") == "two\n"
    stamped = kubectl(server, "logs", "talk", "--timestamps").splitlines()
    assert [line.split(" ", 1)[1] for line in stamped] == ["one", "two"]
    assert kubectl(server, "logs", "talk", "--since=10m") == "one\ntwo\n"
    now, before = kubectl(server, "logs", "crash"), kubectl(server, "logs", "crash", "-p")
    assert now.startswith("run ")
    assert before.startswith("run ")
    assert now != before


def test_follow_ends_with_the_pod(server: ApiServer) -> None:
    Api(server).create(PODS, process_pod("follow", TALK))
    eventually(lambda: "Running" in kubectl(server, "get", "pod", "follow"), "running")
    command = ["kubectl", "--kubeconfig", str(server.kubeconfig), "logs", "-f", "follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "one\n"
        kubectl(server, "delete", "pod", "follow")
        assert follower.stdout.read() == "two\nended\n"
        assert follower.wait(10) == 0


def test_wait_for_ready(server: ApiServer) -> None:
    assert "condition met" in kubectl(server, "wait", "--for=condition=Ready", "pod/talk", "--timeout=10s")
