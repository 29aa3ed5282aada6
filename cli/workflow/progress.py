"""What a run does while somebody waits for it, a line for each thing that happens."""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from cli.output import clean
from cli.workflow.runs import problem, span

_PREFIX = "io.serverlessworkflow."


class _Event(msgspec.Struct):
    type: str
    time: str = ""
    data: dict[str, Any] = {}


class Step(NamedTuple):
    """Something that happened: ``mark``, name of the task and what is said of it. ``begin``: a task's start."""

    mark: str
    name: str
    said: str
    begin: bool = False

    def __str__(self) -> str:
        return f"{self.mark} {self.name}  {self.said}".rstrip()


class Follower:
    """Lifecycle events of one run, in order, into steps. ``ended`` once the run has."""

    def __init__(self) -> None:
        self.ended = False
        self.running: dict[str, float] = {}
        """When the tasks under way began, by pointer."""
        self._created: set[str] = set()
        """Tasks that have not begun, by pointer: one that ends like this was skipped."""

    def take(self, raw: bytes) -> Step | None:
        """What an event says; None for one that says nothing new to a reader."""
        event = msgspec.json.decode(raw, type=_Event)
        about, _, verb = event.type.removeprefix(_PREFIX).removesuffix(".v1").partition(".")
        if about == "workflow":
            self.ended = self.ended or verb in ("completed", "faulted", "cancelled")
            return Step("▸" if verb == "resumed" else "…", "run", verb) if verb in ("suspended", "resumed") else None
        pointer = str(event.data.get("task", ""))
        name = pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
        return self._task(verb, pointer, name, _seconds(event), event.data.get("error"))

    def _task(self, verb: str, pointer: str, name: str, at: float, error: dict[str, Any] | None) -> Step | None:
        if verb == "created":
            self._created.add(pointer)
        if verb == "started":
            self._created.discard(pointer)
            self.running[pointer] = at
            return Step("▸", name, "started", begin=True)
        if verb == "retried":
            return Step("↻", name, "tries again")
        if verb not in ("completed", "faulted", "cancelled"):
            return None
        begin, pending = self.running.pop(pointer, None), pointer in self._created
        self._created.discard(pointer)
        if verb == "completed" and begin is None:  # one that began before anybody looked is not a skipped one
            return Step("-", name, "skipped") if pending else Step("✓", name, "completed")
        if begin is not None and verb == "completed":
            return Step("✓", name, span(begin, at))
        own = error is not None and error.get("instance", pointer) == pointer  # else told where it was raised
        said = "; ".join(problem(error)) if error is not None and own else ""
        return Step("✗" if verb == "faulted" else "⊘", name, f"{verb}  {said}")


def _seconds(event: _Event) -> float:
    from datetime import datetime

    for key in ("startedAt", "completedAt", "faultedAt", "cancelledAt"):
        if key in event.data:
            return datetime.fromisoformat(str(event.data[key]).replace("Z", "+00:00")).timestamp()
    return 0.0


class Printer:
    """Steps on standard error: on a terminal with one more line that says what runs now, else a line each."""

    def __init__(self, live: bool, write: Callable[[str], Any] = sys.stderr.write) -> None:
        self._live = live
        self._write = write
        self._status = False

    def show(self, step: Step, running: dict[str, float]) -> None:
        """A step, and what runs after it."""
        self.clear()
        if not (self._live and step.begin):
            self._write(clean(str(step)) + "\n")
        if self._live and running:
            names = ", ".join(pointer.rpartition("/")[2] for pointer in list(running)[:8])
            self._write(f"▸ {clean(names)}"[:78])
            self._status = True
        sys.stderr.flush()

    def clear(self) -> None:
        """Takes the last line away that says what runs."""
        if self._status:
            self._write("\r\x1b[K")
            self._status = False
