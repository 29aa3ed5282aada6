"""CPU of the router alone per call, in turn with the barest router, over the same bus and Pod.

    python -m benchmarks.router_cost [--floor ../shared/baseline] [--connections 64] [--seconds 5] [--rounds 3]

Neither gateway nor API server runs: calls come straight over the bus with a gateway's headers, and the router is told
of its one function and Pod by hand. Both routers get what the other one needs, so both parse the same headers.
``--profile`` prints where our router's time goes instead.
"""

import argparse
import asyncio
import contextlib
import cProfile
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import nats
import uvloop
from nats.aio.client import Client
from nats.errors import NoRespondersError

from benchmarks import cpu
from cli.local.topology import nats_server
from services.common import bus as common_bus
from services.common.watch import Change
from services.contracts import subjects
from services.contracts.resources import Function
from services.router.config import RouterSettings
from services.router.router import Router
from services.router.table import Pod

NATS_PORT, POD_PORT = 4222, 19001
"""The barest router names the first itself."""
BODY = b'{"x":3,"y":4,"msg":"hello world"}'
FUNCTION = {
    "metadata": {"name": "add", "namespace": "default"},
    "spec": {"source": {"inline": {"main.py": ""}}, "concurrency": 100},
    "status": {"revision": "r1"},
}
POD = {
    "metadata": {
        "name": "add-7d9c5b6f4-x2x7z", "namespace": "default", "uid": "u1",
        "labels": {"faas.dev/function": "add", "faas.dev/revision": "r1"},
    },
    "spec": {"containers": [{"ports": [{"containerPort": POD_PORT}]}]},
    "status": {"podIP": "127.0.0.1", "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}  # fmt: skip


async def serve() -> None:
    """Our router, with everything on, until it is killed."""
    settings = RouterSettings(nats_url=f"nats://127.0.0.1:{NATS_PORT}")
    bus = await common_bus.connect(settings, "router")
    async with asyncio.TaskGroup() as tasks:
        router = Router(settings, "bench", bus, tasks)
        for loop in (router.outbox.run(), router.load.run(), router.show_life(), router.keep_house()):
            tasks.create_task(loop)
        router.on_function(Change("ADDED", "default/add", msgspec.convert(FUNCTION, Function), None))
        router.on_pod(Change("ADDED", "default/add-1", msgspec.convert(POD, Pod), None))
        router.forwarder.on_synced()
        calls = await bus.subscribe(subjects.INVOKE_ALL, queue=subjects.ROUTER_QUEUE, cb=router.on_call)
        bus.deliver_at_once(calls, router.on_call)


async def load(connections: int, seconds: float) -> int:
    """Calls of so many callers at a time; how many were answered."""
    bus = await nats.connect(f"nats://127.0.0.1:{NATS_PORT}")
    while True:
        with contextlib.suppress(NoRespondersError):
            await bus.request("faas.invoke.default.add", BODY, timeout=10, headers=fields("first"))
            break
        await asyncio.sleep(0.05)  # a router subscribes without saying so
    end, count = time.monotonic() + seconds, 0

    async def caller(number: int) -> None:
        nonlocal count
        while time.monotonic() < end:
            count += 1
            await bus.request("faas.invoke.default.add", BODY, timeout=10, headers=fields(f"{number}-{count}"))

    async with asyncio.TaskGroup() as tasks:
        for number in range(connections):
            tasks.create_task(caller(number))
    await close(bus)
    return count


def fields(identity: str) -> dict[str, str]:
    """A gateway's headers, and the one that the barest router reads."""
    return {
        "Faas-Id": identity, "Faas-Progress": "faas.sys.progress.gw", "Content-Type": "application/json",
        "Faas-Deadline": "99999999999",
    }  # fmt: skip


async def close(bus: Client) -> None:
    """Closes a connection after what it still had to send."""
    await bus.flush()
    await bus.close()


@contextlib.contextmanager
def process(*command: str, cwd: Path | None = None) -> Iterator[int]:
    """A started process; its id."""
    started = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL)
    try:
        time.sleep(1.0)  # none of these says when it serves
        yield started.pid
    finally:
        started.terminate()
        started.wait(10)


def measure(pid: int, connections: int, seconds: float) -> tuple[float, int]:
    """CPU microseconds a call of process ``pid``, and the calls."""
    uvloop.run(load(connections, 1.0))
    before = cpu.used({pid})[pid]
    count = uvloop.run(load(connections, seconds))
    return (cpu.used({pid})[pid] - before) / count, count


def profile(connections: int, seconds: float) -> None:
    """Our router and its load in this process, under cProfile."""

    async def both() -> None:
        serving = asyncio.create_task(serve())
        await load(connections, seconds)
        serving.cancel()

    with cProfile.Profile() as profiler:
        uvloop.run(both())
    pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--floor", type=Path, default=Path(__file__).parents[2] / "shared" / "baseline")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--serve", action="store_true", help="be the router that is measured")
    options = parser.parse_args()
    if options.serve:
        uvloop.run(serve())
    ours = (sys.executable, "-m", "benchmarks.router_cost", "--serve")
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        server = (nats_server(), "-a", "127.0.0.1", "-p", str(NATS_PORT), "-l", f"{directory}/nats.log")
        stack.enter_context(process(*server))
        stack.enter_context(process(sys.executable, "pod.py", str(POD_PORT), cwd=options.floor))
        if options.profile:
            profile(options.connections, options.seconds)
            return
        more = []
        for _ in range(options.rounds):
            with process(sys.executable, "router.py", str(POD_PORT), cwd=options.floor) as pid:
                floor, count = measure(pid, options.connections, options.seconds)
            print(f"floor  {floor:6.1f} us a call ({count} calls)", flush=True)
            with process(*ours) as pid:
                own, count = measure(pid, options.connections, options.seconds)
            more.append(own - floor)
            print(f"router {own:6.1f} us a call ({count} calls)  {more[-1]:+.1f}", flush=True)
        print(f"more than the floor, median of {len(more)}: {statistics.median(more):+.1f} us")


if __name__ == "__main__":
    main()
