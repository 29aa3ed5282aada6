"""Puts the parts together: looks at a Function whenever something about it has changed, and plans and acts.

Everything here runs in the event loop without waiting; what waits is the writer's.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from services.common.watch import Change
from services.contracts.messages import LoadReport
from services.contracts.resources import Function, FunctionSpec
from services.scaler import metrics
from services.scaler.actions import Action, DeleteReplicaSet, PatchStatus
from services.scaler.decide import Rules, Running, decide, rules_of
from services.scaler.failures import PASSING, Failure
from services.scaler.intake import Intake
from services.scaler.memory import Memory, StatusNews
from services.scaler.objects import ReplicaSet
from services.scaler.reconcile import Situation, reconcile, replicas_of, serving_revision
from services.scaler.status import may_wait
from services.scaler.template import InvalidSpec, Platform, Revision, revision_of
from services.scaler.view import View
from services.scaler.windows import Observation, Reports

STATUS_DELAY = 0.2
"""Seconds that a status may lag behind in numbers and reasons; longer than a start on one machine takes."""
T = TypeVar("T")
Act = Callable[[str, list[Action]], None]


class Controller:
    """One scaler's mind. ``act`` carries actions out; ``may_act`` says whether this scaler leads."""

    def __init__(self, platform: Platform, drain_seconds: float, view: View, may_act: Callable[[], bool]) -> None:
        self.view = view
        self.intake = Intake(self.demand, self.reported)
        self.act: Act = lambda key, actions: None
        self._platform = platform
        self._drain_seconds = drain_seconds
        self._may_act = may_act
        self._memories: dict[str, Memory] = {}
        self._reports = Reports()
        self._observation = Observation()
        self._wishes: dict[str, tuple[tuple[str, int], Revision | Failure, Rules]] = {}
        self._dirty: set[str] = set()
        self._synced = False

    # --- what happens ---

    def on_change(self, take: Callable[[Change[T]], str]) -> Callable[[Change[T]], None]:
        """A watch's callback: ``take`` brings the change into the view."""

        def changed(change: Change[T]) -> None:
            self.look_again(take(change))

        return changed

    def look_again(self, key: str) -> None:
        """Looks at this Function once the changes that came together are all in."""
        if not self._dirty:
            asyncio.get_running_loop().call_soon(self._look_at_dirty)
        self._dirty.add(key)

    def demand(self, key: str) -> None:
        """A call of a Function without Pods came in."""
        memory = self._memories.get(key)
        if memory is not None:
            began = time.perf_counter()
            metrics.EVENTS.inc()
            memory.called(time.monotonic(), 1)
            self._look(key, asked=True)
            metrics.DEMAND.observe(time.perf_counter() - began)

    def reported(self, report: LoadReport) -> None:
        """A router said what it carries."""
        now = time.monotonic()
        covers, amounts = self._reports.take(report, now)
        for key, amount in amounts.items():
            memory = self._memories.get(key)
            if memory is not None:
                memory.carried(now, amount, covers)
                if not self._ready(key):
                    self._look(key)

    def synced(self) -> None:
        """All watches have told what there is."""
        self._synced = True
        self.look_at_all()

    def look_at_all(self) -> None:
        """Looks at everything: after a start and after a change of leaders."""
        for memory in self._memories.values():
            memory.wanted = None  # what was wanted before somebody else led says nothing now
        for key in {*self.view.functions, *self.view.replica_sets}:
            self.look_again(key)

    def tick(self) -> None:
        """Takes in what was counted since the last tick, and looks at each Function that has or wants Pods."""
        now = time.monotonic()
        self._observation.tick(now, self.intake.connection())
        self._reports.expire(now)
        for key, count in self.intake.drain():
            if key in self._memories:
                self._memories[key].called(now, count)
        for key, group in list(self.view.replica_sets.items()):
            if key in self.view.pods or len(group) > 1 or any(found.spec.replicas for found in group.values()):
                self._look(key)

    def numbers(self) -> Iterator[metrics.FunctionNumbers]:
        """What is shown of each Function."""
        now, minute = time.monotonic(), 60.0
        for key, memory in self._memories.items():
            namespace, _, name = key.partition("/")
            calls, load = memory.calls.total(now, minute) / minute, memory.load.total(now, minute) / minute
            wanted = memory.wanted[1] if memory.wanted is not None else 0
            yield metrics.FunctionNumbers(namespace, name, calls, load, wanted)

    # --- what to do about it ---

    def _look_at_dirty(self) -> None:
        keys, self._dirty = self._dirty, set()
        for key in keys:
            self._look(key)

    def _look(self, key: str, asked: bool = False) -> None:
        if not self._synced:
            return
        function = self.view.functions.get(key)
        if function is None:
            self._forget(key)
        elif function.metadata.deletion_timestamp is None:
            with metrics.RECONCILE.time():
                actions = self._plan(key, function, asked)
            if actions and self._may_act():
                self.act(key, actions)
        orphans = self.view.orphans(key)
        if orphans and self._may_act():
            self.act(key, [_orphan(key, found) for found in orphans])

    def _plan(self, key: str, function: Function, asked: bool) -> list[Action]:
        now = time.monotonic()
        memory = self._memories.get(key)
        if memory is None:
            memory = self._memories[key] = Memory(now)
        target, rules = self._wish(key, function)
        situation = Situation(function, target, self.view.owned(function), self.view.pods_of(key), time.time())
        held = self._reports.held(key, now)
        load = memory.observed(rules, held, self._observation, asked, now)
        serving = serving_revision(situation, held.in_flight + held.queued, rules.concurrency)
        decision = decide(rules, load, _running(memory, situation, serving, now), memory.panic_until, now)
        memory.panic_until = decision.panic_until
        drained = memory.traffic(function.status.revision, now) >= self._drain_seconds
        actions = self._defer(key, memory, function, reconcile(situation, serving, decision, drained))
        wanted = situation.replicas(serving)
        if self._may_act():
            wanted = replicas_of(situation, serving, decision)
            memory.wanted = (serving, wanted)
        # before a patch to zero is sent, so that a call that comes in while it is under way counts as demand
        (self.intake.awake if wanted else self.intake.asleep)(key)
        return actions

    def _defer(self, key: str, memory: Memory, function: Function, actions: list[Action]) -> list[Action]:
        """Keeps back a status that may wait: written at once it would delay the very start that it tells of."""
        last = actions[-1] if actions else None
        if not isinstance(last, PatchStatus) or not may_wait(function.status, last.status):
            memory.status = StatusNews.NONE
            return actions
        if memory.status is StatusNews.NONE:
            memory.status = StatusNews.WAITING
            asyncio.get_running_loop().call_later(STATUS_DELAY, self._waited, key)
        return actions if memory.status is StatusNews.DUE else actions[:-1]

    def _waited(self, key: str) -> None:
        memory = self._memories.get(key)
        if memory is not None and memory.status is StatusNews.WAITING:
            memory.status = StatusNews.DUE
            self.look_again(key)

    def _wish(self, key: str, function: Function) -> tuple[Revision | Failure, Rules]:
        """What the spec asks for; worked out once for each generation."""
        meta = function.metadata
        known = self._wishes.get(key)
        if known is None or known[0] != (meta.uid, meta.generation):
            known = self._wishes[key] = ((meta.uid, meta.generation), *self._read(function))
        return known[1], known[2]

    def _read(self, function: Function) -> tuple[Revision | Failure, Rules]:
        try:
            return revision_of(function, self._platform), rules_of(function.spec)
        except InvalidSpec as error:
            # what an earlier spec left running is scaled by the defaults until this one is put right
            return Failure("InvalidSpec", str(error)), rules_of(FunctionSpec())

    def _ready(self, key: str) -> bool:
        return any(pod.ready for pod in self.view.pods.get(key, {}).values())

    def _forget(self, key: str) -> None:
        self.intake.asleep(key)
        self._memories.pop(key, None)
        self._wishes.pop(key, None)


def _running(memory: Memory, situation: Situation, serving: str, now: float) -> Running:
    """What runs, taking the last decision for what is asked for: a number that anybody else set is no base to go on."""
    ready, failure = situation.ready(serving), situation.failure(serving)
    known = ready > 0 or (failure is not None and failure.reason not in PASSING)
    wanted = memory.wanted
    replicas = wanted[1] if wanted is not None and wanted[0] == serving else situation.replicas(serving)
    return Running(replicas, ready, memory.settle(serving, known, now))


def _orphan(key: str, found: ReplicaSet) -> DeleteReplicaSet:
    meta = found.metadata
    return DeleteReplicaSet(meta.namespace, meta.name, meta.uid, (key.partition("/")[2], meta.owner_uid))
