"""A real kubelet under a real API server: what becomes of Pods."""

import json
import os
import ssl
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.local import pki
from tests.support.api import Api
from tests.support.apiserver import ApiServer
from tests.support.kubelet import (
    PODS,
    Kubelet,
    container_of,
    fetch,
    is_ready,
    logs,
    process_pod,
    reasons,
    running_kubelet,
    status_of,
)
from tests.support.patience import eventually

SLEEP = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(0)); print('up'); time.sleep(600)"


@pytest.fixture(scope="module")
def kubelet(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubelet]:
    with running_kubelet(server, tmp_path_factory.mktemp("kubelet") / "dir") as running:
        eventually(lambda: Api(server).find("/api/v1/nodes/node-1"), "the node is registered")
        yield running


@pytest.fixture
def api(server: ApiServer, kubelet: Kubelet) -> Iterator[Api]:
    api = Api(server)
    yield api
    for pod in api.items(PODS):
        api.delete(f"{PODS}/{pod['metadata']['name']}", gracePeriodSeconds=1)
    eventually(lambda: not api.items(PODS), "all Pods are gone")


def test_the_node_is_registered_with_a_lease(api: Api) -> None:
    node = api.get("/api/v1/nodes/node-1")
    assert {one["type"]: one["status"] for one in node["status"]["conditions"]}["Ready"] == "True"
    assert node["status"]["allocatable"]["pods"] == "110"
    path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-1"
    lease = eventually(lambda: api.find(path), "the lease")
    assert lease["spec"]["holderIdentity"] == "node-1"


def test_environment_and_volumes(api: Api, kubelet: Kubelet) -> None:
    script = """
import json, os, time
pod = os.environ["FAAS_POD_DIR"]
files = {name: open(f"{pod}{name}").read() for name in ("/etc/conf/a.txt", "/etc/secret/sub/key")}
open(f"{pod}/scratch/x", "w").close()
print(json.dumps({"env": dict(os.environ), "files": files, "cwd": os.getcwd()}), flush=True)
time.sleep(600)
"""
    api.create("/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}, "data": {"key": "djE="}})
    api.create(
        "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "c"}, "data": {"a.txt": "conf", "B": "2"}}
    )
    mounts = [("conf", "/etc/conf"), ("secret", "/etc/secret"), ("scratch", "/scratch")]
    container = {
        "env": [
            {"name": "FROM_SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key"}}},
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
        "envFrom": [{"prefix": "C_", "configMapRef": {"name": "c"}}],
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts],
    }
    secret = {"secretName": "s", "items": [{"key": "key", "path": "sub/key"}]}
    volumes = [
        {"name": "conf", "configMap": {"name": "c"}},
        {"name": "secret", "secret": secret},
        {"name": "scratch", "emptyDir": {"medium": "Memory"}},
    ]
    created = api.create(PODS, process_pod("env", script, container=container, volumes=volumes))
    base = kubelet.directory / "pods" / created["metadata"]["uid"]
    log = base / "logs" / "main" / "0.log"
    text = eventually(lambda: log.exists() and log.read_text(), "output")
    said = json.loads(text)
    ip = eventually(lambda: status_of(api, "env").get("podIP"), "address")
    assert said["files"] == {"/etc/conf/a.txt": "conf", "/etc/secret/sub/key": "v1"}
    assert said["cwd"] == str(base / "dir")
    expected = {
        "FROM_SECRET": "v1", "NAME": "env", "IP": ip, "HOST": ip, "PORT": "8080", "HOSTNAME": "env", "C_B": "2",
        "HOME": str(base / "dir"), "TMPDIR": str(base / "dir" / "tmp"), "FAAS_POD_DIR": str(base / "dir"),
        "FAAS_CACHE_DIR": str(kubelet.directory / "cache"),
    }  # fmt: skip
    assert {name: said["env"].get(name) for name in expected} == expected
    assert set(said["env"]) - set(expected) == {"PATH", "LANG", "C_a.txt"} | ({"LC_CTYPE"} & set(said["env"]))
    assert (base / "volumes" / "scratch" / "x").exists()


def test_a_missing_secret_is_named_and_waited_for(api: Api) -> None:
    reference = {"secretKeyRef": {"name": "late", "key": "k"}}
    api.create(PODS, process_pod("needy", SLEEP, container={"env": [{"name": "A", "valueFrom": reference}]}))
    waiting = eventually(lambda: container_of(api, "needy").get("state", {}).get("waiting", {}).get("message"), "why")
    assert waiting == 'secret "late" not found'
    assert container_of(api, "needy")["state"]["waiting"]["reason"] == "CreateContainerConfigError"
    assert status_of(api, "needy")["phase"] == "Pending"
    api.create("/api/v1/namespaces/default/secrets", {"metadata": {"name": "late"}, "data": {"k": "djE="}})
    eventually(lambda: is_ready(api, "needy"), "running")


def test_what_cannot_run_says_why(api: Api) -> None:
    api.create(PODS, process_pod("nginx", "", container={"image": "nginx:1"}))
    api.create(PODS, process_pod("net", SLEEP, hostNetwork=True))
    api.create(PODS, process_pod("typo", "", container={"command": ["no-such-command-here"]}))

    def waiting(name: str) -> dict[str, Any]:
        return dict(container_of(api, name).get("state", {}).get("waiting", {}))

    eventually(lambda: waiting("nginx").get("reason") in ("ErrImagePull", "ImagePullBackOff"), "image refused")
    assert "'nginx:1' can't be run on this node" in waiting("nginx")["message"]
    eventually(lambda: waiting("nginx").get("reason") == "ImagePullBackOff", "backing off")
    eventually(lambda: "spec.hostNetwork" in waiting("net").get("message", ""), "privilege refused")
    eventually(lambda: waiting("typo").get("reason") == "CrashLoopBackOff", "command refused")
    last = container_of(api, "typo")["lastState"]["terminated"]
    assert (last["reason"], last["exitCode"]) == ("StartError", 128)
    assert 'exec: "no-such-command-here": executable file not found in $PATH' in last["message"]


def test_a_crash_shows_its_last_words(api: Api, kubelet: Kubelet, tmp_path: Path) -> None:
    api.create(PODS, process_pod("crash", "import os; print('boom', os.getpid()); raise SystemExit(3)"))
    eventually(lambda: container_of(api, "crash").get("restartCount") == 1, "restarted at once")
    waiting = eventually(lambda: container_of(api, "crash")["state"].get("waiting"), "backing off")
    assert waiting["reason"] == "CrashLoopBackOff"
    assert waiting["message"].startswith("back-off 10s restarting failed container=main pod=crash_default(")
    last = container_of(api, "crash")["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (3, "Error")
    assert last["message"].startswith("boom ")
    now, before = (logs(api, kubelet, tmp_path, "crash", query) for query in ("", "?previous=true"))
    assert now != before
    assert before.startswith("boom ")
    eventually(lambda: "BackOff" in reasons(api, "crash"), "event")


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (7, "Failed")])
def test_a_pod_that_runs_once(api: Api, code: int, phase: str) -> None:
    api.create(PODS, process_pod("once", f"raise SystemExit({code})", restartPolicy="Never"))
    eventually(lambda: status_of(api, "once").get("phase") == phase, phase)
    terminated = container_of(api, "once")["state"]["terminated"]
    assert terminated["exitCode"] == code
    assert terminated["reason"] == ("Completed" if code == 0 else "Error")


def test_too_much_memory(api: Api) -> None:
    eat = "import time; hoard = bytearray(150 << 20); hoard[::4096] = b'x' * len(hoard[::4096]); time.sleep(600)"
    fields = {"resources": {"limits": {"memory": "64Mi"}}}
    api.create(PODS, process_pod("eater", eat, container=fields, restartPolicy="Never"))
    terminated = eventually(lambda: container_of(api, "eater").get("state", {}).get("terminated"), "killed")
    assert (terminated["reason"], terminated["exitCode"]) == ("OOMKilled", 137)
    assert status_of(api, "eater")["phase"] == "Failed"
    eventually(lambda: "OOMKilling" in reasons(api, "eater"), "event")


def test_no_descendant_survives(api: Api) -> None:
    """A daemon that left the session, closed all files, cleared its environment and lost its parent."""
    daemon = "import os, time; os.setsid() if os.fork() == 0 else os._exit(0); open('pid', 'w').write(str(os.getpid()))"
    script = f"""
import os, subprocess, sys, time
daemon = {daemon + "; time.sleep(600)"!r}
subprocess.run([sys.executable, "-S", "-c", daemon], env={{}}, close_fds=True, stdin=-3, stdout=-3, stderr=-3)
time.sleep(600)
"""
    created = api.create(PODS, process_pod("parent", script, terminationGracePeriodSeconds=1))
    pid_file = pod_home(api, created) / "pid"
    pid = int(eventually(lambda: pid_file.exists() and pid_file.read_text(), "the daemon"))
    os.kill(pid, 0)
    api.delete(f"{PODS}/parent")
    eventually(lambda: api.find(f"{PODS}/parent") is None, "gone")
    assert not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


def pod_home(api: Api, created: dict[str, Any]) -> Path:
    """The Pod's directory, as its process sees it."""
    name = created["metadata"]["name"]
    eventually(lambda: container_of(api, name).get("state", {}).get("running"), "running")
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            for variable in environment:
                if variable.startswith(b"FAAS_POD_DIR=") and created["metadata"]["uid"].encode() in variable:
                    return Path(os.fsdecode(variable.partition(b"=")[2]))
    raise AssertionError(f"no process of {name}")


def test_a_process_that_will_not_end_is_killed_after_the_grace_period(api: Api) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)"
    created = api.create(PODS, process_pod("deaf", deaf, terminationGracePeriodSeconds=1))
    home = pod_home(api, created)
    eventually(lambda: "up" in (home.parent / "logs" / "main" / "0.log").read_text(), "deaf")
    began = time.monotonic()
    api.delete(f"{PODS}/deaf")
    eventually(lambda: api.find(f"{PODS}/deaf") is None, "gone")
    assert 0.9 <= time.monotonic() - began < 25  # not the 30 s of a Pod that says nothing


def test_logs_with_tail_limit_times_and_follow(api: Api, kubelet: Kubelet, tmp_path: Path) -> None:
    script = "import time\nfor i in range(5): print('line', i)\ntime.sleep(1.2)\nprint('late')\ntime.sleep(0.2)"
    api.create(PODS, process_pod("talk", script, restartPolicy="Never"))
    eventually(lambda: container_of(api, "talk").get("state", {}).get("running"), "running")
    followed = logs(api, kubelet, tmp_path, "talk", "?follow=true")
    assert followed == "".join(f"line {i}\n" for i in range(5)) + "late\n"
    assert logs(api, kubelet, tmp_path, "talk", "?tailLines=2") == "line 4\nlate\n"
    assert logs(api, kubelet, tmp_path, "talk", "?tailLines=0") == ""
    assert logs(api, kubelet, tmp_path, "talk", "?limitBytes=10") == "line 0\nlin"
    stamps = [line.split(" ", 1)[0] for line in logs(api, kubelet, tmp_path, "talk", "?timestamps=true").splitlines()]
    assert stamps == sorted(stamps)
    assert len(stamps[0]) == len("2026-01-01T00:00:00.000000000Z")
    assert stamps[-1] > stamps[0]
    assert logs(api, kubelet, tmp_path, "talk", f"?sinceTime={stamps[-1]}") == "late\n"
    with pytest.raises(urllib.error.HTTPError) as caught:
        logs(api, kubelet, tmp_path, "talk", "?tailLines=many")
    caught.value.close()
    assert caught.value.code == 400


def test_the_endpoint_wants_a_certificate(api: Api, kubelet: Kubelet, tmp_path: Path) -> None:
    client = pki.issue_client_certificate(kubelet.server.authority, "api-server")
    assert fetch(api, kubelet, "/healthz", client, tmp_path) == "ok"
    assert json.loads(fetch(api, kubelet, "/pods", client, tmp_path))["kind"] == "PodList"
    assert "kubelet_running_pods" in fetch(api, kubelet, "/metrics", client, tmp_path)
    with pytest.raises((ssl.SSLError, urllib.error.URLError, ConnectionError)):
        fetch(api, kubelet, "/healthz", None, tmp_path)
    stranger = pki.issue_client_certificate(pki.create_authority("somebody else"), "api-server")
    with pytest.raises((ssl.SSLError, urllib.error.URLError, ConnectionError)):
        fetch(api, kubelet, "/pods", stranger, tmp_path)


def test_init_containers_come_first(api: Api) -> None:
    first = {
        "name": "first",
        "image": "faas-process",
        "command": [sys.executable, "-S", "-c", "open('made', 'w').close()"],
    }
    script = "import os, time; assert os.path.exists('made'); print('up'); time.sleep(600)"
    api.create(PODS, process_pod("two", script, initContainers=[first]))
    eventually(lambda: is_ready(api, "two"), "ready")
    status = status_of(api, "two")
    assert status["initContainerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
    assert status["containerStatuses"][0]["restartCount"] == 0
