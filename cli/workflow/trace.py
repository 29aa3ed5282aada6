"""``faas workflow trace``: a run as a tree of tasks."""

import re
from collections.abc import Iterator
from typing import Any

from cli import target
from cli.client import Gateway
from cli.options import Dir, Namespace
from cli.output import document, note, say
from cli.workflow.get import shown
from cli.workflow.runs import Output, Run, clock, item, problem, run_ref, span

_SHOWN = 120
"""Characters of a value; ``-o json`` has more."""
_CUT = re.compile(r"… \(\d+ bytes\)\Z")
_MARKS = {
    "completed": "✓", "faulted": "✗", "cancelled": "⊘", "skipped": "-", "waiting": "…", "running": "▸", "pending": "·",
}  # fmt: skip


def trace(run: Run, namespace: Namespace = "default", output: Output = "text", directory: Dir = None) -> None:
    """Show a run as a tree of tasks, with inputs, outputs, attempts, times and waits."""
    ref = run_ref(run, namespace)
    with Gateway(target.find(directory)) as gateway:
        found = gateway.get(f"{item(ref)}/trace")
    if output == "json":
        document(found, output)
        return
    about = found["run"]
    say(f"run {ref} of {about['workflow']} {about['workflowVersion']}  {about['status']}")
    for line in lines(found["root"]):
        say(line)
    if found.get("truncated"):
        note("the trace is not whole: older tasks were left out; faas workflow history has all records")


def lines(node: dict[str, Any], first: str = "", then: str = "") -> Iterator[str]:
    """The tree below a node; its first line begins with ``first``, the others with ``then``."""
    yield first + heading(node)
    children = node.get("children") or []
    inner = then + ("│    " if children else "     ")
    for line in details(node):
        yield inner + line
    if node.get("omitted"):
        yield f"{then}├─ … {node['omitted']} older tasks left out"
    for child in children:
        last = child is children[-1]
        yield from lines(child, then + ("└─ " if last else "├─ "), then + ("   " if last else "│  "))


def heading(node: dict[str, Any]) -> str:
    """A task's own line: what came of it, its name, where it stands, its kind, how long it took."""
    place = [
        f"{word} {node[key] + more}"
        for key, word, more in (("round", "round", 1), ("branch", "branch", 1), ("attempt", "attempt", 0))
        if node.get(key) is not None and not (key == "attempt" and node[key] == 1)
    ]
    kind = f"{node['kind']} {node['target']}" if node.get("target") else node["kind"]
    kind += f" as {node['run']}" if node.get("run") else ""
    took = [] if node.get("startedAt") is None else [span(node["startedAt"], node.get("endedAt"))]
    return "  ".join([f"{_MARKS.get(node['status'], '?')} {node['name']}", kind, *place, node["status"], *took])


def details(node: dict[str, Any]) -> Iterator[str]:
    """What is known of a task, a line each."""
    if "input" in node:
        yield f"input   {_value(node['input'])}"
    attempts = node.get("attempts") or []
    for attempt in attempts if len(attempts) > 1 or any(found.get("error") for found in attempts) else []:
        error = f"  {'; '.join(problem(attempt['error']))}" if attempt.get("error") else ""
        took = span(attempt["startedAt"], attempt.get("endedAt"))
        yield f"attempt {attempt['number']}  {clock(attempt['startedAt'])}  {took}{error}"
    for wait in node.get("waits") or []:
        until = f"until {clock(wait['until'])}" if wait.get("until") else ""
        took = span(wait["since"], wait.get("endedAt"))
        yield f"waited  for {wait['kind']}  {clock(wait['since'])}  {took}  {until}".rstrip()
    if "output" in node:
        yield f"output  {_value(node['output'])}"
    if node.get("error"):
        yield f"error   {'; '.join(problem(node['error']))}"


def _value(value: Any) -> str:
    """A value as JSON; of one that the service has cut, what it left."""
    if isinstance(value, str) and (cut := _CUT.search(value)):
        return value[:_SHOWN] + cut[0]
    return shown(value, _SHOWN)
