"""kill -9 of the kubelet and of the forkserver, an API server that is away, and an orderly stop."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import Api
from tests.support.apiserver import ApiServer, running_apiserver
from tests.support.kubelet import PODS, Kubelet, container_of, is_ready, process_pod, processes_of, running_kubelet
from tests.support.patience import PATIENCE, eventually

COUNTING = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
with open("starts", "a") as file: print(os.getpid(), file=file)
while not os.path.exists("stop"):
    time.sleep(0.02)
    if os.path.exists("helper"):
        os.unlink("helper")
        if os.fork() == 0: time.sleep(600)
code = int(open("stop").read())
os.unlink("stop")
sys.exit(code)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    with running_apiserver(tmp_path / "api") as running:
        yield running


@pytest.fixture
def kubelet(server: ApiServer, tmp_path: Path) -> Iterator[Kubelet]:
    with running_kubelet(server, tmp_path / "kubelet" / "dir") as running:
        eventually(lambda: Api(server).find("/api/v1/nodes/node-1"), "the node is registered")
        yield running


@pytest.fixture
def api(server: ApiServer, kubelet: Kubelet) -> Api:
    return Api(server)


def start_counting_pod(api: Api, kubelet: Kubelet, name: str = "count") -> Path:
    """A running Pod that writes each of its starts into `starts` and ends with the exit code in `stop`; its home."""
    created = api.create(PODS, process_pod(name, COUNTING))
    home = kubelet.directory / "pods" / created["metadata"]["uid"] / "dir"
    eventually(lambda: is_ready(api, name), "running")
    eventually(lambda: starts(home), "its first line")
    return home


def starts(home: Path) -> list[int]:
    path = home / "starts"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def end(home: Path, code: int) -> None:
    """Have the counting process exit with this code; the file is there whole or not at all."""
    (home / "stop.new").write_text(str(code))
    (home / "stop.new").rename(home / "stop")


def test_a_killed_kubelet_leaves_its_pods_and_the_next_adopts_them(api: Api, kubelet: Kubelet) -> None:
    home = start_counting_pod(api, kubelet)
    kubelet.kill()
    (pid,) = starts(home)
    os.kill(pid, 0)
    kubelet.start()
    api.create(PODS, process_pod("second", COUNTING))
    eventually(lambda: is_ready(api, "second"), "the new kubelet works")
    assert starts(home) == [pid]
    assert container_of(api, "count")["restartCount"] == 0
    end(home, 0)
    eventually(lambda: len(starts(home)) == 2, "restarted")
    last = eventually(lambda: container_of(api, "count").get("lastState", {}).get("terminated"), "its end is seen")
    assert last["exitCode"] == 255
    assert "exit code is not known" in last["message"]
    api.delete(f"{PODS}/count")
    eventually(lambda: api.find(f"{PODS}/count") is None, "deleted")
    assert pid not in processes_of(kubelet.directory)


def test_what_ended_or_was_deleted_while_no_kubelet_ran(api: Api, kubelet: Kubelet) -> None:
    ended, deleted = start_counting_pod(api, kubelet), start_counting_pod(api, kubelet, "deleted")
    (ended / "helper").touch()
    eventually(lambda: len(processes_of(kubelet.directory)) == 3, "its helper")
    kubelet.kill()
    os.kill(starts(ended)[0], signal.SIGKILL)
    api.delete(f"{PODS}/deleted", gracePeriodSeconds=0)
    kubelet.start()
    eventually(lambda: len(starts(ended)) == 2, "started again")
    eventually(lambda: container_of(api, "count").get("restartCount") == 1, "counted")
    eventually(lambda: not deleted.exists(), "the deleted one is cleared away")
    assert starts(ended)[-1:] == processes_of(kubelet.directory)


def test_a_start_cut_short_is_not_made_twice(api: Api, kubelet: Kubelet) -> None:
    """The kubelet dies between writing that it starts a process and writing which: the next finds it by its mark."""
    home = start_counting_pod(api, kubelet)
    (pid,) = starts(home)
    kubelet.kill()
    state = home.parent / "state.json"
    saved = json.loads(state.read_text())
    container = saved["record"]["containers"]["main"]
    for name in ("pid", "pid_started", "started", "ready"):
        container.pop(name, None)
    container["starting"] = True
    state.write_text(json.dumps(saved))
    kubelet.start()
    api.create(PODS, process_pod("second", COUNTING))
    eventually(lambda: is_ready(api, "second"), "the new kubelet works")
    assert starts(home) == [pid]
    assert container_of(api, "count")["restartCount"] == 0


def test_an_api_server_that_is_away(api: Api, kubelet: Kubelet, server: ApiServer) -> None:
    home = start_counting_pod(api, kubelet)
    server.stop(kill=True)
    end(home, 3)
    eventually(lambda: len(starts(home)) == 2, "restarted without an API server")
    server.start()
    eventually(lambda: container_of(api, "count").get("restartCount") == 1, "caught up")
    assert container_of(api, "count")["lastState"]["terminated"]["exitCode"] == 3
    api.create(PODS, process_pod("second", COUNTING))
    eventually(lambda: is_ready(api, "second"), "the watch goes on")


def test_sigterm_stops_all_and_the_next_kubelet_starts_them_again(api: Api, kubelet: Kubelet) -> None:
    home = start_counting_pod(api, kubelet)
    assert kubelet.stop() == 0
    assert processes_of(kubelet.directory) == []
    assert not is_ready(api, "count")
    assert container_of(api, "count")["state"]["terminated"]["exitCode"] == 0
    kubelet.start()
    eventually(lambda: is_ready(api, "count"), "running again")
    assert container_of(api, "count")["restartCount"] == 1
    eventually(lambda: len(starts(home)) == 2, "its second start")


def restart(kubelet: Kubelet, *extra_args: str) -> None:
    assert kubelet.stop() == 0
    kubelet.extra_args = extra_args
    kubelet.start()


def start_deaf_pod(api: Api, kubelet: Kubelet) -> None:
    """A Pod that takes no notice of SIGTERM and may do so for a minute."""
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('deaf', 'w'); time.sleep(600)"
    created = api.create(PODS, process_pod("deaf", deaf, terminationGracePeriodSeconds=60))
    home = kubelet.directory / "pods" / created["metadata"]["uid"] / "dir"
    eventually((home / "deaf").exists, "deaf")


@pytest.mark.parametrize("deleted", [False, True])
def test_a_stop_takes_no_longer_than_its_own_grace(api: Api, kubelet: Kubelet, deleted: bool) -> None:
    restart(kubelet, "--shutdown-grace", "0.5")
    start_deaf_pod(api, kubelet)
    if deleted:
        api.delete(f"{PODS}/deaf")
    began = time.monotonic()
    assert kubelet.stop() == 0
    assert 0.5 <= time.monotonic() - began < 30
    assert processes_of(kubelet.directory) == []


def test_a_second_sigterm_does_not_wait(api: Api, kubelet: Kubelet) -> None:
    restart(kubelet, "--shutdown-grace", "60")
    start_deaf_pod(api, kubelet)
    began = time.monotonic()
    os.kill(kubelet.pid, signal.SIGTERM)
    eventually(lambda: not is_ready(api, "deaf"), "it has begun to stop")
    assert kubelet.stop(timeout=45) == 0
    assert time.monotonic() - began < 40
    assert processes_of(kubelet.directory) == []


def test_a_stop_without_an_api_server_leaves_nothing(api: Api, kubelet: Kubelet, server: ApiServer) -> None:
    home = start_counting_pod(api, kubelet)
    api.create(PODS, process_pod("second", COUNTING))
    eventually(lambda: is_ready(api, "second"), "running")
    api.delete(f"{PODS}/second", gracePeriodSeconds=20)
    server.stop(kill=True)
    assert kubelet.stop() == 0
    assert processes_of(kubelet.directory) == []
    assert len(starts(home)) == 1


def test_a_disk_that_refuses_is_asked_again(api: Api, kubelet: Kubelet) -> None:
    in_the_way = kubelet.directory / "pods"
    in_the_way.write_text("")
    api.create(PODS, process_pod("patient", COUNTING))
    eventually(lambda: "its worker has failed" in kubelet.log_file.read_text(), "it is logged")
    in_the_way.unlink()
    eventually(lambda: is_ready(api, "patient"), "running")


def test_two_kubelets_do_not_share_a_directory(kubelet: Kubelet) -> None:
    other = Kubelet(kubelet.server, kubelet.directory)
    other.start()
    assert other.process is not None
    assert other.process.wait(PATIENCE) == 1
    assert "another kubelet is running in" in kubelet.log_file.read_text()


def function_pod(name: str, code: str) -> dict[str, Any]:
    """A Pod of the Python runtime with this main.py."""
    values = {
        "FAAS_NAMESPACE": "default", "FAAS_FUNCTION": name, "FAAS_REVISION": f"{name}-1", "FAAS_HANDLER": "main:handle",
        "FAAS_TIMEOUT_MS": "5000", "FAAS_CONCURRENCY": "10", "FAAS_SOURCE_INLINE": json.dumps({"main.py": code}),
    }  # fmt: skip
    container = {
        "image": "localhost/faas-python:test",
        "command": [],
        "env": [{"name": key, "value": value} for key, value in values.items()],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}},
    }
    return process_pod(name, "", container=container)


def call(api: Api, name: str) -> Any:
    ip = api.get(f"{PODS}/{name}")["status"]["podIP"]
    request = urllib.request.Request(f"http://{ip}:8080/", b'{"x": 3, "y": 4}', {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read())


ADD = "import os\ndef handle(event):\n    return [event['x'] + event['y'], os.getpid()]\n"


def test_function_pods_outlive_the_forkserver_and_the_kubelet(api: Api, kubelet: Kubelet) -> None:
    api.create(PODS, function_pod("add", ADD))
    eventually(lambda: is_ready(api, "add"), "ready")
    result, pid = call(api, "add")
    assert result == 7
    forkserver = forkserver_of(kubelet)
    os.kill(forkserver, signal.SIGKILL)
    eventually(lambda: forkserver_of(kubelet) not in (0, forkserver), "another forkserver")
    assert call(api, "add") == [7, pid]
    api.create(PODS, function_pod("add2", ADD))
    eventually(lambda: is_ready(api, "add2"), "the new forkserver works")
    kubelet.kill()
    assert call(api, "add") == [7, pid]
    kubelet.start()
    api.create(PODS, function_pod("add3", ADD))
    eventually(lambda: is_ready(api, "add3"), "the new kubelet works")
    assert call(api, "add") == [7, pid]
    os.kill(os.getsid(pid), signal.SIGKILL)  # its main process, which leads its session
    eventually(lambda: container_of(api, "add")["restartCount"] == 1 and is_ready(api, "add"), "restarted")
    assert call(api, "add")[1] != pid


def forkserver_of(kubelet: Kubelet) -> int:
    """The pid of the kubelet's forkserver; 0: there is none now."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == kubelet.pid and b"faas_runtime.forkserver" in command:
                return int(entry.name)
    return 0


def test_how_a_function_pod_ended_is_known_from_the_forkserver(api: Api, kubelet: Kubelet) -> None:
    api.create(PODS, function_pod("killed", "print('no more', flush=True)\n" + ADD))
    eventually(lambda: is_ready(api, "killed"), "ready")
    os.kill(os.getsid(call(api, "killed")[1]), signal.SIGKILL)
    last = eventually(lambda: container_of(api, "killed").get("lastState", {}).get("terminated"), "ended")
    assert (last["exitCode"], last["signal"]) == (137, 9)
    assert "no more" in last["message"]


def test_cold_starts_are_quick(api: Api, kubelet: Kubelet) -> None:
    times = []
    for number in range(5):
        began = time.monotonic()
        api.create(PODS, function_pod(f"cold-{number}", ADD))
        eventually(lambda name=f"cold-{number}": is_ready(api, name), "ready")
        times.append((time.monotonic() - began) * 1000)
        api.delete(f"{PODS}/cold-{number}", gracePeriodSeconds=1)
    print(f"create to ready as seen by a poll every 10 ms: {', '.join(f'{each:.0f}' for each in times)} ms")
    assert max(times) < 15000
