"""``faas workflow get``: a run as it is now."""

from typing import Any

from cli import target
from cli.client import Gateway
from cli.options import Dir, Namespace
from cli.output import document, say, table
from cli.workflow.runs import Output, Run, item, moment, problem, run_ref, span

SHOWN = 2000
"""Characters of an input or output that are shown; ``-o json`` has all of it."""


def get(run: Run, namespace: Namespace = "default", output: Output = "text", directory: Dir = None) -> None:
    """Show a run: its status, what it waits for, its input and output."""
    ref = run_ref(run, namespace)
    with Gateway(target.find(directory)) as gateway:
        view = gateway.get(item(ref))
    if output == "json":
        document(view, output)
        return
    for label, value in facts(view):
        say(f"{label:<10}{value}")
    if view.get("waiting"):
        say("")
        rows = [[found["kind"], found["pointer"] or "/", moment(found.get("until"))] for found in view["waiting"]]
        table(["WAITS FOR", "AT", "UNTIL"], rows)


def facts(view: dict[str, Any]) -> list[tuple[str, str]]:
    """What is said of a run, label and text."""
    run = view["run"]
    found = [
        ("run", f"{run['namespace']}/{run['id']}"),
        ("workflow", f"{run['namespace']}/{run['workflow']} {run['workflowVersion']}"),
        ("status", run["status"]),
        ("started", moment(run["startedAt"])),
        ("took", span(run["startedAt"], run.get("endedAt"))),
        ("input", shown(view.get("input"))),
    ]
    if view.get("error"):
        found += [("error" if not index else "", line) for index, line in enumerate(problem(view["error"]))]
    elif run["status"] == "completed":
        found.append(("output", shown(view.get("output"))))
    return found


def shown(value: Any, limit: int = SHOWN) -> str:
    """A value as JSON in one line, its beginning when it is long."""
    import msgspec

    text = msgspec.json.encode(value).decode()
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
