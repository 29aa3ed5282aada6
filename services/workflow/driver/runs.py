"""The runs that this instance drives. Each is a queue of stimuli and, while there are any, one task that takes them:
step, append, commands, again."""

import asyncio
import logging
from collections.abc import Callable

from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.workflow.driver.batches import left, take, tell
from services.workflow.driver.claims import Claims
from services.workflow.driver.documents import LostDefinition
from services.workflow.driver.metrics import Figures
from services.workflow.driver.obeying import Obeys
from services.workflow.driver.run import Handed, Run
from services.workflow.driver.transitions import Broken, Transitions
from services.workflow.engine.errors import standard
from services.workflow.engine.stimuli import CallEnded, Continue, EventArrived, MessageArrived, Recovered
from services.workflow.store.heads import Head
from services.workflow.store.jetstream import Outrun, Unavailable
from services.workflow.worker.protocol import Answered, Begin, History, PublishEvent, Stepped, Wanted

log = logging.getLogger("workflow")

_PAUSE = 0.2
"""Seconds before what the store or the API server did not answer is asked again."""
_ASIDE = 2.0
"""Seconds after which a run that was let go of is looked for: it may be nobody's."""
_LATER = 30.0
"""The same, for one that can't be driven now; to take it up again is a transition."""


class Moved(Exception):
    """Another instance drives the run now."""


class Runs:
    """``open`` are those that this instance owns and that are not at their end."""

    def __init__(self, transitions: Transitions, tasks: asyncio.TaskGroup) -> None:
        self.claims = Claims()
        self.open = self.claims.open
        self.leaving = False
        """Commands are left to the next owner."""
        self.empty = asyncio.Event()
        """Set when it is leaving and has nothing left."""
        self.figures = Figures()
        self._transitions = transitions
        self._tasks = tasks

    def serve(self, obeys: Obeys, look: Callable[[], None]) -> None:
        """Needed before the first run: who carries out commands, and who looks for runs without an owner."""
        self._obeys, self._look = obeys, look

    async def begin(self, ref: FunctionRef, head: Head, begin: Begin) -> Run:
        """Starts a run that there is none of; returns when its first transition is stored. Raises Outrun when there is
        one, Moved when it is here or is being taken, FaasError."""
        if not self.claims.free(ref):
            raise Moved(str(ref))
        run = Run(ref, head, 0)
        self.open[ref] = run
        await self.ask(run, begin)
        return run

    async def take(self, ref: FunctionRef, head: Head, last: int) -> Run:
        """Takes an open run from an owner who is gone. Raises Outrun when another was first."""
        run = Run(ref, head, last)
        await self._transitions.fence(run)
        return self.adopt(run)

    async def reopen(self, ref: FunctionRef, head: Head, last: int, wanted: Wanted) -> Run:
        """Goes on with a run that had ended (Retry). Raises Moved when another has, FaasError."""
        if not self.claims.free(ref):
            raise Moved(str(ref))
        run = Run(ref, head, last)
        self._transitions.workers.forget(run.name)
        self.open[ref] = run
        await self.ask(run, wanted)
        return run

    def adopt(self, run: Run, history: History | None = None) -> Run:
        """Goes on with a run that was fenced; ``history``, if it was read since."""
        if history is None:
            self._transitions.workers.forget(run.name)
        self.figures.taken += 1
        self.open[run.ref] = run
        run.history = history
        self.put(run, Recovered())
        return run

    def put(self, run: Run, wanted: Wanted, told: "asyncio.Future[None] | None" = None) -> None:
        """Hands a stimulus to a run; ``told`` hears of it when it is in the history. One that is not driven here any
        more takes nothing."""
        if self.open.get(run.ref) is not run:
            tell(told, Moved(run.name))
            return
        run.queue.append((wanted, told))
        if not run.busy:
            run.busy = True
            self._tasks.create_task(self._drive(run))

    async def ask(self, run: Run, wanted: Wanted) -> None:
        """As ``put``; returns when it is in the history. Raises Moved, Outrun (of a new run), FaasError."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.put(run, wanted, told)
        await told

    async def call_ended(self, run: Run, task: int, wanted: Wanted | None) -> None:
        """One of the run's calls is over: goes on with the run, in the task that calls this. None: its outcome comes
        another way."""
        if run.calls.pop(task, None) is None:
            return
        if wanted is None:
            self._rest(run)
            return
        run.queue.append((wanted, None))
        if not run.busy and self.open.get(run.ref) is run:
            run.busy = True
            await self._drive(run)

    async def _drive(self, run: Run) -> None:
        try:
            while run.queue and self.open.get(run.ref) is run:
                taken = take(run)
                try:
                    await self._transition(run, taken)
                except Exception:  # a defect that one run meets must not end the others
                    log.exception("run %s is put aside", run.name)
                    self._aside(run, taken, Moved(run.name), _LATER)
            run.cautious = False
        finally:
            run.busy = False
        self._rest(run)

    async def _transition(self, run: Run, taken: list[Handed]) -> None:
        link = self._transitions.link
        if not link.up.is_set():
            await link.up.wait()
        try:
            stepped = await self._transitions.make(run, [wanted for wanted, _ in taken])
            leaving, unsent = self.leaving, run.unsent
            unmade = left(run, stepped, taken) if leaving else frozenset()
            if stepped.message:
                await self._transitions.store_it(run, stepped, unmade)
            elif unmade != unsent:  # before they are made: the next owner must not take them for unmade
                run.unsent = unmade
                await self._transitions.fence(run)
        except Outrun as error:
            self._lost(run, taken, error)
            return
        except (Broken, LostDefinition) as error:
            self._broken(run, taken, error)
            return
        except (Unavailable, FaasError) as error:  # of reading, or of a secret: nothing was written
            log.warning("run %s: %s; trying again", run.name, error)
            self._transitions.workers.forget(run.name)
            run.queue = taken + run.queue
            await asyncio.sleep(_PAUSE)
            return
        self.figures.steps += 1
        for _, told in taken:
            tell(told)
        await self._follow(run, stepped, unsent, leaving)

    async def _follow(self, run: Run, stepped: Stepped, unsent: frozenset[int], leaving: bool) -> None:
        """What follows from a transition that is in the history. ``leaving``: as it was stored, its calls are left."""
        commands = stepped.commands
        if leaving:
            commands = [each for each in commands if isinstance(each, PublishEvent)]
        elif stepped.more:
            run.queue.insert(0, (Continue(), None))
        await self._obeys.obey(run, commands, unsent)
        if not run.open:
            self.figures.ended(run.ref.namespace, run.workflow, run.status)
            self.release(run)
            self._obeys.ended(run, stepped)
        elif stepped.snapshot:
            self._tasks.create_task(self._snapshot(run.ref, run.last, stepped.snapshot))

    async def _snapshot(self, ref: FunctionRef, at: int, data: bytes) -> None:
        try:
            await self._transitions.store.snapshot(ref, at, data)
        except Unavailable as error:
            log.warning("run %s: no snapshot was stored: %s", ref, error)

    def told(self, ref: FunctionRef, owner: str, last: int) -> None:
        """What the store has of a run: one that another has taken is let go of."""
        run = self.open.get(ref)
        if run is not None and 0 < run.last < last and owner != self._transitions.owner:
            self._lost(run, [], Moved(run.name))

    def release(self, run: Run) -> None:
        """Lets go of a run: it has ended, or another drives it. What it did not take is told so."""
        if self.open.get(run.ref) is run:
            del self.open[run.ref]
        self._obeys.released(run)
        run.release()
        queue, run.queue = run.queue, []
        for _, told in queue:
            tell(told, Moved(run.name))
        if self.leaving and not self.open:
            self.empty.set()

    def leave(self) -> None:
        """Commands nothing any more, and lets go of what is at rest; the others follow when their calls have ended."""
        self.leaving = True
        self._obeys.leave()
        for run in list(self.open.values()):
            self._rest(run)
        if not self.open:
            self.empty.set()

    def _rest(self, run: Run) -> None:
        """An instance that is leaving lets go of a run for which nothing is under way here."""
        if self.leaving and self.open.get(run.ref) is run and not (run.busy or run.calls or run.queue):
            self.release(run)

    def _lost(self, run: Run, taken: list[Handed], error: Exception) -> None:
        new = run.last == 0
        if not new and self.open.get(run.ref) is run:
            self.figures.lost += 1
            log.info("run %s is driven by another", run.name)
        self._aside(run, taken, error if new else Moved(run.name), _ASIDE)

    def _aside(self, run: Run, taken: list[Handed], error: Exception, seconds: float) -> None:
        """Lets go of a run, and has it looked for: it may be nobody's."""
        asyncio.get_running_loop().call_later(seconds, self._look)
        self._transitions.workers.forget(run.name)
        for _, told in taken:
            tell(told, error)
        self.release(run)

    def _broken(self, run: Run, taken: list[Handed], error: Exception) -> None:
        """A stimulus that a worker can't take must not keep the others from the run: one by one, and the bad one is
        left out; an answer becomes an error of its task."""
        self._transitions.workers.forget(run.name)
        if len(taken) > 1:
            run.cautious, run.queue = True, taken + run.queue
            return
        wanted, told = taken[0]
        log.error("run %s can't take %s: %s", run.name, type(wanted).__name__, error)
        tell(told, FaasError(Code.INTERNAL, f"the run can't take this: {error}"))
        if run.last == 0 or not run.open:  # it was to be started, or tried again
            self.release(run)
        elif isinstance(wanted, Answered):
            wrong = standard("runtime", f"the answer can't be taken: {error}").error
            run.queue.insert(0, (CallEnded(task=wanted.task, error=wrong), None))
        elif told is None and not isinstance(wanted, EventArrived | MessageArrived):
            # without it the run would wait for ever: who takes it up again finds all that is outstanding
            self._aside(run, [], error, _LATER)
