"""Calls of Functions over the bus, as the gateway makes them, tried again where that is safe."""

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from nats.errors import Error as NatsError

from services.common.replies import Replies
from services.contracts import events, headers, subjects
from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.workflow.driver import outcomes
from services.workflow.driver.link import Link
from services.workflow.driver.outcomes import Next
from services.workflow.engine.stimuli import CallEnded
from services.workflow.worker.protocol import Answered, CallFunction

log = logging.getLogger("workflow")

Idempotent = Callable[[FunctionRef], bool]
Confirm = Callable[[], Awaitable[None]]
"""Returns when it is certain that what runs here is this instance's."""
Outcome = Answered | CallEnded
_SYNC_SECONDS = 30.0
"""How long it may take until the API server has told which Functions are idempotent."""


class FunctionCalls:
    """``progress`` is the subject on which routers say that they still hold calls of this process."""

    def __init__(
        self, replies: Replies, link: Link, progress: str, patience: float, idempotent: Idempotent,
        known: asyncio.Event, confirm: Confirm,
    ) -> None:  # fmt: skip
        self._replies, self._link, self._progress, self._patience = replies, link, progress, patience
        self._idempotent, self._known, self._confirm = idempotent, known, confirm

    async def outcome(self, command: CallFunction) -> Outcome:
        """Calls until there is an outcome that the run can record."""
        ref = FunctionRef(command.namespace, command.name)
        if command.repeated and not await self._may_repeat(ref):
            return CallEnded(task=command.task, error=outcomes.outcome_unknown(f"the call of function {ref}"))
        call_id = call_id_of(command.key)
        fields = {
            headers.ID: call_id,
            headers.CONTENT_TYPE: "application/json",
            headers.COLD_START: "wait",
            headers.PROGRESS: self._progress,
        }
        began, attempt = time.monotonic(), 0
        while True:
            await self._confirm()
            code, result = await self._once(ref, fields, command, call_id)
            if not isinstance(result, dict):
                return result
            attempt += 1
            may = code in outcomes.UNKNOWN and await self._may_repeat(ref)
            if outcomes.judge(code, time.monotonic() - began, self._patience, may) is Next.FAIL:
                return CallEnded(task=command.task, error=result)
            log.info("function %s is called again: %s", ref, code, extra={"call": call_id})
            began += await self._wait(outcomes.pause(attempt, random.random()))

    async def _once(
        self, ref: FunctionRef, fields: dict[str, str], command: CallFunction, call_id: str
    ) -> tuple[str, Outcome | dict[str, Any]]:
        """One attempt: the code of what went wrong, and the outcome, or the error to end with."""
        try:
            headers.check_size(fields, command.body)
            received = events.Received(call_id, "workflow")
            bus = self._replies.connection()
            await bus.publish(*events.function_event(ref, events.RECEIVED, call_id, received, time.time()))
            reply = await self._replies.request(subjects.invoke(ref), fields, command.body, call_id)
        except FaasError as error:
            return error.code, outcomes.of_faas_error(error)
        except NatsError as error:
            log.warning("function %s was not called: %s", ref, error)
            return Code.BUS_UNAVAILABLE, outcomes.of_faas_error(FaasError(Code.BUS_UNAVAILABLE, str(error)))
        answered = reply.headers or {}
        if outcomes.failed(answered):
            return outcomes.code_of(answered), outcomes.error(answered, reply.data)
        return "", Answered(command.task, outcomes.output(answered, reply.data))

    async def _wait(self, seconds: float) -> float:
        """Waits so long, and until the bus is there; how much of that was without it."""
        await asyncio.sleep(seconds)
        if self._link.up.is_set():
            return 0.0
        away = time.monotonic()
        await self._link.up.wait()
        return time.monotonic() - away

    async def _may_repeat(self, ref: FunctionRef) -> bool:
        try:
            async with asyncio.timeout(_SYNC_SECONDS):
                await self._known.wait()
        except TimeoutError:
            log.error("the API server did not tell whether function %s is idempotent", ref)
        return self._idempotent(ref)


def call_id_of(key: str) -> str:
    """A key as the id of a call; one that is too long for that by its digest."""
    return key if headers.is_id(key) else hashlib.sha256(key.encode()).hexdigest()
