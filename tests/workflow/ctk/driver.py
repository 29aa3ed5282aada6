"""What runs a workflow for the conformance kit."""

from typing import Any, Protocol

import msgspec


class Case(msgspec.Struct, kw_only=True):
    """What one run is given. ``hosts``: URLs of stubs by host name. ``workflows``: other definitions that it may run;
    ``functions``: what Functions of the platform answer, by ``namespace/name``; ``events``: CloudEvents that come from
    outside, one after the other, whenever the run waits for some; ``cancel_at``: when it is cancelled, in seconds."""

    definition: str
    input: Any = None
    hosts: dict[str, str] = {}
    secrets: dict[str, Any] = {}
    workflows: list[str] = []
    functions: dict[str, Any] = {}
    events: list[dict[str, Any]] = []
    cancel_at: float | None = None
    trigger: dict[str, Any] | None = None
    """An event by which the workflow's schedule starts the run; for the real service alone."""


class TaskResult(msgspec.Struct, kw_only=True):
    """How a task ended, the last time that it ran: ``completed``, ``faulted``, ``cancelled`` or ``skipped``."""

    status: str
    output: Any = None
    error: dict[str, Any] | None = None


class Outcome(msgspec.Struct):
    """How a run ended. ``tasks``: the names of the tasks that began, in order; ``ended``: that ended; ``results`` by
    name; ``lifecycle``: the kinds of its lifecycle events, such as ``task.started``, in order; ``emitted``: the events
    of its emit tasks; ``seconds``: how long it took, on its own clock."""

    status: str
    output: Any = None
    error: dict[str, Any] | None = None
    tasks: list[str] = []
    ended: list[str] = []
    results: dict[str, TaskResult] = {}
    lifecycle: list[str] = []
    emitted: list[dict[str, Any]] = []
    seconds: float = 0.0


class Driver(Protocol):
    """Runs a definition (YAML) with an input to its end. Refusals raise ValueError."""

    def run(self, case: Case) -> Outcome:
        """The outcome of one run."""
