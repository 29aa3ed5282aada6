"""What to do next for a Pod: pure functions of its spec, its record and `now`.

`decide` is level-triggered: it may be called at any time, any number of times, and names what is to be done at this
moment and when to ask again. The functions after it record what happened.
"""

import msgspec

from cli.local.kubelet.record import Backoff, ContainerRecord, Exit, PodRecord
from cli.local.kubelet.resources import Container, Pod

BACKOFF_FIRST = 10.0
BACKOFF_LONGEST = 300.0
"""Seconds; the figures of the real kubelet (`MaxContainerBackOff`), which forgets a back-off after twice the longest.
"""
RETRY_FIRST = 1.0
RETRY_LONGEST = 10.0
"""Seconds between attempts to make a container whose image, Secret or ConfigMap is missing: a look-up on this
machine, so asked more often than the real kubelet pulls an image."""
START_ERROR = 128
"""Exit code of a container whose command could not be executed (as runc and the real kubelet report it)."""

NODE_SHUTDOWN = "NodeShutdown"
DELETED = "Deleted"
DEADLINE_EXCEEDED = "DeadlineExceeded"


class Start(msgspec.Struct, frozen=True):
    """Make the container's process."""

    container: str


class Terminate(msgspec.Struct, frozen=True):
    """Send SIGTERM to the container's main process; `grace` seconds later comes SIGKILL."""

    container: str
    grace: float


class Kill(msgspec.Struct, frozen=True):
    """Send SIGKILL to all of the container's processes."""

    container: str


class Finish(msgspec.Struct, frozen=True):
    """Nothing of the Pod runs and nothing will: report its last status, and remove it if it is deleted."""


Action = Start | Terminate | Kill | Finish


class Decision(msgspec.Struct):
    """Actions to take now; `wake_at` is when to decide again if nothing happens before."""

    actions: list[Action] = msgspec.field(default_factory=list)
    wake_at: float | None = None

    def wake(self, when: float) -> None:
        self.wake_at = when if self.wake_at is None else min(self.wake_at, when)


def decide(pod: Pod, record: PodRecord, now: float) -> Decision:
    """The next actions for a Pod. `record.stop_reason` set means that the Pod is to end."""
    decision = Decision()
    if not record.stop_reason and _overdue(pod, record, now, decision):
        stop(record, DEADLINE_EXCEEDED, "Pod was active on the node longer than the specified deadline", grace_of(pod))
    if record.stop_reason:
        _wind_down(record, now, decision)
        return decision
    for container in pod.spec.init_containers:
        if not _succeeded(record.container(container.name)):
            _advance(container, record, _init_policy(pod), now, decision)
            _finish_if_over(pod, record, decision)
            return decision
    for container in pod.spec.containers:
        _advance(container, record, pod.spec.restart_policy, now, decision)
    _finish_if_over(pod, record, decision)
    return decision


def _overdue(pod: Pod, record: PodRecord, now: float, decision: Decision) -> bool:
    limit = pod.spec.active_deadline_seconds
    if limit is None or not record.started_at or record.finished:
        return False
    if now >= record.started_at + limit:
        return True
    decision.wake(record.started_at + limit)
    return False


def _wind_down(record: PodRecord, now: float, decision: Decision) -> None:
    running = [container for container in record.containers.values() if container.running]
    for container in running:
        if not container.kill_at:
            decision.actions.append(Terminate(container.name, record.grace))
        else:
            _kill_when_due(container, now, decision)
    if not running and not record.finished:
        decision.actions.append(Finish())


def _advance(spec: Container, record: PodRecord, policy: str, now: float, decision: Decision) -> None:
    container = record.container(spec.name)
    if container.running:
        _kill_when_due(container, now, decision)
    elif container.exit is None or should_restart(policy, container.exit):
        when = max(container.retry_at, restart_at(container))
        if now >= when:
            decision.actions.append(Start(spec.name))
        else:
            decision.wake(when)


def _kill_when_due(container: ContainerRecord, now: float, decision: Decision) -> None:
    if not container.kill_at:
        return
    if now >= container.kill_at:
        decision.actions.append(Kill(container.name))
    else:
        decision.wake(container.kill_at)


def _finish_if_over(pod: Pod, record: PodRecord, decision: Decision) -> None:
    if not decision.actions and not record.finished and is_over(pod, record):
        decision.actions.append(Finish())


def is_over(pod: Pod, record: PodRecord) -> bool:
    """True when no container runs and none will be started again."""
    for spec in pod.spec.init_containers:
        container = record.container(spec.name)
        if not _succeeded(container):
            return container.exit is not None and not should_restart(_init_policy(pod), container.exit)
    exits = [record.container(spec.name).exit for spec in pod.spec.containers]
    return all(done is not None and not should_restart(pod.spec.restart_policy, done) for done in exits)


def _init_policy(pod: Pod) -> str:
    """Init containers run to success once; with restartPolicy Always a failed one is repeated like OnFailure."""
    return "Never" if pod.spec.restart_policy == "Never" else "OnFailure"


def _succeeded(container: ContainerRecord) -> bool:
    return container.exit is not None and container.exit.code == 0


def should_restart(policy: str, last: Exit) -> bool:
    """Whether restartPolicy `policy` starts a container again after this exit."""
    return policy == "Always" or (policy == "OnFailure" and last.code != 0)


def restart_at(container: ContainerRecord) -> float:
    """When the container may be started again: at once after the first exit, later as its back-off says."""
    if container.exit is None:
        return 0.0
    finished = container.exit.finished_at
    return finished if _forgotten(container.backoff, finished) else finished + container.backoff.delay


def grace_of(pod: Pod) -> float:
    """Seconds between SIGTERM and SIGKILL: what the deletion asked for, else what the Pod's spec says."""
    asked = pod.metadata.deletion_grace_period_seconds
    return float(pod.spec.termination_grace_period_seconds if asked is None else asked)


# --- what happened ------------------------------------------------------------------------------------------------


def stop(record: PodRecord, reason: str, message: str, grace: float) -> None:
    """The Pod is to end. A deletion outranks what ended it before, and a shorter grace brings the kill forward."""
    record.grace = min(record.grace, grace) if record.stop_reason else grace
    if not record.stop_reason or (reason == DELETED and record.stop_reason != DELETED):
        record.stop_reason, record.stop_message = reason, message
        record.finished = False


def hasten(record: PodRecord, now: float) -> None:
    """Bring the SIGKILL of containers already terminating forward to the present grace (never backward)."""
    for container in record.containers.values():
        if container.kill_at:
            container.kill_at = min(container.kill_at, now + record.grace)


def begin_start(container: ContainerRecord, now: float) -> None:
    """A process is about to be made."""
    if container.exit is not None:
        container.last_exit = container.exit
        container.backoff = next_backoff(container.backoff, container.exit.finished_at, now)
    container.exit = None
    container.starting = True
    container.runs += 1
    container.started = container.ready = False
    container.kill_at = 0
    container.exit_reason = ""
    container.started_at = now


def next_backoff(backoff: Backoff, finished_at: float, now: float) -> Backoff:
    """The back-off after one more restart: 10 s, doubling to 5 min, forgotten after 10 min without a restart."""
    if _forgotten(backoff, finished_at):
        return Backoff(BACKOFF_FIRST, now)
    return Backoff(min(backoff.delay * 2, BACKOFF_LONGEST), now)


def _forgotten(backoff: Backoff, finished_at: float) -> bool:
    return not backoff.delay or finished_at - backoff.updated > 2 * BACKOFF_LONGEST


def process_made(
    container: ContainerRecord, pid: int, pid_started: int, has_startup_probe: bool, has_readiness: bool
) -> None:
    """The process exists. Without a startup probe it counts as started, without a readiness probe as ready."""
    container.starting = False
    container.pid, container.pid_started = pid, pid_started
    container.waiting_reason = container.waiting_message = ""
    container.failures = 0
    container.started = not has_startup_probe
    container.ready = container.started and not has_readiness


def not_made(container: ContainerRecord, reason: str, message: str, now: float) -> None:
    """The container can't be made (image, Secret, ConfigMap): it waits and is tried again."""
    container.failures += 1
    delay = min(RETRY_FIRST * 2 ** min(container.failures - 1, 10), RETRY_LONGEST)
    container.retry_at = now + delay
    if reason == "ErrImagePull" and container.failures > 1:
        reason, message = "ImagePullBackOff", f"Back-off pulling image: {message}"
    container.waiting_reason, container.waiting_message = reason, message


def start_failed(container: ContainerRecord, message: str, now: float) -> None:
    """The command could not be executed: an exit like any other, with the real kubelet's code and reason."""
    container.starting = False
    container.exit = Exit(code=START_ERROR, reason="StartError", message=message, finished_at=now)


def terminating(container: ContainerRecord, grace: float, now: float, exit_reason: str = "") -> None:
    """SIGTERM has been sent (or is about to be); SIGKILL is due `grace` seconds from now."""
    container.kill_at = now + max(grace, 0.0)
    container.exit_reason = container.exit_reason or exit_reason


def exited(container: ContainerRecord, code: int, signal: int, message: str, now: float) -> None:
    """The main process has ended with an exit code (0-255), or by a signal (then 128 + signal counts as its code)."""
    code = 128 + signal if signal else code
    reason = container.exit_reason or ("Completed" if code == 0 else "Error")
    container.exit = Exit(
        code=137 if reason == "OOMKilled" else code,
        signal=signal,
        reason=reason,
        message=message if code else "",
        started_at=container.started_at,
        finished_at=now,
    )
    container.pid = container.pid_started = 0
    container.starting = container.ready = container.started = False
    container.kill_at = 0
