"""The worker processes of a workflow service, as its event loop uses them."""

import asyncio
import zlib
from collections.abc import Mapping
from itertools import cycle
from typing import Any

import msgspec

from services.contracts.workflow import Problem
from services.contracts.workflow.expressions import Expression
from services.workflow.expressions import ExpressionError
from services.workflow.worker import protocol as p
from services.workflow.worker.serving import Limits
from services.workflow.worker.slot import Asked, Slot

__all__ = ["Limits", "Pool", "Unchecked"]
_encode = msgspec.json.Encoder().encode


class Unchecked(Exception):
    """A definition could not be checked, for a reason that is not its own."""


class Pool:
    """``async with Pool(size) as pool``. A run is always at the same worker, which remembers its state; what is asked
    about a run is answered in order. A worker that ends is replaced and what was asked of it is asked again."""

    def __init__(self, size: int, limits: Limits | None = None) -> None:
        self._slots = [Slot(limits or Limits()) for _ in range(size)]
        self._next = cycle(self._slots)
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Pool":
        await self._group.__aenter__()
        self._tasks = [self._group.create_task(slot.run()) for slot in self._slots]
        return self

    async def __aexit__(self, *exception: Any) -> None:
        for task in self._tasks:
            task.cancel()
        await self._group.__aexit__(None, None, None)  # an error of the body stays what it is, without a group

    @property
    def pids(self) -> list[int]:
        """The processes that there are at the moment."""
        return [slot.pid for slot in self._slots if slot.pid]

    async def step(self, step: p.Step) -> p.Stepped | p.Missing | p.Failed:
        """The transition of a run. The worker then holds the run for being in the state after it, until ``forget``;
        a cancelled call forgets it."""
        try:
            answer = await self._ask(self._slot(step.run), step, step.run)
        except asyncio.CancelledError:
            self.forget(step.run)
            raise
        assert isinstance(answer, p.Stepped | p.Missing | p.Failed)
        return answer

    async def look(self, look: p.Look) -> p.Looked | p.Missing | p.Failed:
        """How a run is."""
        answer = await self._ask(self._slot(look.run), look, look.run)
        assert isinstance(answer, p.Looked | p.Missing | p.Failed)
        return answer

    def forget(self, run: str) -> None:
        """The state that the worker has is not what was stored, or not wanted any more: the next step needs a history.
        A step asked before this one is done before it."""
        self._slot(run).forget(run)

    async def check(self, document: bytes) -> list[Problem]:
        """All that is wrong with a definition's document (JSON), programs, schemas and cron values included. Raises
        Unchecked."""
        answer = await self._ask(next(self._next), p.Check(document))
        if isinstance(answer, p.Failed):
            raise Unchecked(answer.message)
        assert isinstance(answer, p.Checked)
        return answer.problems

    async def evaluate(self, expression: Expression, data: Any, arguments: Mapping[str, Any], now: float = 0.0) -> Any:
        """An expression's value over data with variables, as in ``expressions.evaluate``. Raises ExpressionError."""
        asked = p.Evaluate(expression, _encode(data), _encode(arguments), now)
        answer = await self._ask(next(self._next), asked)
        error = answer.message if isinstance(answer, p.Failed) else ""
        if isinstance(answer, p.Evaluated):
            if not answer.error:
                return msgspec.json.decode(answer.value)
            error = answer.error
        raise ExpressionError(error, expression.pointer)

    def _slot(self, run: str) -> Slot:
        return self._slots[zlib.crc32(run.encode()) % len(self._slots)]

    async def _ask(self, slot: Slot, request: p.Request, run: str = "") -> p.Answer:
        """The answer, however often a worker ends: ``slot`` bounds the time."""
        asked = Asked(request, run)
        slot.ask(asked)
        return await asked.answer
