"""kill -9 at random moments under runs of workflows, with every effect of a Function written down and compared with the
histories: nothing accepted is lost, nothing that was recorded runs again."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nats.errors import Error as NatsError

from tests.support.flow import Caller, Platform, Service, caller, running_platform
from tests.support.patience import until
from tests.support.router import pod_object, router_process
from tests.support.runtime import Pod
from tests.support.runtime import pod as running_pod

FUNCTION = """
import time
def handle(event, context):
    with open({file!r}, "a") as file:
        file.write(f"{{context.id}} {{time.time()}}\\n")
    return event["n"] + 1
"""
"""Leaves a line for every time it runs: the call's key and the time. O_APPEND keeps short lines whole."""
WORKFLOW = """
do:
  - rounds:
      for: {in: "${ [1, 2, 3, 4] }"}
      do:
        - again: {call: again, with: {n: "${ .n }"}}
        - shape: {set: {n: "${ . }"}}
        - careful:
            try:
              - once: {call: once, with: {n: "${ .n }"}}
              - shape: {set: {n: "${ . }"}}
            catch:
              as: lost
              do:
                - count: {set: {n: "${ $input.n + 1 }"}}
        - nap: {wait: {milliseconds: 30}}
  - branches:
      fork:
        branches:
          - left: {call: again, with: {n: "${ .n }"}}
          - right: {do: [{nap: {wait: {milliseconds: 1100}}}, {right: {call: again, with: {n: "${ .n }"}}}]}
  - child: {run: {workflow: {namespace: default, name: child, version: latest, input: {n: "${ .[0] }"}}}}
"""
CHILD = "do:\n  - again: {call: again, with: {n: '${ .n }'}}\n  - shape: {set: {n: '${ . }'}}\n"
RESULT = {"n": 10}
"""Of a run that begins with n 0: four rounds of two, a branch, a child."""


@dataclass
class Stage:
    """What is killed: services, nats-server, router, worker processes."""

    platform: Platform
    services: list[Service]
    router: Service
    pods: dict[str, Pod]
    files: dict[str, Path]
    kills: Counter[str] = field(default_factory=Counter)

    def whole(self) -> bool:
        """Whether all services are ready."""
        return all(service.ready() for service in self.services)

    def effects(self, function: str) -> dict[str, list[float]]:
        """When each call of a Function ran, by key."""
        found: dict[str, list[float]] = {}
        if self.files[function].exists():
            for line in self.files[function].read_text().splitlines():
                key, moment = line.split()
                found.setdefault(key, []).append(float(moment))
        return found

    async def kill(self, victim: str) -> None:
        """Kills and brings back one of them."""
        self.kills[victim] += 1
        if victim == "nats":
            await asyncio.to_thread(self.platform.bus.restart)
        elif victim == "router":
            await asyncio.to_thread(self.router.kill)
            self.router.start()
        elif victim == "worker":
            workers = [pid for service in self.services for pid in _children(service)]
            if workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(random.choice(workers), signal.SIGKILL)
        else:
            chosen = self.services if victim == "both" else [random.choice(self.services)]
            for service in chosen:
                await asyncio.to_thread(service.kill)
            for service in chosen:
                service.start()


CALM = 0.7
"""How often a kill waits for services that are starting: the others meet them on their way."""
VICTIMS = ("service", "service", "service", "both", "nats", "router", "worker")


def _children(service: Service) -> list[int]:
    pid = service.process.pid if service.process is not None else 0
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@contextlib.contextmanager
def stage(directory: Path) -> Iterator[Stage]:
    """Two workflow services, a router, and a Pod for each of two Functions: ``again`` is idempotent, ``once`` not."""
    with contextlib.ExitStack() as stack:
        platform = stack.enter_context(running_platform(directory))
        files, pods = {}, {}
        for name in ("again", "once"):
            files[name] = directory / f"{name}.effects"
            platform.function(name, idempotent=name == "again")
            pods[name] = stack.enter_context(running_pod(FUNCTION.format(file=str(files[name]))))
            _announce(platform, name, pods[name])
        platform.deploy("child", CHILD)
        platform.deploy("mixed", WORKFLOW)
        router = stack.enter_context(router_process(platform.bus, platform.server.kubeconfig, directory / "router.log"))
        services = [stack.enter_context(platform.running(name)) for name in ("wf-a", "wf-b")]
        yield Stage(platform, services, router, pods, files)


def _announce(platform: Platform, function: str, pod: Pod) -> None:
    """Writes what a kubelet would about a Pod."""
    document = pod_object(pod.address, f"{function}-pod", function=function)
    document["spec"]["containers"][0] |= {"name": "function", "image": "localhost/faas-process:1"}
    del document["metadata"]["uid"]
    path = "/api/v1/namespaces/default/pods"
    platform.api.create(path, {"apiVersion": "v1", "kind": "Pod", **document})
    platform.api.patch(f"{path}/{function}-pod/status", {"status": document["status"]})


@dataclass
class Runs:
    """Runs that are started without a pause while ``on`` is set; ``ended`` has their views."""

    made: Caller
    on: bool = True
    started: int = 0
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    slowest: float = 0.0
    caught: int = 0
    """Errors that runs caught: outcomes that were lost."""
    standstill: tuple[float, str] = (0.0, "")
    """The longest time between two transitions of a run, and where that was."""

    async def keep(self, lane: int) -> None:
        """One run after another."""
        number = 0
        while self.on:
            number += 1
            await self.one(f"run-{lane}-{number}")

    async def one(self, run: str) -> None:
        """Starts a run, as often as it takes, and waits for its end."""
        began, known = time.monotonic(), False
        self.started += 1
        while run not in self.ended:
            with contextlib.suppress(NatsError, ConnectionError, ValueError, OSError):
                if not known:
                    answer = await self.made.ask("start", "mixed", {"id": run, "input": {"n": 0}}, timeout=2)
                    known = answer.status in (200, 201)
                if known:
                    answer = await self.made.ask("wait", run, {"seconds": 3}, timeout=4)
                    assert answer.headers.get("Faas-Error") != "run_not_found", f"{run} was accepted and is lost"
                    if answer.status == 200 and answer.json["run"]["status"] not in ("running", "suspended"):
                        self.ended[run] = answer.json
                        self.slowest = max(self.slowest, time.monotonic() - began)
                        return
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def load(stage: Stage, lanes: int) -> AsyncIterator[Runs]:
    """Runs in so many lanes while the block runs; afterwards all that were started have ended."""
    async with caller(stage.platform.bus, answers=False) as made:
        runs = Runs(made)
        async with asyncio.TaskGroup() as tasks:
            for lane in range(lanes):
                tasks.create_task(runs.keep(lane))
            try:
                yield runs
            finally:
                runs.on = False


async def campaign(stage: Stage, kills: int, seconds: float, choose: Callable[[], str], lanes: int = 8) -> Runs:
    """So many kills, or as many as fit into the time; then all runs come to their end."""
    end = time.monotonic() + seconds
    async with load(stage, lanes) as runs:
        await until(lambda: len(runs.ended) > 0, 40, "no run ended before the first kill")
        while stage.kills.total() < kills and time.monotonic() < end:
            if random.random() < CALM:
                with contextlib.suppress(AssertionError):
                    await until(stage.whole, 5)
            await asyncio.sleep(random.uniform(0.0, 1.2))
            await stage.kill(choose())
        runs.on = False
        await until(lambda: len(runs.ended) == runs.started, 60, "runs are stuck")
        await verify(stage, runs)
    return runs


async def verify(stage: Stage, runs: Runs) -> None:
    """Compares effects with histories."""
    wrong = {run: view for run, view in runs.ended.items() if view["run"]["status"] != "completed"}
    assert not wrong, list(wrong.items())[:3]
    results = [view["output"] for view in runs.ended.values()]
    assert all(result == RESULT for result in results), [result for result in results if result != RESULT][:3]
    once, again = stage.effects("once"), stage.effects("again")
    twice = {key: moments for key, moments in once.items() if len(moments) > 1}
    assert not twice, f"not idempotent, and ran twice: {twice}"
    late = []
    for run in runs.ended:
        records = [record async for record in _history(runs, run)]
        for record in records:
            runs.caught += record["record"] == "ErrorCaught"
            if record["record"] == "TaskAnswered":
                key, moment = f"default.{run}.{record['frame']}", float(record["at"])
                late += [(key, moment, each) for each in (*once.get(key, []), *again.get(key, [])) if each > moment]
    assert not late, f"ran again after its outcome was recorded: {late[:5]}"


async def _history(runs: Runs, run: str) -> AsyncIterator[dict[str, Any]]:
    """The records of a run; notes the longest standstill on the way."""
    start, last = 0, 0.0
    while True:
        page = (await runs.made.ask("history", run, {"start": start})).json
        for entry in page["entries"]:
            for record in entry["records"]:
                gap = record["at"] - last if last else 0.0
                if gap > runs.standstill[0]:
                    where = f"{run} before {record['record']} of frame {record.get('frame')} at {record['at']:.1f}"
                    runs.standstill = (gap, f"{where} by {entry['owner']}")
                last = record["at"]
                yield record
        start = page["next"]
        if not start:
            return
