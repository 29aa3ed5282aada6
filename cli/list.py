"""``faas list``: the functions of a namespace, or of all."""

import time
from typing import Annotated, Any, Literal

import typer

from cli import target
from cli.client import Gateway
from cli.functions import collection, readiness
from cli.options import Dir, Namespace, checked_namespace
from cli.output import document, note, since, table


def list_functions(
    namespace: Namespace = "default",
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.")] = False,
    output: Annotated[
        Literal["table", "wide", "json", "yaml"], typer.Option("--output", "-o", help="Form of the output.")
    ] = "table",
    directory: Dir = None,
) -> None:
    """List the functions of a namespace."""
    path = "/api/v1/functions" if everywhere else collection(checked_namespace(namespace))
    with Gateway(target.find(directory)) as gateway:
        found = gateway.get(path)
    if output in ("json", "yaml"):
        document(found, output)
        return
    if not found["items"]:
        note("no functions" if everywhere else f"no functions in the namespace {namespace}")
        return
    functions = sorted(found["items"], key=lambda item: (item["metadata"]["namespace"], item["metadata"]["name"]))
    header = ["NAMESPACE", "NAME", "READY", "REASON", "PODS", "AGE"]
    wide = ["REVISION", "HANDLER", "MIN", "MAX"] if output == "wide" else []
    now = time.time()
    table(header + wide, [_row(function, now) + (_more(function) if wide else []) for function in functions])


def _row(function: dict[str, Any], now: float) -> list[str]:
    meta, status = function["metadata"], function.get("status") or {}
    ready, reason = readiness(function)
    pods = f"{status.get('readyReplicas', 0)}/{status.get('replicas', 0)}"
    return [meta["namespace"], meta["name"], ready, reason, pods, since(meta.get("creationTimestamp"), now)]


def _more(function: dict[str, Any]) -> list[str]:
    spec, status = function["spec"], function.get("status") or {}
    scale = spec.get("scale") or {}
    runs = spec.get("image") or spec.get("handler", "main:handle")
    return [status.get("revision") or "-", runs, str(scale.get("min", 0)), str(scale.get("max", 10))]
