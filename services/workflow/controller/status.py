"""What a Workflow's status should say. Pure."""

import time

from services.contracts.resources import Condition, Workflow, WorkflowStatus, WorkflowVersion
from services.contracts.workflow import Problem
from services.workflow.controller.judge import Accepted, Verdict

ACCEPTED = "Accepted"
MAX_VERSIONS = 20
"""Accepted versions that a status lists; runs keep theirs whatever it lists."""
MAX_MESSAGE = 8192
"""Characters; meta/v1 Condition allows 32,768, and nobody reads as many."""
_REASONS = {"unsupported": "Unsupported", "resource": "ResourceUnavailable"}
_SHORT_UID = 8


def status_of(workflow: Workflow, verdict: Verdict, now: float) -> WorkflowStatus:
    """The status after ``verdict`` on the present spec; ``now`` in epoch seconds. What else it says is kept."""
    old, generation = workflow.status, workflow.metadata.generation
    version = digest = ""
    versions = old.versions
    if isinstance(verdict, Accepted):
        version, digest = verdict.definition.document.version, verdict.digest
        others = [other for other in versions if other.version != version]
        versions = [WorkflowVersion(version=version, definition=digest), *others][:MAX_VERSIONS]
        found = ("True", "Accepted", f"version {version} is what new runs take")
    else:
        found = ("False", reason_of(verdict.problems), message_of(verdict.problems))
    return WorkflowStatus(
        observed_generation=generation,
        version=version,
        definition=digest,
        versions=versions,
        run=old.run,
        conditions=[_condition(old, *found, generation, now)],
    )


def is_accepted(workflow: Workflow) -> bool:
    """Whether the status says so of the present spec."""
    status = workflow.status
    said = any(condition.type == ACCEPTED and condition.status == "True" for condition in status.conditions)
    return said and status.observed_generation == workflow.metadata.generation


def _condition(old: WorkflowStatus, status: str, reason: str, message: str, generation: int, now: float) -> Condition:
    before = next((condition for condition in old.conditions if condition.type == ACCEPTED), None)
    same = before is not None and before.status == status and before.last_transition_time
    moment = before.last_transition_time if before is not None and same else _rfc3339(now)
    return Condition(
        type=ACCEPTED,
        status="True" if status == "True" else "False",
        reason=reason,
        message=message,
        last_transition_time=moment,
        observed_generation=generation,
    )


def _rfc3339(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def reason_of(problems: list[Problem]) -> str:
    """The condition's reason: that of the problems' kind when they have one of their own, else
    ``InvalidDefinition``."""
    kinds = {problem.kind for problem in problems}
    return _REASONS[kinds.pop()] if len(kinds) == 1 and kinds <= _REASONS.keys() else "InvalidDefinition"


def message_of(problems: list[Problem]) -> str:
    """All problems in one text, as many as fit."""
    text = ""
    for number, problem in enumerate(problems):
        more = f"; and {len(problems) - number} more"
        addition = ("; " if text else "") + str(problem)
        if text and len(text) + len(addition) + len(more) > MAX_MESSAGE:
            return text + more
        text += addition
    return text[:MAX_MESSAGE]


def run_id(workflow: Workflow) -> str:
    """The id of the one run that ``spec.input`` asks for: the same from every instance that starts it."""
    name = workflow.metadata.name[: 63 - _SHORT_UID - 1]
    return f"{name}-{workflow.metadata.uid[:_SHORT_UID].lower()}"
