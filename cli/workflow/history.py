"""``faas workflow history``: what is stored of a run, record by record."""

import sys
from collections.abc import Iterator
from typing import Any

from cli import target
from cli.client import Gateway
from cli.options import Dir, Namespace
from cli.output import say
from cli.workflow.get import shown
from cli.workflow.runs import Output, Run, clock, item, run_ref

_PAGE = 1000
"""Transitions that are asked for at once."""


def history(run: Run, namespace: Namespace = "default", output: Output = "text", directory: Dir = None) -> None:
    """Print the records of a run, the whole of its history."""
    ref = run_ref(run, namespace)
    with Gateway(target.find(directory)) as gateway:
        pages = _pages(gateway, item(ref))
        if output == "json":
            _print_json(pages)
            return
        for page in pages:
            for entry in page["entries"]:
                for record in entry["records"]:
                    say(line(entry["sequence"], record))


def _pages(gateway: Gateway, path: str) -> Iterator[dict[str, Any]]:
    start = 0
    while True:
        page = gateway.get(f"{path}/history?start={start}&limit={_PAGE}")
        yield page
        start = page.get("next", 0)
        if not start:
            return


def _print_json(pages: Iterator[dict[str, Any]]) -> None:
    """One document, written as it comes: a history may be long."""
    import msgspec

    out, separator, run = sys.stdout.buffer, b"\n", None
    out.write(b'{"entries": [')
    for page in pages:
        run = page["run"]
        for entry in page["entries"]:
            out.write(separator + msgspec.json.encode(entry))
            separator = b",\n"
    out.write(b'\n], "run": ' + msgspec.json.encode(run) + b"}\n")
    out.flush()


def line(sequence: int, record: dict[str, Any]) -> str:
    """A record in one line: when, what, of which task, and the rest as it is stored."""
    rest = {key: value for key, value in record.items() if key not in ("record", "at", "frame", "pointer")}
    task = " ".join(str(record[key]) for key in ("frame", "pointer") if key in record)
    more = "  ".join(f"{key}={shown(value, 200)}" for key, value in rest.items())
    at = clock(record["at"]) if "at" in record else " " * 12
    return f"{sequence:>8}  {at}  {record.get('record', '?'):<13}  {task}  {more}".rstrip()
