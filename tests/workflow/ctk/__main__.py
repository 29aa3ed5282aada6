"""python -m tests.workflow.ctk DIRECTORY [--map HOST=URL]… [--service]: a conformance kit, a line a scenario."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.workflow.ctk.driver import Driver
from tests.workflow.ctk.memory import MemoryDriver
from tests.workflow.ctk.run import run_directory
from tests.workflow.stubs import stubs


def _mapping(text: str) -> tuple[str, str]:
    host, equals, url = text.partition("=")
    if not host or not equals or not url.startswith(("http://", "https://", "nats://")):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST=URL with an http, https or nats URL")
    return host.rpartition("://")[2].rstrip("/").lower(), url.rstrip("/")


@contextmanager
def _driver(service: bool) -> Iterator[Driver]:
    if not service:
        yield MemoryDriver()
        return
    from tests.workflow.ctk.service import service_driver  # it starts processes, and needs what they need

    with tempfile.TemporaryDirectory(prefix="ctk-") as directory, service_driver(Path(directory)) as driver:
        yield driver


def main() -> int:
    """0 when all scenarios pass, 1 when one fails or a file can't be read, 2 when there is none."""
    parser = argparse.ArgumentParser(prog="python -m tests.workflow.ctk")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--map", type=_mapping, action="append", default=[], metavar="HOST=URL", help="a local stub")
    parser.add_argument("--service", action="store_true", help="by a real workflow service, in real time")
    arguments = parser.parse_args()
    total = failed = 0
    with stubs() as hosts, _driver(arguments.service) as driver:
        for result in run_directory(arguments.directory, driver, hosts | dict(arguments.map)):
            print(result, flush=True)
            total, failed = total + 1, failed + bool(result.failure)
    if not total:
        print(f"no feature file with a scenario in {arguments.directory}", file=sys.stderr)
        return 2
    print(f"{total - failed} of {total} scenarios pass")
    return 1 if failed else 0


sys.exit(main())
