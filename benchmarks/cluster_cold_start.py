"""Cold starts with ``Prefer: wait`` on a whole Kubernetes node: Pods in containers, from zero to the answer.

    python -m benchmarks.cluster_cold_start [--starts 50]

Needs Debian and root (see tests/cluster/node.py). Before each call its function has gone to zero by itself; the time of
the way down does not count.
"""

import argparse
import http.client
import json
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

from tests.cluster.deployed import Deployed, manifest, prepare
from tests.cluster.node import Node, why_not_here

FUNCTIONS = 4
"""Functions taken in turn, so that the next call need not wait until the last one's Pod is gone."""
SOURCE = 'def handle(event):\n    return event["x"] + event["y"]\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=50)
    starts = parser.parse_args().starts
    if reason := why_not_here():
        sys.exit(reason)
    with tempfile.TemporaryDirectory(prefix="faas-benchmark-") as folder:
        node = Node(Path(folder))
        try:
            prepare()
            node.start()
            with node.network():
                platform = Deployed(node)
                platform.load_images()
                platform.install()
                report(measure(platform, starts))
        finally:
            node.stop()


def report(seconds: list[float]) -> None:
    """Prints the quantiles."""
    took = sorted(seconds)
    quantiles = ", ".join(f"p{q} {1000 * took[min(len(took) - 1, len(took) * q // 100)]:.0f}" for q in (50, 90, 95, 99))
    print(f"{len(took)} cold starts, ms: {quantiles}, least {1000 * took[0]:.0f}, most {1000 * took[-1]:.0f}")


def measure(platform: Deployed, starts: int) -> list[float]:
    """Seconds of each cold start."""
    names = [f"cold-{number}" for number in range(FUNCTIONS)]
    for name in names:
        platform.apply(manifest(name, source={"inline": {"main.py": SOURCE}}, scale={"scaleToZeroAfter": "1s"}))
    for name in names:
        platform.kubectl("wait", "--for=condition=Ready", f"fn/{name}", "--timeout=60s", check=True)
    took = [start(platform, names[number % FUNCTIONS]) for number in range(starts)]
    for name in names:
        platform.kubectl("delete", "fn", name, check=True)
    return took


def start(platform: Deployed, name: str) -> float:
    """Waits until ``name`` has no Pod left, calls it, and returns how long the answer took."""
    while platform.function_pods(name):
        time.sleep(0.1)
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(platform.gateway).netloc, timeout=30)
    headers = {"Prefer": "wait=20", **platform.authorization()}
    began = time.perf_counter()
    connection.request("POST", f"/default/{name}", b'{"x":3,"y":4}', headers)
    response = connection.getresponse()
    body = response.read()
    took = time.perf_counter() - began
    connection.close()
    if response.status != 200 or json.loads(body) != 7:
        sys.exit(f"call failed with {response.status}: {body!r}")
    return took


if __name__ == "__main__":
    main()
