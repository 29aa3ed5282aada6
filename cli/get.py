"""``faas get``: one function, with its conditions."""

from typing import Annotated, Any, Literal

import typer

from cli import target
from cli.client import Gateway
from cli.functions import conditions, item
from cli.options import Dir, Namespace, function_ref
from cli.output import document, say, table


def get(
    function: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME", help="The function.", show_default=False)],
    namespace: Namespace = "default",
    output: Annotated[
        Literal["text", "yaml", "json"], typer.Option("--output", "-o", help="Form of the output.")
    ] = "text",
    directory: Dir = None,
) -> None:
    """Show a function and its state."""
    ref = function_ref(function, namespace)
    with Gateway(target.find(directory)) as gateway:
        found = gateway.get(item(ref))
        address = gateway.target.address
    if output != "text":
        document(found, output)
        return
    for label, value in _facts(found):
        say(f"{label:<12}{value}")
    say(f"{'call':<12}faas execute {ref} JSON, or POST {address}/{ref.namespace}/{ref.name}")
    rows = [[c["type"], c["status"], c.get("reason", ""), c.get("message") or "-"] for c in conditions(found)]
    if rows:
        say("")
        table(["CONDITION", "STATUS", "REASON", "MESSAGE"], rows)


def _facts(function: dict[str, Any]) -> list[tuple[str, str]]:
    meta, spec, status = function["metadata"], function["spec"], function.get("status") or {}
    scale = spec.get("scale") or {}
    facts = [("function", f"{meta['namespace']}/{meta['name']}")]
    if spec.get("image"):
        facts.append(("image", spec["image"]))
    else:
        facts += [("handler", spec.get("handler", "main:handle")), ("source", _source(spec.get("source") or {}))]
    return [
        *facts,
        ("revision", status.get("revision") or "-"),
        ("pods", f"{status.get('readyReplicas', 0)} ready of {status.get('replicas', 0)}"),
        ("scale", f"{scale.get('min', 0)} to {scale.get('max', 10)}, to zero after {_to_zero(scale)}"),
        ("timeout", spec.get("timeout", "60s")),
        ("concurrency", f"{spec.get('concurrency', 10)} calls a Pod"),
        ("cold start", spec.get("coldStart", "Return")),
    ]


def _source(source: dict[str, Any]) -> str:
    if source.get("archive"):
        return f"archive {source['archive']}"
    return f"inline: {', '.join(sorted(source.get('inline') or {}))}"


def _to_zero(scale: dict[str, Any]) -> str:
    return str(scale.get("scaleToZeroAfter", "60s"))
