"""``faas workflow list``: the runs of a namespace, the newest first."""

import time
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import typer

from cli import target
from cli.client import Gateway
from cli.options import Dir, Namespace, checked_namespace
from cli.output import age, document, note, table
from cli.workflow.runs import collection, span, workflow_ref

Status = Literal["open", "running", "suspended", "completed", "faulted", "cancelled"]


def list_runs(
    workflow: Annotated[
        str | None, typer.Argument(metavar="NAMESPACE/NAME", help="Only the runs of this workflow.")
    ] = None,
    namespace: Namespace = "default",
    status: Annotated[Status | None, typer.Option("--status", help="Only those; open: running or suspended.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, metavar="N", help="At most so many.")] = 100,
    output: Annotated[Literal["table", "json"], typer.Option("--output", "-o", help="Form of the output.")] = "table",
    directory: Dir = None,
) -> None:
    """List the runs of a namespace, the newest first."""
    wanted: dict[str, Any] = {"limit": limit}
    if workflow is not None:
        namespace, wanted["workflow"] = workflow_ref(workflow, namespace)
    if status is not None:
        wanted["status"] = status
    with Gateway(target.find(directory)) as gateway:
        found = gateway.get(f"{collection(checked_namespace(namespace))}?{urlencode(wanted)}")
    if output == "json":
        document(found, output)
        return
    if not found["items"]:
        note(f"no such runs in the namespace {namespace}")
        return
    now = time.time()
    table(["RUN", "WORKFLOW", "VERSION", "STATUS", "AGE", "TOOK"], [_row(run, now) for run in found["items"]])
    if found.get("more"):
        note(f"the newest {limit}; --limit shows more")


def _row(run: dict[str, Any], now: float) -> list[str]:
    return [
        f"{run['namespace']}/{run['id']}", run["workflow"], run["workflowVersion"], run["status"],
        age(now - run["startedAt"]), span(run["startedAt"], run.get("endedAt")),
    ]  # fmt: skip
