"""Runs on a real nats-server with real workers, at the moments at which something goes wrong around them."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from services.contracts.names import FunctionRef
from services.workflow.controller.judge import canonical, digest_of
from services.workflow.driver import recovery, transitions
from services.workflow.driver import runs as driver_runs
from services.workflow.driver.children import Children
from services.workflow.driver.documents import Documents
from services.workflow.driver.link import Link
from services.workflow.driver.ownership import Members, Owner
from services.workflow.driver.recovery import Recovery
from services.workflow.driver.routing import Over, Routing
from services.workflow.driver.run import Run
from services.workflow.driver.runs import Runs
from services.workflow.driver.transitions import Broken, Transitions
from services.workflow.store import streams
from services.workflow.store.definitions import DefinitionStore
from services.workflow.store.heads import Head
from services.workflow.store.jetstream import JetStream, Outrun
from services.workflow.store.runs import EMPTY, RunStore
from services.workflow.worker import protocol as p
from services.workflow.worker.pool import Pool
from tests.support.bus import running_bus
from tests.support.stores import play, ref, transition
from tests.support.workflows import definition

ME = Owner("here", "1")
DOCUMENT = canonical(definition({"ask": {"call": "f", "with": {}}}))
DIGEST = digest_of(DOCUMENT)
HEAD = Head(str(ME), "running", "flow", "1.0.0", DIGEST, 1.0)
NOTHING = cast(Any, None)
OTHER_VERSION = b'[99,{"what":"ever"}]'


class Workers:
    """The pool; ``failing``: steps that a worker does not get done."""

    def __init__(self, pool: Pool) -> None:
        self._pool, self.failing = pool, 0
        self.look, self.forget = pool.look, pool.forget

    async def step(self, request: p.Step, /) -> p.Stepped | p.Missing | p.Failed:
        if self.failing:
            self.failing -= 1
            return p.Failed("ended 5 worker processes (exit code -9)")
        return await self._pool.step(request)


class Obeyed:
    """Who carries out commands: keeps the calls."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[p.CallFunction] = asyncio.Queue()
        self.over: asyncio.Queue[Run] = asyncio.Queue()

    async def obey(self, run: Run, commands: list[p.WireCommand], unsent: frozenset[int]) -> None:
        for command in commands:
            if isinstance(command, p.CallFunction):
                self.calls.put_nowait(command)

    def leave(self) -> None: ...

    def ended(self, run: Run, stepped: p.Stepped) -> None:
        self.over.put_nowait(run)

    def released(self, run: Run) -> None: ...


class Driving:
    """An instance without a bus: its runs, and what looks for those without an owner."""

    def __init__(self, js: JetStream, pool: Pool, store: RunStore, tasks: asyncio.TaskGroup) -> None:
        self.workers, self.obeyed, self.looked = Workers(pool), Obeyed(), asyncio.Event()
        self.store = store
        self.transitions = Transitions(ME, store, self.workers, Documents(DefinitionStore(js)), NOTHING, Link(js.bus))
        self.runs = Runs(self.transitions, tasks)
        members = Members(ME, 1.5, time.monotonic())
        self.routing = Routing(self.runs, store, members, NOTHING)
        children = Children(NOTHING, self.routing, self.transitions, tasks)
        self.recovery = Recovery(self.runs, self.routing, self.transitions, members, children, 60.0)
        self.runs.serve(self.obeyed, self._look)

    def _look(self) -> None:
        self.looked.set()
        self.recovery.look()

    async def begin(self, run: FunctionRef) -> Run:
        return await self.runs.begin(run, HEAD, p.Begin(run.name, "seed"))


@asynccontextmanager
async def driving(js: JetStream, store: RunStore | None = None) -> AsyncIterator[Driving]:
    await DefinitionStore(js).put(DIGEST, DOCUMENT)
    async with Pool(1) as pool, asyncio.TaskGroup() as tasks:
        yield Driving(js, pool, store or RunStore(js), tasks)


@pytest.fixture
def scene(tmp_path: Path) -> Any:
    def run(made: Callable[[JetStream], Awaitable[None]]) -> None:
        with running_bus(tmp_path) as bus:
            play(bus, made)

    return run


def test_a_transition_that_was_stored_is_known_although_nobody_answers_for_a_while(scene: Any) -> None:
    """The answer to an append is lost, and then that to the question whether it was stored."""

    async def story(js: JetStream) -> None:
        async with driving(js) as here:
            answer, seen = js._on_answer, itertools.count()

            async def lose(message: Any) -> None:
                number = next(seen)
                if number == 2:
                    js._on_lost()
                elif number:
                    await answer(message)

            js.bus.deliver_at_once(next(iter(js.bus._subs.values())), lose)
            last = await here.transitions.append(ref("lost"), transition("a"), HEAD, 0)
            assert [page.sequence for page in await here.store.page(ref("lost"))] == [last]

    scene(story)


def test_a_start_that_finds_its_run_there_has_it_looked_for(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan passes by a run that is being started here: when another's is found, it may be nobody's."""
    monkeypatch.setattr(driver_runs, "_ASIDE", 0.05)

    async def story(js: JetStream) -> None:
        async with driving(js) as here:
            await here.store.append(ref("there"), transition("a"), HEAD, 0)
            with pytest.raises(Outrun):
                await here.begin(ref("there"))
            await here.looked.wait()

    scene(story)


def test_who_leaves_lets_go_of_a_run_whose_call_ends_without_an_outcome(scene: Any) -> None:
    """A child was started: its end comes another way, and nothing else would let the run go."""

    async def story(js: JetStream) -> None:
        async with driving(js) as here:
            run = await here.begin(ref("parent"))
            task = (await here.obeyed.calls.get()).task
            run.calls[task] = asyncio.create_task(asyncio.sleep(0))
            here.runs.leave()
            assert not here.runs.empty.is_set()
            await here.runs.call_ended(run, task, None)
            assert here.runs.empty.is_set()

    scene(story)


def test_a_run_that_no_worker_could_take_up_is_taken_up_later(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_runs, "_LATER", 0.1)
    monkeypatch.setattr(transitions, "_PAUSE", 0.01)

    async def story(js: JetStream) -> None:
        async with driving(js) as here:
            run = await here.begin(ref("orphan"))
            await here.obeyed.calls.get()
            here.runs.release(run)
            here.workers.failing = 3
            scanning = asyncio.create_task(here.recovery.run())
            assert (await here.obeyed.calls.get()).repeated
            assert here.workers.failing == 0
            scanning.cancel()

    scene(story)


def test_a_snapshot_of_another_version_is_ignored(scene: Any) -> None:
    """Another version of the service wrote it; the history is there."""

    async def story(js: JetStream) -> None:
        async with driving(js) as here:
            run = await here.begin(ref("upgraded"))
            await here.obeyed.calls.get()
            await here.store.snapshot(run.ref, run.last, OTHER_VERSION)
            looked = await here.transitions.look(run.ref, DIGEST, driven=False)
            assert looked.waiting[0].pointer == "/do/0/ask"
            here.runs.release(run)
            scanning = asyncio.create_task(here.recovery.run())
            assert (await here.obeyed.calls.get()).repeated
            scanning.cancel()

    scene(story)


def test_without_its_beginning_a_run_needs_a_snapshot_that_can_be_read(scene: Any) -> None:
    async def story(js: JetStream) -> None:
        async with driving(js) as here:
            run = await here.begin(ref("long"))
            last = await here.store.append(run.ref, EMPTY, HEAD, run.last)
            await js.api(f"STREAM.PURGE.{streams.runs_of(run.ref)}", {"filter": streams.run(run.ref), "keep": 1})
            await here.store.snapshot(run.ref, last, OTHER_VERSION)
            with pytest.raises(Broken, match="beginning is not kept"):
                await here.transitions.look(run.ref, DIGEST, driven=False)

    scene(story)


def test_a_scan_that_is_behind_looks_again(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica may not have a run's last transition yet: what it tells can't be taken, and is nobody's."""
    monkeypatch.setattr(recovery, "_BEHIND", 0.05)

    class Late(RunStore):
        """The first scan of all runs is one transition behind."""

        behind = 1

        async def heads(self, namespace: str = "*") -> list[tuple[FunctionRef, Head, int]]:
            found = await super().heads(namespace)
            behind, self.behind = self.behind, 0
            return [(run, head, last - behind) for run, head, last in found]

    async def story(js: JetStream) -> None:
        async with driving(js, Late(js)) as here:
            run = await here.begin(ref("late"))
            await here.obeyed.calls.get()
            here.runs.release(run)
            await here.store.append(ref("late"), EMPTY, HEAD, run.last)
            scanning = asyncio.create_task(here.recovery.run())
            assert (await here.obeyed.calls.get()).repeated
            scanning.cancel()

    scene(story)


def test_a_child_whose_parent_ended_without_telling_it_is_cancelled(scene: Any) -> None:
    """The parent's owner died after it had recorded the end, and before it told the child."""

    async def story(js: JetStream) -> None:
        async with driving(js) as here:
            parent = msgspec.structs.replace(HEAD, owner="here/0", status="cancelled", ended=time.time())
            await here.store.append(ref("parent"), transition("cancelled"), parent, 0)
            head = msgspec.structs.replace(HEAD, parent="default/parent/3")
            await here.runs.begin(ref("child"), head, p.Begin("child", "seed"))
            scanning = asyncio.create_task(here.recovery.run())
            run = await here.obeyed.over.get()
            assert (run.ref, run.status) == (ref("child"), "cancelled")
            scanning.cancel()

    scene(story)


def test_a_run_that_is_being_removed_is_not_there(scene: Any) -> None:
    """It can't be tried again: what that would write would be removed with the rest."""

    async def story(js: JetStream) -> None:
        async with driving(js) as here:
            ended = msgspec.structs.replace(HEAD, status="faulted", ended=1.0)
            await here.store.append(ref("old"), transition("a"), ended, 0)
            assert isinstance(await here.routing.find(ref("old")), Over)

            found: list[Any] = []

            async def purge(ref: FunctionRef) -> None:
                found.append(await here.routing.find(ref))

            cast(Any, here.store).purge = purge  # to look just before
            assert await here.store.expire(60.0, time.time()) == 1
            assert found == [None]

    scene(story)
