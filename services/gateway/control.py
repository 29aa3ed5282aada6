"""Asking the workflow services: control requests of ``services.contracts.runs`` over the bus."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from nats.aio.msg import Msg

from services.common.replies import Replies
from services.contracts import headers, subjects
from services.contracts.errors import Code, ErrorBody, FaasError
from services.contracts.names import FunctionRef
from services.contracts.runs import ENDED, WaitRun
from services.gateway.respond import status_of

ANSWER_SECONDS = 10.0
"""How long a workflow service may take."""
READ_SECONDS = 25.0
"""How long it may take to read a long history; the command line waits for 30 s."""
FIRST_SECONDS = 3.0
"""After so long what may be asked twice is asked again: a service that was killed with the question answers never."""
WAIT_SECONDS = (1.0, 5.0)
"""A wait is asked for in pieces, from the first to the longest, so that a service that dies meanwhile is noticed."""
SILENCE_SECONDS = 2.0
"""How late the answer to a piece may be. A run whose owner was killed has another after 1.5 s."""
_PAUSE = 0.1
"""Seconds between two pieces: a service that is about to stop answers before its time."""
LIST = "runs"
"""Stands where others have a name: a list is of a namespace."""
_REPEATABLE = frozenset({"start", "get", "wait", "list", "trace", "definition", "history", "send"})
"""Asking these twice does what asking once does: a start has its run's id, an event its own."""
_CHANGE_SECONDS = 4.0
"""How long ``draining`` is tried again: a run whose owner has died has another after about two seconds."""


class _Run(msgspec.Struct):
    id: str
    workflow: str
    status: str


class Known(msgspec.Struct):
    """What the gateway itself reads of a RunView."""

    run: _Run

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.run.status in ENDED


class Control:
    """Requests to whichever workflow service takes them."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies

    async def ask(self, verb: str, ref: FunctionRef, message: Any = None, seconds: float = ANSWER_SECONDS) -> Msg:
        """The answer, whose status is below 400. Raises FaasError: the service's own; ``no_workflow_service`` when
        none takes the request; ``outcome_unknown`` when what it asks for may have happened or not."""
        body = b"" if message is None else msgspec.json.encode(message)
        fields = {headers.CONTENT_TYPE: "application/json"}
        headers.check_size(fields, body)
        return await self._until_answered(verb, subjects.control(verb, ref), fields, body, seconds)

    async def send(self, namespace: str, fields: dict[str, str], event: bytes) -> Msg:
        """Hands a CloudEvent, as it came, to the workflows of a namespace; returns when it is stored. Raises
        FaasError."""
        headers.check_size(fields, event)
        return await self._until_answered("send", subjects.send(namespace), fields, event, ANSWER_SECONDS)

    async def wait(self, ref: FunctionRef, seconds: float, gone: Callable[[], Awaitable[bool]]) -> Msg:
        """A run's view once it has ended, or as it is after ``seconds`` or when its reader is ``gone``. Raises
        FaasError."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        length, longest = WAIT_SECONDS
        while True:
            piece = max(0.0, min(length, end - loop.time()))
            length = min(2 * length, longest)
            try:
                answer = await self.ask("wait", ref, WaitRun(piece), piece + SILENCE_SECONDS)
            except FaasError as error:
                # a service that restarts is not the run's end
                if error.code is not Code.NO_WORKFLOW_SERVICE or loop.time() + 1 >= end:
                    raise
            else:
                if loop.time() >= end or msgspec.json.decode(answer.data, type=Known).ended or await gone():
                    return answer
            await asyncio.sleep(_PAUSE)

    async def _until_answered(
        self, verb: str, subject: str, fields: dict[str, str], body: bytes, seconds: float
    ) -> Msg:
        loop = asyncio.get_running_loop()
        end = loop.time() + _CHANGE_SECONDS
        patience = [FIRST_SECONDS, seconds] if verb in _REPEATABLE and seconds == ANSWER_SECONDS else [seconds]
        while True:
            try:
                return _checked(await self._replies.request(subject, fields, body, "", patience[0], watched=False))
            except FaasError as error:
                if error.code is Code.DEADLINE_EXCEEDED:
                    if not patience[1:]:
                        raise _silence(verb, seconds) from None
                    del patience[0]
                elif error.code is Code.NO_ROUTER:
                    raise FaasError(
                        Code.NO_WORKFLOW_SERVICE, "no workflow service takes requests at the moment", retry_after=1
                    ) from None
                elif error.code is not Code.DRAINING or loop.time() >= end:
                    raise
            await asyncio.sleep(_PAUSE)


def _silence(verb: str, seconds: float) -> FaasError:
    message = f"the workflow service gave no answer within {seconds:g} s"
    if verb in _REPEATABLE:
        return FaasError(Code.NO_WORKFLOW_SERVICE, message, retry_after=1)
    return FaasError(Code.OUTCOME_UNKNOWN, f"{message}: what was asked may have happened or not")


def _checked(reply: Msg) -> Msg:
    """The reply when it is no error. Raises the FaasError that it is."""
    answered = reply.headers or {}
    if status_of(answered) < 400:
        return reply
    body = ErrorBody(Code.INTERNAL, "the workflow service failed")
    with contextlib.suppress(msgspec.DecodeError):
        body = msgspec.json.decode(reply.data, type=ErrorBody)
    code = Code(body.code) if body.code in Code.__members__.values() else Code.INTERNAL
    after = answered.get(headers.RETRY_AFTER, "")
    raise FaasError(code, body.message, retry_after=int(after) if after.isdecimal() else None, details=body.details)
