"""A Function's status: what runs, and in conditions whether it can be called and how its update goes. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from services.contracts.resources import Condition, Function, FunctionStatus
from services.scaler.failures import Failure

READY = "Ready"
PROGRESSING = "Progressing"


class Findings(NamedTuple):
    """What the status says."""

    serving: str
    """The revision that traffic goes to."""
    target: str
    """The revision that the spec asks for; empty when it asks for something impossible."""
    replicas: int
    ready: int
    failure: Failure | None
    """Why what serves has no ready Pod."""
    update_failure: Failure | None
    """Why the target does not start, or why there is none."""
    draining: bool
    """An old revision still has Pods."""


def find_condition(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """The condition of that type."""
    return next((condition for condition in conditions if condition.type == type_), None)


def failed_before(function: Function) -> Failure | None:
    """Why the update to this generation failed, when the status says so: that outlives the Pods that showed it."""
    said = find_condition(function.status.conditions, PROGRESSING)
    if said is None or said.status != "False" or said.observed_generation != function.metadata.generation:
        return None
    return Failure(said.reason, said.message)


def build_status(function: Function, findings: Findings, now: float) -> FunctionStatus:
    """The whole status. ``now`` is Unix time; a condition keeps its transition time while its status is the same."""
    ready = _ready(function, findings)
    conditions = [
        _condition(function, READY, ready, now),
        _condition(function, PROGRESSING, _progressing(findings, ready), now),
    ]
    return FunctionStatus(
        observed_generation=function.metadata.generation,
        revision=findings.serving,
        replicas=findings.replicas,
        ready_replicas=findings.ready,
        conditions=conditions,
    )


def may_wait(before: FunctionStatus, after: FunctionStatus) -> bool:
    """Whether a change tells only of numbers and reasons: nobody waits for those, and soon they change again."""

    def weighty(status: FunctionStatus) -> tuple[object, ...]:
        found = tuple((condition.type, condition.status) for condition in status.conditions)
        return status.observed_generation, status.revision, found

    return weighty(before) == weighty(after)


class _Word(NamedTuple):
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""


def _ready(function: Function, found: Findings) -> _Word:
    if found.ready:
        return _Word("True", "PodsReady")
    if not found.serving and found.update_failure is not None:
        return _Word("False", *found.update_failure)
    if found.failure is not None:
        return _Word("False", *found.failure)
    said = find_condition(function.status.conditions, READY)
    if said is None or function.status.revision != found.serving or said.status == "Unknown":
        return _Word("Unknown", "Starting", "the first Pod of this revision has not been ready yet")
    if said.status == "False":
        # a failed start outlives its Pods, until another one works
        return _Word("False", said.reason, said.message)
    return _Word("True", "Starting" if found.replicas else "ScaledToZero")


def _progressing(found: Findings, ready: _Word) -> _Word:
    if found.update_failure is not None:
        return _Word("False", *found.update_failure)
    if found.target != found.serving:
        return _Word("True", "Updating", f"revision {found.target} is starting")
    if ready.status == "False":
        return _Word("False", ready.reason, ready.message)
    if ready.status == "Unknown":
        return _Word("True", "Starting")
    return _Word("True", "Draining" if found.draining else "Complete")


def _condition(function: Function, type_: str, word: _Word, now: float) -> Condition:
    said = find_condition(function.status.conditions, type_)
    moment = said.last_transition_time if said is not None and said.status == word.status else ""
    return Condition(
        type=type_,
        status=word.status,
        reason=word.reason,
        message=word.message,
        last_transition_time=moment or datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        observed_generation=function.metadata.generation,
    )
