"""When scheduled runs begin, and what they are called. Pure: a function of the schedule, the last time and now."""

import hashlib
import math
from datetime import UTC, datetime
from typing import Literal

import msgspec
from cronsim import CronSim, CronSimError

from services.contracts.names import MAX_LABEL
from services.contracts.workflow import Definition

Kind = Literal["every", "cron", "after"]
_TAIL = 10
"""Hexadecimal digits that tell apart the runs of two workflows whose names begin alike."""


class Trigger(msgspec.Struct, frozen=True):
    """A part of a schedule that begins runs by time: ``every`` so many seconds, by a ``cron`` expression in UTC, or so
    many seconds ``after`` the end of the run before."""

    kind: Kind
    value: str

    @property
    def seconds(self) -> float:
        """Of ``every`` and ``after``."""
        return float(self.value)


def triggers_of(definition: Definition) -> list[Trigger]:
    """The triggers by time of an accepted definition."""
    schedule = definition.schedule
    if schedule is None:
        return []
    found = []
    if isinstance(schedule.every, int | float):
        found.append(Trigger("every", f"{schedule.every:g}"))
    if schedule.cron is not None:
        found.append(Trigger("cron", schedule.cron))
    if isinstance(schedule.after, int | float):
        found.append(Trigger("after", f"{schedule.after:g}"))
    return found


def first_time(trigger: Trigger, now: float) -> float | None:
    """When the first run of a schedule begins: by ``after`` at once, since nothing else would begin it. None: never,
    as by a cron expression for the 30th of February."""
    return now if trigger.kind == "after" else next_time(trigger, now, now)


def next_time(trigger: Trigger, last: float, now: float) -> float | None:
    """When the run after that of ``last`` begins, always later than ``now``: times that passed while nobody was there
    are left out, but for the one whose timer was waiting. ``every`` keeps its rhythm; ``after`` counts from ``last``,
    the end of a run."""
    if trigger.kind == "cron":
        return _cron(trigger.value, max(last, now))
    if trigger.kind == "after":
        return max(last + trigger.seconds, now)
    rounds = max(1, math.floor((now - last) / trigger.seconds) + 1)
    return last + rounds * trigger.seconds


def _cron(expression: str, after: float) -> float | None:
    try:
        return next(CronSim(expression, datetime.fromtimestamp(math.floor(after), UTC))).timestamp()
    except (StopIteration, CronSimError):
        return None


def run_id(workflow: str, kind: str, at: float) -> str:
    """The id of the run that begins at a time: the same whoever begins it, and however often."""
    moment = datetime.fromtimestamp(at, UTC)
    return _id(workflow, f"{kind}-{moment:%Y%m%d-%H%M%S}-{moment.microsecond // 1000:03d}")


def event_run_id(workflow: str, sequence: int) -> str:
    """The id of the run that an event begins, by the event's place among all."""
    return _id(workflow, f"on-{sequence}")


def _id(workflow: str, tail: str) -> str:
    if len(workflow) + 1 + len(tail) <= MAX_LABEL:
        return f"{workflow}-{tail}"
    digest = hashlib.sha256(workflow.encode()).hexdigest()[:_TAIL]
    return f"{workflow[: MAX_LABEL - len(tail) - _TAIL - 2].rstrip('-')}-{digest}-{tail}"
