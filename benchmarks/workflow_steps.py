"""What workflows cost: durable steps, starts, waiting runs, crashes, timers; on the real platform, over HTTP.

    python -m benchmarks.workflow_steps [--seconds 10] [--rounds 2] [--waiting 10000] [--only steps …]

A run has five steps in a row, each a call of a trivial function, and counts from the request that starts it to the
answer with its output. CPU is that of every process of the platform, workers and the function's Pod included. All
runs once with nats-server as the platform starts it (each append is synced to disk before it is acknowledged), the
load also with NATS's default (synced every two minutes).
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import cpu, platform

FUNCTIONS = {
    "step": 'async def handle(event):\n    return {"n": event.get("n", 0) + 1}\n',
    "clock": 'import time\n\n\nasync def handle(event):\n    return {"at": time.time()}\n',
}
FIVE = [{f"s{number}": {"call": "step"}} for number in range(5)]
WORKFLOWS: dict[str, list[dict[str, Any]]] = {
    "five": FIVE,
    "first": [{"a": {"call": "clock"}}],
    "timed": [{"a": {"wait": {"seconds": 2}}}],
    "idle": [{"a": {"listen": {"to": {"one": {"with": {"type": "never"}}}}}}],
    "interrupted": [{"a": {"listen": {"to": {"one": {"with": {"type": "go"}}}}}}, {"b": {"call": "step", "with": {}}}],
}
API = "/api/v1/namespaces/default"
ENDED = ("completed", "faulted", "cancelled")


class Bench:
    """A platform with the functions and workflows of this benchmark."""

    def __init__(self, directory: str, status: dict[str, Any], seconds: float) -> None:
        self.directory, self.seconds = directory, seconds
        self.gateway: str = status["gateway"]
        self._host = urllib.parse.urlsplit(self.gateway).netloc
        self._connection = http.client.HTTPConnection(self._host, timeout=60)

    def processes(self) -> dict[str, int]:
        """Pids by name."""
        found = json.loads(platform.faas(self.directory, "status", "-o", "json"))["processes"]
        return {process["name"]: process["pid"] for process in found}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """An answer of the gateway's API; exits with what went wrong."""
        self._connection.request(method, API + path, None if body is None else json.dumps(body), headers)
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {data.decode(errors='replace')}")
        return json.loads(data)

    def start(self, workflow: str, **headers: str) -> Any:
        """Starts a run; its view."""
        return self.ask("POST", f"/workflows/{workflow}/runs", {"n": 1}, **headers)

    def load(self, workflow: str, connections: int, seconds: float, *headers: str) -> dict[str, Any]:
        """Starts runs from so many connections; what the load counted."""
        url = f"{self.gateway}{API}/workflows/{workflow}/runs"
        command = [sys.executable, "-m", "benchmarks.load", url, str(connections), str(seconds), *headers]
        counted: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        if counted["errors"]:
            sys.exit(f"{counted['errors']} of {counted['requests']} runs failed: no number")
        return counted

    def runs(self, workflow: str, status: str = "", limit: int = 1000) -> list[dict[str, Any]]:
        """Summaries."""
        query = urllib.parse.urlencode({"workflow": workflow, "limit": limit} | ({"status": status} if status else {}))
        return list(self.ask("GET", f"/runs?{query}")["items"])

    def count(self, workflow: str, status: str) -> int:
        """How many runs are like this."""
        time.sleep(0.2)  # a list reads the heads of all runs, which is not what is measured
        return len(self.runs(workflow, status))

    def sync(self, always: bool) -> None:
        """Restarts nats-server with or without a sync of each append."""
        config = next(path for path in Path(self.directory).rglob("*.conf") if "sync_interval" in path.read_text())
        wanted = '"always"' if always else '"2m"'
        config.write_text(re.sub(r'("?sync_interval"?\s*[:=]\s*)"?\w+"?', rf"\g<1>{wanted}", config.read_text()))
        os.kill(self.processes()["nats"], signal.SIGKILL)
        patiently(lambda: self.start("five", Prefer="wait=20")["run"]["status"] == "completed")


def patiently(done: Callable[[], bool], seconds: float = 60.0) -> float:
    """Asks until it is so; how long that took."""
    began = time.perf_counter()
    while time.perf_counter() < began + seconds:
        with contextlib.suppress(RuntimeError, OSError, http.client.HTTPException):
            if done():
                return time.perf_counter() - began
        time.sleep(0.01)
    sys.exit("the platform did not do in a minute what was asked: no number")


def quantiles(values: list[float], factor: float = 1000.0) -> str:
    """As text, in milliseconds."""
    ordered = sorted(values)
    return ", ".join(f"p{q} {factor * ordered[int(len(ordered) * q / 100)]:.2f}" for q in (50, 90, 99))


def steps(bench: Bench, rounds: int) -> None:
    """Latency of a step alone, and rate and CPU at 32."""
    for sync in ("always", "default"):
        bench.sync(sync == "always")
        for _ in range(rounds):
            alone = bench.load("five", 1, bench.seconds, "Prefer: wait=30")
            print(
                f"sync {sync}, 1 at a time: p50 {alone['latencies_ms']['p50'] / 5:.2f} ms a step  {alone}", flush=True
            )
            pids = cpu.descendants(bench.processes()["supervisor"])
            bench.load("five", 32, 1, "Prefer: wait=30")
            before = cpu.used(pids)
            many = bench.load("five", 32, bench.seconds, "Prefer: wait=30")
            made = 5 * many["requests"]
            parts: Counter[str] = Counter()
            for pid, value in cpu.used(pids).items():
                parts[cpu.name(pid)] += (value - before.get(pid, 0.0)) / made
            print(
                f"sync {sync}, 32 at a time: {made / many['seconds']:.0f} steps/s, a run p99 "
                f"{many['latencies_ms']['p99']:.0f} ms, {sum(parts.values()):.0f} us CPU a step  "
                f"{ {name: round(value) for name, value in parts.most_common() if value >= 1} }",
                flush=True,
            )


def first_step(bench: Bench) -> None:
    """From the request to the moment that the function of the first step begins."""
    took = []
    for _ in range(300):
        began = time.time()
        took.append(bench.start("first", Prefer="wait=20")["output"]["at"] - began)
    print(f"request to first step, ms: {quantiles(took)}", flush=True)


def timers(bench: Bench) -> None:
    """How late timers of two seconds are, 1,000 of them over some seconds."""
    for _ in range(1000):
        bench.start("timed")
    patiently(lambda: bench.count("timed", "running") == 0)
    late = [run["endedAt"] - run["startedAt"] - 2.0 for run in bench.runs("timed")]
    print(f"lag of {len(late)} timers, ms: {quantiles(late)}", flush=True)


def resident(pid: int) -> int:
    """Bytes in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def waiting(bench: Bench, count: int) -> None:
    """Memory of runs that wait, in the service and in its workers."""
    service = bench.processes()["workflow"]
    workers = cpu.descendants(service) - {service}
    bench.load("idle", 8, 1)  # what the first runs bring with them does not count
    before, before_workers = resident(service), sum(map(resident, workers))
    there = bench.ask("GET", "/runs?workflow=idle&limit=1")
    made = 0
    while made < count:
        made += bench.load("idle", 16, 2)["requests"]
    more, more_workers = resident(service) - before, sum(map(resident, workers)) - before_workers
    assert there["items"]
    print(
        f"{made} more runs that listen: {more / made:.0f} bytes each in the service, "
        f"{more_workers >> 20} MiB in {len(workers)} workers together",
        flush=True,
    )


def resume(bench: Bench, count: int = 1000) -> None:
    """kill -9 of the service with runs that listen: until it drives all of them again, its restart by the supervisor
    included, and until all have ended after the event that they listen for."""
    for _ in range(count):
        bench.start("interrupted")
    log = Path(bench.directory) / "logs" / "workflow.log"
    seen = log.stat().st_size
    os.kill(bench.processes()["workflow"], signal.SIGKILL)
    killed = time.perf_counter()
    patiently(lambda: f"took {count} runs" in log.read_text()[seen:])
    taken = time.perf_counter() - killed
    event = {"specversion": "1.0", "id": "1", "source": "/benchmark", "type": "go", "data": {}}
    sent = time.perf_counter()
    bench.ask("POST", "/events", event, **{"Content-Type": "application/cloudevents+json"})
    patiently(lambda: bench.count("interrupted", "completed") == count)
    print(
        f"{count} runs after kill -9 of the service: driven again {taken:.2f} s later; "
        f"all ended {time.perf_counter() - sent:.2f} s after their event",
        flush=True,
    )


@contextlib.contextmanager
def prepared(seconds: float) -> Iterator[Bench]:
    """The platform with all that is needed deployed."""
    with platform.running() as (directory, status), tempfile.TemporaryDirectory() as folder:
        for name, source in FUNCTIONS.items():
            path = platform.write_function(Path(folder) / name, source)
            platform.faas(directory, "deploy", str(path), "--min", "1", "--max", "1", "--concurrency", "100")
        for name, tasks in WORKFLOWS.items():
            document = {"dsl": "1.0.3", "namespace": "default", "name": name, "version": "0.1.0"}
            workflow = {
                "apiVersion": "faas.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": name},
                "spec": {"definition": {"document": document, "do": tasks}},
            }  # fmt: skip
            file = Path(folder) / f"{name}.json"
            file.write_text(json.dumps(workflow))
            platform.faas(directory, "deploy", str(file))
        yield Bench(directory, status, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--waiting", type=int, default=10_000)
    parts: dict[str, Callable[[Bench], None]] = {
        "first": first_step,
        "steps": lambda bench: steps(bench, options.rounds),
        "timers": timers,
        "resume": resume,
        "waiting": lambda bench: waiting(bench, options.waiting),
    }
    parser.add_argument("--only", nargs="*", choices=parts, default=list(parts))
    options = parser.parse_args()
    with prepared(options.seconds) as bench:
        for name in options.only:
            parts[name](bench)


if __name__ == "__main__":
    main()
