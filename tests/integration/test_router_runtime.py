"""The router with real Python Pods: they end, are killed and start under load."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import uvloop
from nats.errors import Error

from tests.support.bus import Bus
from tests.support.patience import until
from tests.support.router import InProcess, function, router_in_process
from tests.support.router import pod as pod_word
from tests.support.runtime import Pod
from tests.support.runtime import pod as running_runtime

HANDLER = """
import time
def handle(event):
    with open(event["file"], "a") as file:
        file.write(event["id"] + "\\n")
    time.sleep(0.005)
    return event["id"]
"""


class Traffic:
    """Calls without pause, each with an effect in a file."""

    def __init__(self, router: InProcess, file: str) -> None:
        self.outcomes: Counter[str] = Counter()
        self.stop = asyncio.Event()
        self._router = router
        self._file = file

    async def caller(self, number: int) -> None:
        """One caller."""
        while not self.stop.is_set():
            body = b'{"id":"%d-%d","file":"%b"}' % (number, self.outcomes.total(), self._file.encode())
            try:
                reply = await self._router.call(body, timeout=10.0, Content_Type="application/json")
                self.outcomes[reply.code or str(reply.status)] += 1
            except Error as error:
                self.outcomes[type(error).__name__] += 1

    async def more(self, calls: int) -> None:
        """Waits for so many more answers."""
        before = self.outcomes.total()
        await until(lambda: self.outcomes.total() >= before + calls)

    def effects(self) -> Counter[str]:
        """How often each call ran."""
        with open(self._file) as file:
            return Counter(file.read().split())


@contextlib.asynccontextmanager
async def traffic(router: InProcess, file: str, callers: int = 8) -> AsyncIterator[Traffic]:
    """Traffic while the block runs."""
    running = Traffic(router, file)
    async with asyncio.TaskGroup() as tasks:
        for number in range(callers):
            tasks.create_task(running.caller(number))
        try:
            yield running
        finally:
            running.stop.set()


def test_pods_that_end_in_order_lose_no_call_even_before_the_watch_tells(bus: Bus, tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(90), router_in_process(bus) as router:
            with (
                running_runtime(HANDLER) as first,
                running_runtime(HANDLER) as second,
                running_runtime(HANDLER) as third,
            ):
                pods: list[Pod] = [first, second, third]
                router.put(function(concurrency=10), *(pod_word(one.address) for one in pods))
                async with traffic(router, str(tmp_path / "effects")) as running:
                    await running.more(100)
                    for one in pods[:2]:
                        one.process.send_signal(signal.SIGTERM)
                        await until(lambda one=one: one.process.poll() is not None)
                        await running.more(100)
                assert set(running.outcomes) == {"200"}, running.outcomes
                effects = running.effects()
                assert max(effects.values()) == 1
                assert effects.total() == running.outcomes.total()

    uvloop.run(scene())


def test_a_killed_pod_costs_at_most_the_calls_it_had(bus: Bus, tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(90), router_in_process(bus) as router:
            with running_runtime(HANDLER) as first, running_runtime(HANDLER) as second:
                router.put(function(concurrency=10), pod_word(first.address), pod_word(second.address))
                async with traffic(router, str(tmp_path / "effects")) as running:
                    await running.more(100)
                    for pid in (*first.workers, first.process.pid):
                        os.kill(pid, signal.SIGKILL)
                    await running.more(200)
                assert set(running.outcomes) <= {"200", "outcome_unknown"}, running.outcomes
                assert running.outcomes["outcome_unknown"] <= 8
                assert max(running.effects().values()) == 1

    uvloop.run(scene())


def test_a_pod_that_is_still_starting_is_called_as_soon_as_it_answers(bus: Bus, tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), router_in_process(bus) as router:
            with running_runtime(HANDLER, ready=False) as one:
                router.put(function(), pod_word(one.address, ready=False))
                body = b'{"id":"a","file":"%b"}' % str(tmp_path / "effects").encode()
                reply = await router.call(body, Faas_Cold_Start="wait", Content_Type="application/json")
                assert (reply.status, reply.body) == (200, b"a")

    uvloop.run(scene())
