"""The control plane itself: it comes up quickly, runs Kubernetes' own controllers, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[2]


def test_serves_the_version_that_go_mod_pins(control_plane: ControlPlane) -> None:
    version = control_plane.api().expect("GET", "/version")
    assert (version["major"], version["minor"]) == ("1", "36")


def test_controllers_and_scheduler_work(control_plane: ControlPlane) -> None:
    """A ReplicaSet gets its Pod from the controller manager, and the scheduler says that there is no node for it."""
    api = control_plane.api()
    labels = {"app": "nowhere"}
    pod = {"containers": [{"name": "c", "image": "localhost/none"}], "nodeSelector": {"no": "node"}}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "nowhere"}, "spec": spec}
    made = api.expect("POST", "/apis/apps/v1/namespaces/default/replicasets", body)
    pods = "/api/v1/namespaces/default/pods?labelSelector=app%3Dnowhere"
    with api.watch(f"{pods}&watch=1&timeoutSeconds=20") as events:
        for event in events:
            conditions = event["object"].get("status", {}).get("conditions", [])
            if any(each["reason"] == "Unschedulable" for each in conditions):
                break
        else:
            pytest.fail("no Pod was found unschedulable within 20 s")
    assert event["object"]["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    api.expect("DELETE", "/apis/apps/v1/namespaces/default/replicasets/nowhere")


def test_kubectl_of_the_same_binary_works(control_plane: ControlPlane) -> None:
    answer = subprocess.run(
        control_plane.kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == "admin"


def test_everything_dies_with_a_killed_starter(tmp_path: Path) -> None:
    """A test run that is killed leaves no etcd or API server running."""
    command = [sys.executable, "-m", "tests.cluster.controlplane", str(tmp_path)]
    starter = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    assert starter.stdout.readline().startswith("up in")
    children = Path(f"/proc/{starter.pid}/task/{starter.pid}/children").read_text().split()
    assert len(children) == 4
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    deadline = time.monotonic() + PATIENCE
    while any(is_running(int(child)) for child in children):
        assert time.monotonic() < deadline, "processes outlive their killed starter"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_stopping_is_complete_and_fast(tmp_path: Path) -> None:
    plane = ControlPlane(tmp_path, controllers=False)
    plane.start()
    pids = plane.pids().values()
    began = time.monotonic()
    plane.stop()
    assert time.monotonic() - began < 15  # each kills at once; a drain takes longer
    assert not any(is_running(pid) for pid in pids)
    assert os.listdir(tmp_path)  # the logs stay for whoever looks
