"""Bringing a definition onto the platform, and waiting until the workflow service has accepted or refused it."""

import time
from typing import Any

from cli.client import Gateway
from cli.functions import conditions
from cli.output import Failure
from cli.rollout import FIRST_POLL, LONGEST_POLL, Say, say_changes
from services.contracts.errors import Exit
from services.contracts.names import FunctionRef


def collection(namespace: str) -> str:
    """Path of a namespace's workflows. ``namespace`` is a checked name."""
    return f"/api/v1/namespaces/{namespace}/workflows"


def item(ref: FunctionRef) -> str:
    """Path of one workflow."""
    return f"{collection(ref.namespace)}/{ref.name}"


def accepted(workflow: dict[str, Any]) -> dict[str, Any]:
    """The condition Accepted; empty while there is none."""
    return next((condition for condition in conditions(workflow) if condition["type"] == "Accepted"), {})


def until_accepted(gateway: Gateway, ref: FunctionRef, generation: int, seconds: float, say: Say) -> dict[str, Any]:
    """Polls until the workflow is accepted and, with an input, its run has begun; says what changes. Raises Failure."""
    deadline, pause = time.monotonic() + seconds, FIRST_POLL
    shown: dict[str, str] = {}
    while True:
        workflow: dict[str, Any] = gateway.get(item(ref))
        status = workflow.get("status") or {}
        if status.get("observedGeneration", 0) >= generation:
            condition = accepted(workflow)
            if condition.get("status") == "False":
                raise _refused(ref, condition)
            say_changes(workflow, shown, say)
            if condition.get("status") == "True" and ("input" not in workflow["spec"] or status.get("run")):
                return workflow
        if time.monotonic() > deadline:
            what = "its run has not begun" if status.get("conditions") else "the workflow service has not looked at it"
            hint = "faas status shows which parts of the platform run"
            raise Failure(f"workflow {ref}: {what} after {seconds:g} s", hint, Exit.TIMED_OUT)
        time.sleep(pause)
        pause = min(LONGEST_POLL, pause * 1.5)


def _refused(ref: FunctionRef, condition: dict[str, Any]) -> Failure:
    message = f"workflow {ref} is not accepted: {condition.get('reason', 'no reason')}"
    problems = str(condition.get("message", "")).split("; /")
    passing = condition.get("reason") == "ResourceUnavailable"
    hint = "it is stored, and is accepted by itself once its schemas can be had: faas workflow definitions shows it"
    code = Exit.UNAVAILABLE if passing else Exit.USAGE
    return Failure(message, hint if passing else "", code, [problems[0], *(f"/{problem}" for problem in problems[1:])])
