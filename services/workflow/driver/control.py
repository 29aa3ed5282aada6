"""The requests that start, show and steer runs (``contracts.runs`` has the table). Whoever gets one answers it, or
passes it on to the instance that drives the run, which answers in its place."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.common.natsclient import FastClient
from services.contracts import headers, subjects
from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef, InvalidName, check_label
from services.contracts.runs import ListRuns, ReadHistory, RunSummary, RunView, StartRun, WaitRun
from services.workflow.driver.ownership import Owner
from services.workflow.driver.routing import DELIVER, Elsewhere, Over, Place, Routing
from services.workflow.driver.run import Run
from services.workflow.driver.runs import Moved, Runs
from services.workflow.driver.showing import Showing, summary, summary_of
from services.workflow.driver.starter import Starter
from services.workflow.driver.transitions import Broken
from services.workflow.engine.stimuli import Cancel, Pause, Resume, Retry
from services.workflow.store.jetstream import Outrun, Unavailable
from services.workflow.views.bounds import MAX_VIEW, fitting
from services.workflow.worker.protocol import Wanted

log = logging.getLogger("workflow")

LONGEST_WAIT = 3600.0
MAX_REQUESTS = 10_000
"""Requests that are held at once, those that wait for a run's end included."""
_STEERING: dict[str, tuple[Wanted, tuple[str, ...], str]] = {
    "cancel": (Cancel(), ("running", "suspended"), "cancelled"),
    "pause": (Pause(), ("running",), "paused"),
    "resume": (Resume(), ("suspended",), "resumed"),
    "retry": (Retry(), ("faulted",), "retried"),
}
"""The stimulus of a verb, the statuses that allow it, and what the run then is."""
_ENCODE = msgspec.json.Encoder().encode
_wanted: "msgspec.msgpack.Decoder[Wanted]" = msgspec.msgpack.Decoder(Wanted)
T = TypeVar("T")
Answer = tuple[int, bytes]
Passed = None
"""Another instance answers."""


class Control:
    """Answers requests. ``on_request`` takes those to any instance, ``on_passed`` those to this one, ``on_run`` those
    of callers that ask for a run."""

    def __init__(
        self, bus: FastClient, me: Owner, runs: Runs, routing: Routing, starter: Starter, showing: Showing,
        tasks: asyncio.TaskGroup,
    ) -> None:  # fmt: skip
        self._bus, self._me, self._runs, self._routing = bus, str(me), runs, routing
        self._starter, self._showing, self._tasks = starter, showing, tasks
        self._open = 0

    async def on_request(self, message: Msg) -> None:
        """``faas.sys.workflow.api.<verb>.<ns>.<name>``."""
        self._begin(message, lambda: self._control(message, hops=1))

    async def on_passed(self, message: Msg) -> None:
        """``faas.sys.workflow.instance.<this>.<verb>.<ns>.<id>``."""
        self._begin(message, lambda: self._control(message, hops=0))

    async def on_run(self, message: Msg) -> None:
        """``faas.run.<ns>.<workflow>``: the body is the input."""
        self._begin(message, lambda: self._run(message))

    def _begin(self, message: Msg, work: Callable[[], Awaitable[Answer | None]]) -> None:
        self._open += 1
        self._tasks.create_task(self._reply(message, work if self._open <= MAX_REQUESTS else _refuse))

    async def _reply(self, message: Msg, work: Callable[[], Awaitable[Answer | None]]) -> None:
        try:
            answer = await work()
            if answer is None:
                return
            status, body = answer
            fields = {headers.STATUS: str(status), headers.CONTENT_TYPE: "application/json"}
            headers.check_size(fields, body)
        except Exception as found:  # whatever it is, it must not end the service for all others
            error = _refusal(message.subject, found)
            body, fields = error.body(), headers.of_error(error)
        finally:
            self._open -= 1
        try:
            if message.reply:
                await self._bus.publish(message.reply, body, headers=fields)
        except NatsError as error:
            log.warning("an answer was lost: %s", error)

    async def _run(self, message: Msg) -> Answer:
        workflow = _ref(message.subject)
        try:
            given = message.data or b"{}"
            asked = StartRun(input=msgspec.json.decode(given, type=msgspec.Raw))
        except msgspec.DecodeError as error:
            raise FaasError(Code.INVALID_JSON, f"the run's input is not JSON: {error}") from None
        name = (message.headers or {}).get(headers.ID, "")
        if name:
            asked = msgspec.structs.replace(asked, id=check_label(name, "run's id"))
        return await self._start(workflow, asked)

    async def _control(self, message: Msg, hops: int) -> Answer | None:
        verb = message.subject.split(".")[-3]
        ref = _ref(message.subject)
        if verb == DELIVER:
            await self._routing.deliver(ref, _wanted.decode(message.data), hops=0)
            return 200, b""
        if verb == "start":
            asked = _body(message, StartRun)
            if asked.id:
                check_label(asked.id, "run's id")
            return await self._start(ref, asked)
        if verb == "list":
            return 200, _ENCODE(await self._showing.list(ref.namespace, _body(message, ListRuns)))
        place = await self._routing.find(ref)
        if place is None:
            raise FaasError(Code.RUN_NOT_FOUND, f"there is no run {ref}")
        if verb in ("trace", "history", "definition"):
            return await self._show(verb, message, ref, self._summary(ref, place))
        if isinstance(place, Elsewhere):
            if not hops:
                raise FaasError(Code.DRAINING, f"run {ref} changes its owner; try again", retry_after=1)
            subject = f"{subjects.instance(place.instance)}.{verb}.{ref.namespace}.{ref.name}"
            await self._bus.publish(subject, message.data, message.reply, message.headers)
            return Passed
        if verb == "wait":
            seconds = _body(message, WaitRun).seconds
            return 200, _ENCODE(await self._wait(ref, place, seconds))
        if verb in _STEERING:
            return await self._steer(verb, ref, place)
        if verb == "get":
            return 200, _ENCODE(await self._view(ref, place))
        raise FaasError(Code.NOT_FOUND, f"runs have no {verb!r}")

    async def _show(self, verb: str, message: Msg, ref: FunctionRef, run: RunSummary) -> Answer:
        if verb == "definition":
            return 200, await self._showing.definition(run.definition)
        if verb == "trace":
            return 200, _ENCODE(await self._showing.trace(ref, run))
        return 200, _ENCODE(await self._showing.history(ref, run, _body(message, ReadHistory)))

    def _summary(self, ref: FunctionRef, place: Place) -> RunSummary:
        if isinstance(place, Run):
            return summary_of(place, self._me)
        assert place is not None
        return summary(ref, place.head)

    async def _view(self, ref: FunctionRef, place: Place) -> RunView:
        return await self._showing.view(self._summary(ref, place), driven=isinstance(place, Run))

    async def _start(self, workflow: FunctionRef, asked: StartRun) -> Answer:
        started = await self._starter.start(workflow, asked)
        status = 201 if started.new else 200
        if asked.wait > 0:
            return status, _ENCODE(await self._wait_anywhere(started.ref, asked.wait))
        given = b"{}" if isinstance(asked.input, msgspec.UnsetType) else bytes(asked.input)
        shown = msgspec.Raw(fitting(given, MAX_VIEW))
        if started.new:
            return status, _ENCODE(RunView(run=summary(started.ref, started.head), input=shown))
        place = await self._routing.find(started.ref)
        if isinstance(place, Run | Over):
            return status, _ENCODE(await self._view(started.ref, place))
        return status, _ENCODE(RunView(run=summary(started.ref, started.head), input=shown))

    async def _wait_anywhere(self, ref: FunctionRef, seconds: float) -> RunView:
        """For the answer to a start: of a run that is driven elsewhere, how it is now."""
        place = await self._routing.find(ref)
        if isinstance(place, Elsewhere):
            return await self._showing.view(summary(ref, place.head), driven=False)
        return await self._wait(ref, place, seconds)

    async def _wait(self, ref: FunctionRef, place: Place, seconds: float) -> RunView:
        """The run once it has ended, or as it is when the time is over. Raises FaasError when another drives it."""
        if isinstance(place, Run) and place.open:
            ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            place.waiters.append(ended)
            await asyncio.wait((ended,), timeout=max(0.0, min(seconds, LONGEST_WAIT)))
            if not ended.done():
                place.waiters.remove(ended)
            elif place.open:
                raise FaasError(Code.DRAINING, f"run {ref} changes its owner; try again", retry_after=1)
        return await self._view(ref, place)

    async def _steer(self, verb: str, ref: FunctionRef, place: Place) -> Answer:
        wanted, allowed, done = _STEERING[verb]
        run = self._summary(ref, place)
        if run.status not in allowed:
            others = f"a {' or '.join(allowed)} run can"
            raise FaasError(Code.CONFLICT, f"the run {ref} is {run.status}, so it can't be {done}: {others}")
        if isinstance(place, Over):
            place = await self._runs.reopen(ref, place.head, place.last, wanted)
        elif isinstance(place, Run):
            await self._runs.ask(place, wanted)
        return 200, _ENCODE(await self._view(ref, place))


async def _refuse() -> Answer:
    raise FaasError(Code.OVERLOADED, f"this workflow service holds {MAX_REQUESTS} requests already", retry_after=1)


def _refusal(subject: str, error: Exception) -> FaasError:
    """What the asker is told of an error."""
    if isinstance(error, FaasError):
        return error
    if isinstance(error, InvalidName):
        return FaasError(Code.INVALID_NAME, str(error))
    if isinstance(error, Unavailable | Moved | Outrun):
        log.warning("%s: %s", subject, error)
        return FaasError(Code.DRAINING, "the run's history can't be reached now: try again", retry_after=1)
    if isinstance(error, Broken):
        log.error("%s: %s", subject, error)
        return FaasError(Code.INTERNAL, f"the run can't be read: {error}")
    log.error("%s could not be answered", subject, exc_info=error)
    return FaasError(Code.INTERNAL, "the workflow service failed; its log says how")


def _ref(subject: str) -> FunctionRef:
    namespace, name = subject.split(".")[-2:]
    return FunctionRef(check_label(namespace, "namespace"), check_label(name, "name"))


def _body(message: Msg, type_: type[T]) -> T:
    """The request's body. Raises FaasError."""
    try:
        return msgspec.json.decode(message.data or b"{}", type=type_)
    except msgspec.ValidationError as error:
        raise FaasError(Code.BAD_REQUEST, f"the request is wrong: {error}") from None
    except msgspec.DecodeError as error:
        raise FaasError(Code.INVALID_JSON, f"the request is not JSON: {error}") from None
