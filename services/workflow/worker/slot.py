"""One place in the pool: a worker process, what was asked of it, and another process when it ends."""

import asyncio
import logging
from collections import deque

import msgspec

from services.contracts.workflow import Problem
from services.workflow.worker import protocol as p
from services.workflow.worker.blame import DEATHS, blame
from services.workflow.worker.process import Process
from services.workflow.worker.sending import encoded
from services.workflow.worker.serving import CHECK_BUDGET, Limits

_log = logging.getLogger("workflow.worker")
_PATIENCE = 20.0
"""Seconds without an answer, or with one stimulus, after which a worker is taken for stuck (stopped, or starved): far
beyond the limit that an evaluation has on processor time."""
_FORBIDDEN = 20
"""How many expressions of one request may end a worker each before it is given up."""
_decode = msgspec.msgpack.Decoder(p.Answer).decode


class Asked:
    """A request without an answer yet. ``run`` is empty when it is not about one."""

    def __init__(self, request: p.Request, run: str) -> None:
        self.request, self.run, self.body = request, run, encoded(request)
        self.answer: asyncio.Future[p.Answer] = asyncio.get_running_loop().create_future()
        self.deaths = 0

    def settle(self, answer: p.Answer) -> None:
        """Gives the answer, if somebody still waits for it."""
        if not self.answer.done():
            self.answer.set_result(answer)


class Slot:
    """``run`` keeps a worker alive. Answers come in the order of the requests."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._asked: deque[Asked] = deque()
        self._process: Process | None = None
        self._forbidden: dict[str, list[p.Forbidden]] = {}
        """By run, until it is stepped: a new worker may first ask for the history."""
        self._ticks = 0
        self._progress = 0.0
        self._answers = 0

    @property
    def pid(self) -> int:
        """Of the worker; 0 when there is none at the moment."""
        return 0 if self._process is None else self._process.pid

    def ask(self, asked: Asked) -> None:
        """Sends a request, now or when there is a worker again."""
        if not self._asked:
            self._progress = asyncio.get_running_loop().time()
        self._asked.append(asked)
        self._send(asked)

    def forget(self, run: str) -> None:
        """The worker drops the state of a run, after what was asked before."""
        if self._process is not None:
            self._process.send(encoded(p.Forget(run)))

    def _send(self, asked: Asked) -> None:
        if self._process is None:
            return  # ``_serve`` sends all that is asked once there is a process
        body = asked.body
        if isinstance(asked.request, p.Step) and asked.run in self._forbidden:
            body = encoded(msgspec.structs.replace(asked.request, forbidden=self._forbidden[asked.run]))
        self._process.send(body)

    def _received(self, message: bytes) -> None:
        answer = _decode(message)
        asked = self._asked.popleft()
        self._answers += 1
        self._progress = asyncio.get_running_loop().time()
        if self._forbidden and not isinstance(answer, p.Missing) and isinstance(asked.request, p.Step):
            self._forbidden.pop(asked.run, None)
        asked.settle(answer)

    async def run(self) -> None:
        """One process after another, until cancelled; what was asked then fails."""
        failures = 0
        try:
            while True:
                before = self._answers
                blamed = await self._serve()
                failures = 0 if blamed or self._answers > before else failures + 1
                if failures >= DEATHS:
                    _log.error("no worker process stays alive: runs wait")
                    self._give_up("no worker process of the workflow service stays alive", p.Step)
                await asyncio.sleep(min(0.1 * 2**failures, 1.0) if failures > 1 else 0)
        finally:
            self._give_up("the workflow service is stopping")

    async def _serve(self) -> bool:
        """One process from start to end; whether what ended it is known, and will not end the next one."""
        process = Process(self._limits, self._received)
        killed = False
        try:
            await process.start()
            self._process = process
            self._resend()
            while not killed and not await _set(process.closed, 1.0):
                killed = self._stuck(process)
        except OSError as error:
            _log.error("a worker process can't be started: %s", error)
        except asyncio.CancelledError:
            self._process = None
            await process.end()
            process.release()
            raise
        self._process = None
        code = await process.end(at_once=killed)
        try:
            return process.pid > 0 and self._bury(process, code, killed)
        finally:
            process.release()

    def _resend(self) -> None:
        self._asked = deque(asked for asked in self._asked if not asked.answer.done())
        self._progress = asyncio.get_running_loop().time()
        for asked in self._asked:
            self._send(asked)

    def _stuck(self, process: Process) -> bool:
        now = asyncio.get_running_loop().time()
        if process.ticks[0] != self._ticks:
            self._ticks, self._progress = process.ticks[0], now
        return bool(self._asked) and now - self._progress > _PATIENCE

    def _bury(self, process: Process, code: int, killed: bool) -> bool:
        """What becomes of the request that a process ended at: the others are innocent, and
        so are all when it was only starting. Whether that is settled."""
        if not self._asked or not process.ticks[1]:
            _log.warning("worker process %d ended (%d); starting another", process.pid, code)
            return False
        asked = self._asked[0]
        if asked.answer.done():  # cancelled: nobody wants to know
            self._asked.popleft()
            return True
        asked.deaths += 1
        seconds = self._limits.time * (CHECK_BUDGET if isinstance(asked.request, p.Check) else 1)
        found = blame(code, killed, process.evaluated(), asked.deaths, seconds)
        where = f" at {found.pointer} of {asked.run}: it {found.why}" if found else ""
        _log.warning("worker process %d ended (%d)%s; starting another", process.pid, code, where)
        if found is not None and not self._forbid(asked, found):
            self._asked.popleft()
            self._forbidden.pop(asked.run, None)
            asked.settle(_ended(asked.request, found.why))
        return found is not None

    def _forbid(self, asked: Asked, found: p.Forbidden) -> bool:
        """Whether it is of use to ask again without that expression."""
        if not found.number or not isinstance(asked.request, p.Step):
            return False
        known = self._forbidden.setdefault(asked.run, [])
        known.append(found)
        return len(known) <= _FORBIDDEN

    def _give_up(self, why: str, *but: type[p.Request]) -> None:
        """Fails what is asked, but for these kinds: a run can wait, and must not take it for its own error."""
        asked, self._asked = self._asked, deque(one for one in self._asked if isinstance(one.request, but))
        for one in asked:
            if not isinstance(one.request, but):
                one.settle(p.Failed(why))


def _ended(request: p.Request, why: str) -> p.Answer:
    """The answer to a request that ended its worker and is not asked again."""
    if isinstance(request, p.Evaluate):
        return p.Evaluated(b"", why)
    if isinstance(request, p.Check):
        return p.Checked([Problem("", "rule", f"a definition whose check {why}", "one that can be checked")])
    return p.Failed(why)


async def _set(event: asyncio.Event, seconds: float) -> bool:
    """Waits for an event, so long at most; whether it is set."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
