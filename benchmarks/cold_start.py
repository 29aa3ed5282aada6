"""Cold starts with ``Prefer: wait`` on one machine: each call finds nothing running and is answered all the same.

    python -m benchmarks.cold_start [--starts 1000] [--level1]

Before each call its function has gone to zero by itself; the time of the way down does not count.
"""

import argparse
import http.client
import json
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path
from typing import Any

from benchmarks import platform
from benchmarks.call_cost import SOURCE

FUNCTIONS = 8
"""Functions taken in turn, so that the next call need not wait until the last one's Pod is gone."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=1000)
    parser.add_argument("--level1", action="store_true", help="around a real Kubernetes control plane")
    options = parser.parse_args()
    with (
        platform.running_level1() if options.level1 else platform.running() as (directory, status),
        tempfile.TemporaryDirectory() as folder,
    ):
        for number in range(FUNCTIONS):
            source = platform.write_function(Path(folder) / f"cold-{number}", SOURCE)
            platform.faas(directory, "deploy", str(source), "--scale-to-zero-after", "1s")
        took = sorted(start(status["gateway"], f"cold-{number % FUNCTIONS}") for number in range(options.starts))
    print(
        f"{len(took)} cold starts, ms: "
        + ", ".join(f"p{q} {1000 * took[int(len(took) * q / 100)]:.1f}" for q in (50, 90, 99))
    )


def start(gateway: str, name: str) -> float:
    """Waits until ``name`` is at zero, calls it, and returns how long the answer took, in seconds."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(gateway).netloc, timeout=30)
    api = f"/api/v1/namespaces/default/functions/{name}"
    while _get(connection, api)["status"].get("replicas", 0) or _get(connection, f"/default/{name}")["readyReplicas"]:
        time.sleep(0.05)
    began = time.perf_counter()
    connection.request("POST", f"/default/{name}", b'{"x":3,"y":4}', {"Prefer": "wait=20"})
    response = connection.getresponse()
    body = response.read()
    took = time.perf_counter() - began
    connection.close()
    if response.status != 200 or json.loads(body) != {"result": 7}:
        sys.exit(f"call failed with {response.status}: {body!r}")
    return took


def _get(connection: http.client.HTTPConnection, path: str) -> dict[str, Any]:
    connection.request("GET", path)
    return dict(json.loads(connection.getresponse().read()))


if __name__ == "__main__":
    main()
