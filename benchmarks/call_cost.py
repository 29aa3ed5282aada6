"""CPU per warm call of the whole platform, in turn with the barest path that carries one.

    python -m benchmarks.call_cost [--floor ../shared/baseline] [--connections 64] [--seconds 5] [--rounds 3]

Every process counts: the platform's (API server, kubelet and scaler included) and the Pod's; the load's own does not.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks import cpu, platform
from benchmarks.floor import running_floor

SOURCE = 'def handle(event):\n    return {"result": event["x"] + event["y"]}\n'


def measure(
    url: str, pids: set[int], connections: int, seconds: float
) -> tuple[float, dict[str, float], dict[str, object]]:
    """CPU microseconds a call in all and by process, and what the load counted."""
    command = [sys.executable, "-m", "benchmarks.load", url, str(connections)]
    subprocess.run([*command, "1"], check=True, stdout=subprocess.DEVNULL)  # warm
    before = cpu.used(pids)
    counted = json.loads(subprocess.run([*command, str(seconds)], check=True, stdout=subprocess.PIPE).stdout)
    after = cpu.used(pids)
    if counted["errors"]:
        sys.exit(f"{counted['errors']} of {counted['requests']} calls failed: no number")
    parts: Counter[str] = Counter()
    for pid, value in after.items():
        parts[cpu.name(pid)] += (value - before.get(pid, 0.0)) / counted["requests"]
    return sum(parts.values()), {name: round(value, 1) for name, value in parts.most_common() if value >= 0.5}, counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--floor", type=Path, default=Path(__file__).parents[2] / "shared" / "baseline")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=100, help="calls that the one Pod takes at a time")
    parser.add_argument("--coroutine", action="store_true", help="an `async def` handler in place of a `def` one")
    options = parser.parse_args()
    ratios = []
    with platform.running() as (directory, status), tempfile.TemporaryDirectory() as folder:
        source = platform.write_function(Path(folder) / "add", "async " * options.coroutine + SOURCE)
        platform.faas(
            directory, "deploy", str(source), "--min", "1", "--max", "1", "--concurrency", str(options.concurrency)
        )
        root = next(process["pid"] for process in status["processes"] if process["name"] == "supervisor")
        for _ in range(options.rounds):
            with running_floor(options.floor) as (url, pids):
                floor, parts, counted = measure(url, pids, options.connections, options.seconds)
            print(f"floor    {floor:6.1f} us a call  {counted}  {parts}", flush=True)
            pids = cpu.descendants(root)
            ours, parts, counted = measure(
                f"{status['gateway']}/default/add", pids, options.connections, options.seconds
            )
            ratios.append(ours / floor)
            print(f"platform {ours:6.1f} us a call  {counted}  {parts}\nratio    {ratios[-1]:6.2f}", flush=True)
    print(f"ratio, median of {len(ratios)}: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
