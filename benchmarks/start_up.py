"""How soon the platform is there: ``faas up`` to the first reply, and a deploy without requirements to ready.

python -m benchmarks.start_up [--rounds 5]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import platform
from benchmarks.call_cost import SOURCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    ups, replies, deploys = [], [], []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            first = platform.write_function(Path(folder) / "first", SOURCE)
            began = time.perf_counter()
            with platform.running() as (directory, status):
                ups.append(status["up_seconds"])
                platform.faas(directory, "deploy", str(first))
                platform.faas(directory, "execute", "default/first", '{"x":3,"y":4}', "--wait")
                replies.append(time.perf_counter() - began)
                for number in range(3):
                    source = platform.write_function(Path(folder) / f"next-{number}", SOURCE)
                    asked = time.perf_counter()
                    platform.faas(directory, "deploy", str(source))
                    deploys.append(time.perf_counter() - asked)
    for what, seconds in (("faas up", ups), ("up, deploy, first reply", replies), ("deploy to ready", deploys)):
        print(f"{what:<24} median {statistics.median(seconds):.2f} s, slowest {max(seconds):.2f} s of {len(seconds)}")


if __name__ == "__main__":
    main()
