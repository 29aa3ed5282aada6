"""Whether events begin a run of a workflow, and with what input: the engine's own listening, in a worker, over these
events. So filters mean here what they mean in a listen task, and none can stop the service."""

import itertools
import time
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from services.contracts.workflow import Definition
from services.workflow.controller.judge import Accepted, canonical, digest_of
from services.workflow.engine.matching import types_of
from services.workflow.engine.stimuli import EventArrived
from services.workflow.store.events import Event
from services.workflow.worker.protocol import Begin, Failed, Missing, Step, Stepped

_numbers = itertools.count()
_RUN = "_on"
"""In place of a run's id, which can't begin so."""


class Workers(Protocol):
    """The worker pool."""

    async def step(self, request: Step, /) -> Stepped | Missing | Failed: ...

    def forget(self, run: str, /) -> None: ...


class Trigger(msgspec.Struct, frozen=True):
    """What ``schedule.on`` of a definition waits for. ``types``: as of a listen task; ``document``: a workflow that
    only listens for it; ``several``: one event may not be enough."""

    types: tuple[str, ...]
    document: bytes
    digest: str
    several: bool

    def may_take(self, event: Event) -> bool:
        """Whether the event is of a constant type that the trigger names, when it names some."""
        return not self.types or event.attributes.get("type") in self.types


def trigger_of(accepted: Accepted) -> Trigger | None:
    """The trigger of a definition; None when events begin no run of it."""
    definition = accepted.definition
    if definition.schedule is None or definition.schedule.on is None:
        return None
    document = canonical(_listening(definition))
    on = definition.schedule.on
    return Trigger(types_of(on), document, digest_of(document), on.all is not None or on.until is not None)


def _listening(definition: Definition) -> dict[str, Any]:
    source = definition.source
    schedule = source["schedule"]
    listen = {"to": schedule["on"]} | ({"read": schedule["read"]} if "read" in schedule else {})
    kept = {key: source[key] for key in ("document", "evaluate") if key in source}
    return kept | {"do": [{"on": {"listen": listen}}]}


async def match(workers: Workers, trigger: Trigger, events: Sequence[Event]) -> bytes | None:
    """The input (JSON, a list of the events as read) of the run that these events begin, consumed in order until there
    are enough; None when they begin none."""
    run = f"{_RUN}/{trigger.digest}.{next(_numbers)}"
    arrived = [EventArrived(task=1, event=event.attributes, sequence=event.sequence) for event in events]
    step = Step(run, trigger.digest, [Begin("on", "on"), *arrived], time.time(), new=True)
    answer = await workers.step(step)
    if isinstance(answer, Missing):
        step.document = trigger.document
        answer = await workers.step(step)
    workers.forget(run)
    if isinstance(answer, Stepped) and answer.status == "completed":
        return answer.output
    return None
