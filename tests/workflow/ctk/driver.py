"""What runs a workflow for the conformance kit."""

from typing import Any, Protocol

import msgspec


class Outcome(msgspec.Struct):
    """How a run ended. ``tasks``: the names of the tasks that began, in order; ``ended``: that ended."""

    status: str
    output: Any = None
    error: dict[str, Any] | None = None
    tasks: list[str] = []
    ended: list[str] = []


class Driver(Protocol):
    """Runs a definition (YAML) with an input to its end; ``hosts`` are URLs by host name. Refusals raise ValueError."""

    def run(self, definition: str, input: Any, hosts: dict[str, str]) -> Outcome:
        """The outcome of one run."""
