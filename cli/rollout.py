"""Waiting for a deployed function, and saying what happens to it meanwhile."""

import time
from collections.abc import Callable
from typing import Any, Literal

from cli.client import Gateway, Refused
from cli.functions import conditions, item
from cli.logs import path as logs_path
from cli.output import Failure
from services.contracts.errors import Exit
from services.contracts.names import FunctionRef

FIRST_POLL, LONGEST_POLL = 0.02, 0.1
"""Seconds between two looks, from the first to the longest: most functions are ready within a tenth of a second."""
LOG_LINES = 20
IN_PLACE = frozenset({"Complete", "Draining"})
"""Reasons of ``Progressing`` with which the new revision has the traffic."""
MAY_PASS = frozenset({"Unschedulable"})
"""Reasons that end when the cluster gets room: they are shown, and waited for."""

Say = Callable[[str], None]


def verdict(function: dict[str, Any], generation: int) -> Literal["waiting", "ready", "failed"]:
    """What a function's status says about the spec of ``generation``."""
    if (function.get("status") or {}).get("observedGeneration", 0) < generation:
        return "waiting"
    found = {condition["type"]: condition for condition in conditions(function)}
    ready, progressing = found.get("Ready", {}), found.get("Progressing", {})
    reason = progressing.get("reason", "")
    if progressing.get("status") == "False":
        return "waiting" if reason in MAY_PASS else "failed"
    return "ready" if ready.get("status") == "True" and reason in IN_PLACE else "waiting"


def until_ready(gateway: Gateway, ref: FunctionRef, generation: int, seconds: float, say: Say) -> dict[str, Any]:
    """Polls until the function is ready, saying each change of its conditions. Raises Failure with reason and logs."""
    deadline, pause = time.monotonic() + seconds, FIRST_POLL
    shown: dict[str, str] = {}
    while True:
        function: dict[str, Any] = gateway.get(item(ref))
        state = verdict(function, generation)
        if (function.get("status") or {}).get("observedGeneration", 0) >= generation:
            say_changes(function, shown, say)
        if state == "ready":
            return function
        if state == "failed":
            message = f"{ref} does not start: {_obstacle(function)}"
            raise Failure(message, f"faas logs {ref} shows all of it", details=last_words(gateway, ref))
        if time.monotonic() > deadline:
            message = f"{ref} is not ready after {seconds:g} s: {_obstacle(function)}"
            raise Failure(message, f"faas get {ref} shows what becomes of it", Exit.TIMED_OUT, last_words(gateway, ref))
        time.sleep(pause)
        pause = min(LONGEST_POLL, pause * 1.5)


def last_words(gateway: Gateway, ref: FunctionRef) -> list[str]:
    """The last lines that the function's Pods printed, or the containers before them; none when there are no Pods."""
    for previous in (False, True):
        try:
            lines = list(gateway.lines(logs_path(ref, tail=LOG_LINES, previous=previous)))
        except Refused:
            continue
        if lines:
            texts = [line.decode(errors="replace").rstrip() for line in lines]
            return ["log:", *(f"  {text}" for text in _of_newest_pod(texts)[-LOG_LINES:])]
    return []


def _of_newest_pod(lines: list[str]) -> list[str]:
    """The lines of the Pod that comes last, when they begin with the names of several; it is the newest."""
    pod = lines[-1].partition(" ")[0]
    return [line for line in lines if line.startswith(f"{pod} ")] if pod.startswith("[") else lines


def say_changes(function: dict[str, Any], shown: dict[str, str], say: Say) -> None:
    """Says each condition that differs from what ``shown`` has, and notes it there."""
    for condition in conditions(function):
        text = f"{condition['status']} {condition.get('reason', '')}".rstrip()
        if condition.get("message"):
            text += f": {condition['message']}"
        if shown.get(condition["type"]) != text:
            shown[condition["type"]] = text
            say(f"  {condition['type']:<12} {text}")


def _obstacle(function: dict[str, Any]) -> str:
    """Reason and message of the condition that stands in the way."""
    for type_ in ("Progressing", "Ready"):
        for condition in conditions(function):
            if condition["type"] == type_ and condition["status"] != "True":
                message = condition.get("message")
                return f"{condition.get('reason', 'no reason')}" + (f": {message}" if message else "")
    return "it is still starting" if conditions(function) else "the platform has not looked at it yet"
