"""The status of a Pod as a kubelet reports it: a pure function of its spec, its record and `now`.

Phases, reasons and conditions follow the real kubelet (pkg/kubelet/kubelet_pods.go, status/generate.go), since
kubectl, controllers and people read them. Times are RFC 3339 in whole seconds (metav1.Time).
"""

from datetime import UTC, datetime
from typing import Any

from cli.local.kubelet.lifecycle import DEADLINE_EXCEEDED, DELETED, restart_at, should_restart
from cli.local.kubelet.record import ContainerRecord, Exit, PodRecord
from cli.local.kubelet.resources import Container, Pod

OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
UNKNOWN_EXIT = Exit(
    code=137,
    reason="ContainerStatusUnknown",
    message="The container was never started or could not be located when the Pod was terminated",
    finished_at=0,
)


def rfc3339(seconds: float) -> str:
    """A time as metav1.Time: UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(seconds: float) -> str:
    """A time as metav1.MicroTime: UTC, microseconds (Leases, Events)."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def pod_status(pod: Pod, record: PodRecord, host_ip: str, now: float) -> dict[str, Any]:
    """The whole `status` to report. Notes in `record.conditions` when a condition has changed."""
    phase = pod_phase(pod, record)
    status: dict[str, Any] = {
        "phase": phase,
        "conditions": _conditions(pod, record, phase, now),
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "startTime": rfc3339(record.started_at),
        "containerStatuses": [_container_status(spec, pod, record, now) for spec in pod.spec.containers],
    }
    if pod.spec.init_containers:
        status["initContainerStatuses"] = [
            _container_status(spec, pod, record, now) for spec in pod.spec.init_containers
        ]
    if record.ip:
        status |= {"podIP": record.ip, "podIPs": [{"ip": record.ip}]}
    if record.stop_reason == DEADLINE_EXCEEDED:
        status |= {"reason": record.stop_reason, "message": record.stop_message}
    return status


def pod_phase(pod: Pod, record: PodRecord) -> str:
    """Pending, Running, Succeeded or Failed (API reference, Pod lifecycle)."""
    containers = [record.container(spec.name) for spec in pod.spec.containers]
    everything = [*containers, *(record.container(spec.name) for spec in pod.spec.init_containers)]
    if record.stop_reason == DEADLINE_EXCEEDED:
        return "Failed"
    if record.stop_reason == DELETED and not any(container.running for container in everything):
        return "Succeeded" if all(c.exit is not None and c.exit.code == 0 for c in containers) else "Failed"
    for spec in pod.spec.init_containers:
        last = record.container(spec.name).exit
        if last is None or last.code != 0:
            never = last is not None and pod.spec.restart_policy == "Never"
            return "Failed" if never else "Pending"
    if any(not c.running and c.exit is None for c in containers):
        return "Pending"
    exits = [c.exit for c in containers if c.exit is not None]
    if len(exits) < len(containers) or any(should_restart(pod.spec.restart_policy, last) for last in exits):
        return "Running"
    return "Succeeded" if all(last.code == 0 for last in exits) else "Failed"


def is_ready(pod: Pod, record: PodRecord) -> bool:
    """Whether every container is ready (false from the moment the Pod is to end)."""
    return not record.stop_reason and all(record.container(spec.name).ready for spec in pod.spec.containers)


def _conditions(pod: Pod, record: PodRecord, phase: str, now: float) -> list[dict[str, Any]]:
    over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase)
    todo = [spec.name for spec in pod.spec.init_containers if not _init_done(record, spec)]
    unready = [spec.name for spec in pod.spec.containers if not record.container(spec.name).ready]
    found: dict[str, tuple[bool, str, str]] = {
        "PodReadyToStartContainers": (bool(record.ip) and not record.finished, "", ""),
        "Initialized": (not todo, "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(todo)}]"),
        "PodScheduled": (True, "", ""),
    }
    not_ready = (over, "") if over else ("ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    if record.stop_reason and not unready:
        not_ready = ("PodTerminating", "the Pod is being stopped")
    for name in ("ContainersReady", "Ready"):
        found[name] = (is_ready(pod, record) and not over, *not_ready)
    return [_condition(name, *found[name], record, now) for name in OWN_CONDITIONS]


def _condition(name: str, holds: bool, reason: str, message: str, record: PodRecord, now: float) -> dict[str, Any]:
    status = "True" if holds else "False"
    if record.conditions.get(name, ("",))[0] != status:
        record.conditions[name] = (status, now)
    condition = {"type": name, "status": status, "lastTransitionTime": rfc3339(record.conditions[name][1])}
    if not holds:
        condition |= {key: text for key, text in (("reason", reason), ("message", message)) if text}
    return condition


def _init_done(record: PodRecord, spec: Container) -> bool:
    last = record.container(spec.name).exit
    return last is not None and last.code == 0


def _container_status(spec: Container, pod: Pod, record: PodRecord, now: float) -> dict[str, Any]:
    container = record.container(spec.name)
    init = any(spec.name == other.name for other in pod.spec.init_containers)
    state, last = _states(spec, pod, record, init, now)
    status: dict[str, Any] = {
        "name": spec.name,
        "state": state,
        "lastState": {"terminated": _terminated(last, record, container)} if last else {},
        "ready": _init_done(record, spec) if init else container.ready and not record.stop_reason,
        "started": container.started and container.running,
        "restartCount": container.restarts,
        "image": spec.image,
        "imageID": spec.image if container.runs else "",
    }
    if container.runs:
        status["containerID"] = container_id(record, container)
    return status


def _states(spec: Container, pod: Pod, record: PodRecord, init: bool, now: float) -> tuple[dict[str, Any], Exit | None]:
    """The present state and the exit that belongs into `lastState`."""
    container = record.container(spec.name)
    if container.pid:
        return {"running": {"startedAt": rfc3339(container.started_at)}}, container.last_exit
    last = container.exit
    if last is None:
        if record.stop_reason and record.finished:
            return {"terminated": _terminated(UNKNOWN_EXIT, record, container)}, None
        reason = container.waiting_reason or ("PodInitializing" if _waits_for_init(pod, init) else "ContainerCreating")
        return {"waiting": _without_empty(reason=reason, message=container.waiting_message)}, container.last_exit
    policy = "OnFailure" if init and pod.spec.restart_policy != "Never" else pod.spec.restart_policy
    if record.stop_reason or not should_restart(policy, last):
        return {"terminated": _terminated(last, record, container)}, container.last_exit
    if container.waiting_reason:
        return {"waiting": _without_empty(reason=container.waiting_reason, message=container.waiting_message)}, last
    if restart_at(container) > now:
        return {"waiting": {"reason": "CrashLoopBackOff", "message": backoff_message(spec.name, pod, record)}}, last
    return {"terminated": _terminated(last, record, container)}, container.last_exit


def _waits_for_init(pod: Pod, init: bool) -> bool:
    return bool(pod.spec.init_containers) and not init


def backoff_message(name: str, pod: Pod, record: PodRecord) -> str:
    """What CrashLoopBackOff says, in the words of the real kubelet."""
    seconds = int(record.container(name).backoff.delay)
    delay = f"{seconds // 60}m{seconds % 60}s" if seconds >= 60 else f"{seconds}s"
    pod_name = f"{pod.metadata.name}_{pod.metadata.namespace}({record.uid})"
    return f"back-off {delay} restarting failed container={name} pod={pod_name}"


def container_id(record: PodRecord, container: ContainerRecord) -> str:
    """A name for one run of a container, in the API's form `type://id`."""
    return f"process://{record.uid}-{container.name}-{container.restarts}"


def _terminated(last: Exit, record: PodRecord, container: ContainerRecord) -> dict[str, Any]:
    state: dict[str, Any] = {"exitCode": last.code}
    if last.signal:
        state["signal"] = last.signal
    state |= _without_empty(reason=last.reason, message=last.message)
    state |= {
        "startedAt": rfc3339(last.started_at) if last.started_at else None,
        "finishedAt": rfc3339(last.finished_at) if last.finished_at else None,
    }
    if container.runs:
        state["containerID"] = container_id(record, container)
    return {key: value for key, value in state.items() if value is not None}


def _without_empty(**texts: str) -> dict[str, str]:
    return {key: text for key, text in texts.items() if text}
