"""What one transition takes of a run's queue, what became of it, and what is left to the next owner. Pure."""

import asyncio

from services.workflow.driver.run import Handed, Run
from services.workflow.engine.stimuli import Recovered
from services.workflow.worker.protocol import Answered, CallFunction, CallOutside, Stepped

_MOST, _LARGEST = 16, 4 * 1024 * 1024
"""Stimuli, and bytes of answers, that one transition takes: each may make 500 records, and it is one message."""


def take(run: Run) -> list[Handed]:
    """What waits, within bounds; Recovered comes alone, since it commands everything."""
    most = 1 if run.cautious or isinstance(run.queue[0][0], Recovered) else _MOST
    count = size = 0
    for wanted, _ in run.queue[:most]:
        size += len(wanted.output) if isinstance(wanted, Answered) else 0
        if count and size > _LARGEST:
            break
        count += 1
    taken, run.queue = run.queue[:count], run.queue[count:]
    return taken


def left(run: Run, stepped: Stepped, taken: list[Handed]) -> frozenset[int]:
    """The tasks whose calls an owner that is leaving leaves to the next one, who may make them without fear."""
    calls = [each for each in stepped.commands if isinstance(each, CallFunction | CallOutside)]
    unmade = frozenset(each.task for each in calls if not each.repeated or each.task in run.unsent)
    return unmade if isinstance(taken[0][0], Recovered) else run.unsent | unmade


def tell(told: "asyncio.Future[None] | None", error: Exception | None = None) -> None:
    """Says what became of a stimulus, when somebody still waits to hear it."""
    if told is not None and not told.done():
        told.set_exception(error) if error is not None else told.set_result(None)
