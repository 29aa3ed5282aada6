"""Waiting for a run's end while its events come; outlives restarts of the gateway and of the workflow service."""

import sys
import time
from collections.abc import Callable, Iterator
from math import inf
from typing import Any

from cli.client import Gateway
from cli.output import Failure, note
from cli.target import Target
from cli.workflow.progress import Follower, Printer
from cli.workflow.runs import item
from services.contracts.errors import Exit
from services.contracts.names import FunctionRef
from services.contracts.runs import ENDED

_PATIENCE = 30.0
"""Seconds for which nothing need be heard of a platform that was there when the run began."""
_PAUSE = 0.5
View = dict[str, Any]


class Waiting:
    """One wait for the run ``run`` of the workflow ``ref``, of ``limit`` seconds at most (None: without end)."""

    def __init__(self, where: Target, ref: FunctionRef, run: FunctionRef, limit: float | None) -> None:
        self._target, self._run = where, run
        self._path = f"/api/v1/namespaces/{ref.namespace}/events?workflow={ref.name}&run={run.name}"
        self._end = inf if limit is None else time.monotonic() + limit
        self._follower, self._printer = Follower(), Printer(sys.stderr.isatty())
        self._view: View | None = None
        self._heard = 0.0

    def wait(self, start: Callable[[Gateway], View]) -> View:
        """Starts the run, tells what happens on standard error, and returns the run as it is in the end. Raises
        Failure when it does not start, or when nothing was heard for long."""
        try:
            while True:
                try:
                    self._follow(start)
                except Failure as failure:
                    passing = failure.exit_code not in (Exit.USAGE, Exit.NOT_FOUND)
                    if self._view is None or not passing or time.monotonic() > self._heard + _PATIENCE:
                        raise
                assert self._view is not None
                if self._over() or time.monotonic() >= self._end:
                    return self._view
                time.sleep(_PAUSE)
        except KeyboardInterrupt:
            self._printer.clear()
            if self._view is not None:
                note(f"the run goes on; follow it: faas workflow get {self._run}")
            raise
        finally:
            self._printer.clear()

    def _follow(self, start: Callable[[Gateway], View]) -> None:
        """One stream of events, to its end or the run's."""
        with Gateway(self._target) as events, Gateway(self._target) as asking:
            left = None if self._end == inf else max(0.0, self._end - time.monotonic())
            lines = events.lines(self._path, follow=True, seconds=left)
            next(lines, b"")  # from now on no event is missed, so the run may begin
            if self._view is None:
                self._view = start(asking)
                note(f"run {self._run}")
            else:
                self._view = asking.get(item(self._run))
            self._heard = time.monotonic()
            for data in () if self._over() else _events(lines):
                self._heard = time.monotonic()
                step = self._follower.take(data) if data else None
                if step is not None:
                    self._printer.show(step, self._follower.running)
                if self._follower.ended or not data:
                    self._view = asking.get(item(self._run))
                    if self._over():
                        return
            if not self._over():
                self._view = asking.get(item(self._run))

    def _over(self) -> bool:
        return self._view is not None and self._view["run"]["status"] in ENDED


def _events(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The data of events as they come; empty for a beat, when it is time to look whether one was lost."""
    for line in lines:
        if line.startswith(b"data: "):
            yield line[6:]
        elif line.startswith(b":"):
            yield b""
