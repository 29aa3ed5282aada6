"""``faas workflow definitions``: the workflows that are deployed, or one of them."""

import time
from typing import Annotated, Any, Literal

import typer

from cli import target
from cli.client import Gateway
from cli.functions import conditions
from cli.options import Dir, Namespace, checked_namespace, function_ref
from cli.output import document, note, say, since, table
from cli.workflow.rollout import accepted, collection, item


def definitions(
    name: Annotated[
        str | None, typer.Argument(metavar="NAMESPACE/NAME", help="One workflow, with its conditions.")
    ] = None,
    namespace: Namespace = "default",
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.")] = False,
    output: Annotated[
        Literal["text", "yaml", "json"], typer.Option("--output", "-o", help="Form of the output.")
    ] = "text",
    directory: Dir = None,
) -> None:
    """List the workflows that are deployed, or show one and whether it is accepted."""
    path = collection(checked_namespace(namespace)) if not everywhere else "/api/v1/workflows"
    ref = None if name is None else function_ref(name, namespace, "workflow")
    with Gateway(target.find(directory)) as gateway:
        found = gateway.get(path if ref is None else item(ref))
    if output != "text":
        document(found, output)
    elif ref is not None:
        _show(found)
    elif found["items"]:
        _list(found["items"])
    else:
        note("no workflows" if everywhere else f"no workflows in the namespace {namespace}")


def _list(workflows: list[dict[str, Any]]) -> None:
    now = time.time()
    rows = []
    for workflow in sorted(workflows, key=lambda each: (each["metadata"]["namespace"], each["metadata"]["name"])):
        meta, condition = workflow["metadata"], accepted(workflow)
        row = [meta["namespace"], meta["name"], condition.get("status", "Unknown"), condition.get("reason", "-")]
        rows.append([*row, _version(workflow), since(meta.get("creationTimestamp"), now)])
    table(["NAMESPACE", "NAME", "ACCEPTED", "REASON", "VERSION", "AGE"], rows)


def _show(workflow: dict[str, Any]) -> None:
    meta, status = workflow["metadata"], workflow.get("status") or {}
    older = [each["version"] for each in status.get("versions") or [] if each["version"] != status.get("version")]
    facts = [
        ("workflow", f"{meta['namespace']}/{meta['name']}"),
        ("version", _version(workflow)),
        ("definition", status.get("definition") or "-"),
        ("older", ", ".join(older) or "-"),
    ]
    if status.get("run"):
        facts.append(("run", f"{meta['namespace']}/{status['run']}"))
    for label, value in facts:
        say(f"{label:<12}{value}")
    rows = [[c["type"], c["status"], c.get("reason", ""), c.get("message") or "-"] for c in conditions(workflow)]
    if rows:
        say("")
        table(["CONDITION", "STATUS", "REASON", "MESSAGE"], rows)


def _version(workflow: dict[str, Any]) -> str:
    return str(((workflow["spec"].get("definition") or {}).get("document") or {}).get("version", "-"))
