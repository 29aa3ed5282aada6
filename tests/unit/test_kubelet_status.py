"""The status that a kubelet reports."""

from typing import Any

from cli.local.kubelet import lifecycle
from cli.local.kubelet.record import PodRecord
from cli.local.kubelet.resources import Pod, decode_pod
from cli.local.kubelet.status import pod_status, rfc3339, rfc3339_micro

T0 = 1_800_000_000.0
READINESS = {"httpGet": {"path": "/healthz", "port": 8080}}


def make_pod(**container: Any) -> Pod:
    spec = {"containers": [{"name": "main", "image": "localhost/faas-process:1", "command": ["x"], **container}]}
    return decode_pod({"metadata": {"name": "p", "namespace": "ns", "uid": "u1"}, "spec": spec})


def make_record(ip: str = "127.64.0.1") -> PodRecord:
    return PodRecord(uid="u1", namespace="ns", name="p", started_at=T0, ip=ip)


def conditions(status: dict[str, Any]) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in status["conditions"]}


def test_a_pod_being_created() -> None:
    status = pod_status(make_pod(), make_record(ip=""), "127.0.0.1", T0)
    assert status["phase"] == "Pending"
    assert "podIP" not in status
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert conditions(status) == {
        "PodReadyToStartContainers": "False",
        "Initialized": "True",
        "Ready": "False",
        "ContainersReady": "False",
        "PodScheduled": "True",
    }


def test_running_becomes_ready_and_the_times_tell_when() -> None:
    pod, record = make_pod(readinessProbe=READINESS), make_record()
    container = record.container("main")
    pod_status(pod, record, "127.0.0.1", T0)
    lifecycle.begin_start(container, T0 + 1)
    lifecycle.process_made(container, 7, 1, False, True)
    running = pod_status(pod, record, "127.0.0.1", T0 + 1)
    assert running["phase"] == "Running"
    assert conditions(running)["Ready"] == "False"
    container.ready = True
    ready = pod_status(pod, record, "127.0.0.1", T0 + 5)
    by_type = {condition["type"]: condition for condition in ready["conditions"]}
    assert by_type["Ready"] == {"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(T0 + 5)}
    assert by_type["Initialized"]["lastTransitionTime"] == rfc3339(T0)
    assert ready["podIPs"] == [{"ip": "127.64.0.1"}]
    assert ready["containerStatuses"][0]["state"] == {"running": {"startedAt": rfc3339(T0 + 1)}}
    assert ready["containerStatuses"][0]["started"] is True
    assert pod_status(pod, record, "127.0.0.1", T0 + 9) == ready


def test_a_pod_that_is_stopping_is_not_ready() -> None:
    pod, record = make_pod(), make_record()
    lifecycle.begin_start(record.container("main"), T0)
    lifecycle.process_made(record.container("main"), 7, 1, False, False)
    lifecycle.stop(record, lifecycle.NODE_SHUTDOWN, "", 5)
    assert conditions(pod_status(pod, record, "127.0.0.1", T0))["Ready"] == "False"


def test_out_of_memory() -> None:
    pod, record = make_pod(), make_record()
    container = record.container("main")
    lifecycle.begin_start(container, T0)
    lifecycle.process_made(container, 7, 1, False, False)
    container.exit_reason = "OOMKilled"
    lifecycle.exited(container, 0, 9, "", T0 + 2)
    lifecycle.begin_start(container, T0 + 2)
    lifecycle.process_made(container, 8, 2, False, False)
    status = pod_status(pod, record, "127.0.0.1", T0 + 3)["containerStatuses"][0]
    assert status["restartCount"] == 1
    assert "running" in status["state"]
    assert status["lastState"]["terminated"]["reason"] == "OOMKilled"
    assert status["lastState"]["terminated"]["exitCode"] == 137


def test_crash_loop_message_and_last_words() -> None:
    pod, record = make_pod(), make_record()
    container = record.container("main")
    for now in (T0, T0 + 1):
        lifecycle.begin_start(container, now)
        lifecycle.process_made(container, 7, 1, False, False)
        lifecycle.exited(container, 3, 0, "boom\n", now)
    status = pod_status(pod, record, "127.0.0.1", T0 + 2)
    assert status["phase"] == "Running"
    one = status["containerStatuses"][0]
    message = "back-off 10s restarting failed container=main pod=p_ns(u1)"
    assert one["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
    last = one["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"], last["message"]) == (3, "Error", "boom\n")


def test_unstarted_containers_of_a_removed_pod_are_terminated() -> None:
    pod, record = make_pod(), make_record(ip="")
    lifecycle.stop(record, lifecycle.DELETED, "", 0)
    record.finished = True
    status = pod_status(pod, record, "127.0.0.1", T0)
    assert status["phase"] == "Failed"
    assert status["containerStatuses"][0]["state"]["terminated"]["reason"] == "ContainerStatusUnknown"


def test_an_image_that_cannot_be_had() -> None:
    pod, record = make_pod(), make_record()
    container = record.container("main")
    lifecycle.not_made(container, "ErrImagePull", "no such image", T0)
    assert container.waiting_reason == "ErrImagePull"
    lifecycle.not_made(container, "ErrImagePull", "no such image", T0 + 1)
    waiting = pod_status(pod, record, "127.0.0.1", T0 + 1)["containerStatuses"][0]["state"]["waiting"]
    assert waiting == {"reason": "ImagePullBackOff", "message": "Back-off pulling image: no such image"}


def test_times_are_in_the_forms_of_the_api() -> None:
    assert rfc3339(1_800_000_000.9) == "2027-01-15T08:00:00Z"
    assert rfc3339_micro(1_800_000_000.25) == "2027-01-15T08:00:00.250000Z"
