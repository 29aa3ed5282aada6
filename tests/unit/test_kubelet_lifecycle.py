"""The kubelet's decisions on virtual time."""

from typing import Any

import pytest

from cli.local.kubelet import lifecycle
from cli.local.kubelet.lifecycle import Finish, Kill, Start, Terminate, decide
from cli.local.kubelet.record import Backoff, PodRecord
from cli.local.kubelet.resources import Pod, decode_pod
from cli.local.kubelet.status import pod_phase, pod_status

T0 = 1_800_000_000.0


def make_pod(policy: str = "Always", init: bool = False, **spec: Any) -> Pod:
    containers = {"containers": [{"name": "main", "image": "faas-process", "command": ["true"]}]}
    if init:
        containers["initContainers"] = [{"name": "first", "image": "faas-process", "command": ["true"]}]
    meta = {"name": "p", "namespace": "default", "uid": "u1", "creationTimestamp": None}
    return decode_pod({"metadata": meta, "spec": {**containers, "restartPolicy": policy, **spec}})


def make_record() -> PodRecord:
    return PodRecord(uid="u1", namespace="default", name="p", started_at=T0, ip="127.64.0.1")


def run_container(record: PodRecord, name: str, now: float, readiness: bool = False) -> None:
    lifecycle.begin_start(record.container(name), now)
    lifecycle.process_made(record.container(name), 100, 5, False, readiness)


def end_container(record: PodRecord, name: str, now: float, code: int = 0, signal: int = 0) -> None:
    lifecycle.exited(record.container(name), code, signal, "last words", now)


def test_a_new_pod_starts_its_container() -> None:
    assert decide(make_pod(), make_record(), T0).actions == [Start("main")]


def test_nothing_is_done_twice_while_a_container_starts_or_runs() -> None:
    pod, record = make_pod(), make_record()
    lifecycle.begin_start(record.container("main"), T0)
    assert decide(pod, record, T0).actions == []
    lifecycle.process_made(record.container("main"), 100, 5, False, False)
    assert decide(pod, record, T0 + 1e6).actions == []


def test_init_containers_run_one_by_one_before_the_others() -> None:
    pod, record = make_pod(init=True), make_record()
    assert decide(pod, record, T0).actions == [Start("first")]
    run_container(record, "first", T0)
    assert decide(pod, record, T0).actions == []
    assert pod_phase(pod, record) == "Pending"
    end_container(record, "first", T0 + 1)
    assert decide(pod, record, T0 + 1).actions == [Start("main")]


def test_restarts_are_delayed_as_by_the_real_kubelet() -> None:
    pod, record, now, delays = make_pod(), make_record(), T0, []
    for _ in range(8):
        run_container(record, "main", now)
        end_container(record, "main", now, code=1)
        ended, decision = now, decide(pod, record, now)
        while not decision.actions:
            assert decision.wake_at is not None
            now = decision.wake_at
            decision = decide(pod, record, now)
        assert decision.actions == [Start("main")]
        delays.append(now - ended)
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300]
    assert record.container("main").restarts == 7


def test_the_back_off_is_forgotten_after_ten_quiet_minutes() -> None:
    record = make_record()
    record.container("main").backoff = Backoff(160, T0)
    run_container(record, "main", T0)
    end_container(record, "main", T0 + 601, code=1)
    assert decide(make_pod(), record, T0 + 601).actions == [Start("main")]
    lifecycle.begin_start(record.container("main"), T0 + 601)
    assert record.container("main").backoff.delay == 10


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [("Never", 0, "Succeeded"), ("Never", 3, "Failed"), ("OnFailure", 0, "Succeeded")],
)
def test_a_pod_that_will_not_restart_is_over(policy: str, code: int, phase: str) -> None:
    pod, record = make_pod(policy), make_record()
    run_container(record, "main", T0)
    end_container(record, "main", T0 + 1, code=code)
    assert decide(pod, record, T0 + 1).actions == [Finish()]
    assert pod_phase(pod, record) == phase
    record.finished = True
    assert decide(pod, record, T0 + 2).actions == []


def test_deletion_terminates_then_kills_then_finishes() -> None:
    pod, record = make_pod(), make_record()
    run_container(record, "main", T0)
    lifecycle.stop(record, lifecycle.DELETED, "", 30.0)
    assert decide(pod, record, T0).actions == [Terminate("main", 30.0)]
    lifecycle.terminating(record.container("main"), 30.0, T0)
    decision = decide(pod, record, T0 + 29)
    assert (decision.actions, decision.wake_at) == ([], T0 + 30)
    assert decide(pod, record, T0 + 30).actions == [Kill("main")]
    end_container(record, "main", T0 + 30, signal=9)
    assert decide(pod, record, T0 + 30).actions == [Finish()]
    assert pod_phase(pod, record) == "Failed"


def test_a_second_deletion_can_shorten_the_grace_but_not_lengthen_it() -> None:
    pod, record = make_pod(), make_record()
    run_container(record, "main", T0)
    lifecycle.stop(record, lifecycle.DELETED, "", 30.0)
    lifecycle.terminating(record.container("main"), 30.0, T0)
    lifecycle.stop(record, lifecycle.DELETED, "", 2.0)
    lifecycle.hasten(record, T0 + 1)
    assert decide(pod, record, T0 + 1).wake_at == T0 + 3
    lifecycle.stop(record, lifecycle.DELETED, "", 60.0)
    lifecycle.hasten(record, T0 + 1)
    assert decide(pod, record, T0 + 1).wake_at == T0 + 3


def test_a_failed_liveness_probe_restarts_the_container_only() -> None:
    pod, record = make_pod(), make_record()
    run_container(record, "main", T0)
    lifecycle.terminating(record.container("main"), 5.0, T0)
    assert decide(pod, record, T0 + 5).actions == [Kill("main")]
    end_container(record, "main", T0 + 5, signal=9)
    assert decide(pod, record, T0 + 5).actions == [Start("main")]


def test_the_active_deadline_fails_the_pod() -> None:
    pod, record = make_pod(activeDeadlineSeconds=60), make_record()
    run_container(record, "main", T0)
    assert decide(pod, record, T0 + 59).wake_at == T0 + 60
    assert decide(pod, record, T0 + 60).actions == [Terminate("main", 30.0)]
    status = pod_status(pod, record, "127.0.0.1", T0 + 60)
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")


def test_a_container_that_cannot_be_made_is_tried_again() -> None:
    pod, record, delays = make_pod(), make_record(), []
    now = T0
    for _ in range(6):
        lifecycle.not_made(record.container("main"), "CreateContainerConfigError", 'secret "s" not found', now)
        decision = decide(pod, record, now)
        assert decision.actions == []
        assert decision.wake_at is not None
        delays.append(decision.wake_at - now)
        now = decision.wake_at
        assert decide(pod, record, now).actions == [Start("main")]
    assert delays == [1, 2, 4, 8, 10, 10]


def test_a_command_that_cannot_be_executed_crash_loops() -> None:
    pod, record = make_pod(), make_record()
    for now in (T0, T0 + 1):
        lifecycle.begin_start(record.container("main"), now)
        lifecycle.start_failed(record.container("main"), 'exec: "nope": executable file not found in $PATH', now)
    decision = decide(pod, record, T0 + 1)
    assert decision.wake_at == T0 + 11
    state = pod_status(pod, record, "127.0.0.1", T0 + 2)["containerStatuses"][0]
    assert state["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert state["lastState"]["terminated"]["reason"] == "StartError"
    assert state["lastState"]["terminated"]["exitCode"] == 128
