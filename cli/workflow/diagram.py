"""``faas workflow diagram``: a workflow as a Mermaid flowchart, perhaps with the state of a run."""

from typing import Annotated, Any

import typer

from cli import target
from cli.client import Gateway
from cli.options import Dir, Namespace
from cli.output import document, usage
from cli.workflow.runs import Output, item, run_ref, workflow_item, workflow_ref


def diagram(
    workflow: Annotated[
        str | None, typer.Argument(metavar="NAMESPACE/NAME", help="The workflow, as it is deployed now.")
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="NAMESPACE/ID", help="A run: its definition and its state.")
    ] = None,
    namespace: Namespace = "default",
    output: Output = "text",
    directory: Dir = None,
) -> None:
    """Print a workflow as a Mermaid flowchart."""
    if (workflow is None) == (run is None):
        raise usage("give a workflow, or a run with --run")
    path = workflow_item(workflow_ref(workflow, namespace)) if workflow is not None else ""
    ref = None if run is None else run_ref(run, namespace)
    statuses: dict[str, str] = {}
    with Gateway(target.find(directory)) as gateway:
        if ref is None:
            definition = gateway.get(path)["spec"]["definition"]
        else:
            definition = gateway.get(f"{item(ref)}/definition")
            statuses = latest(gateway.get(f"{item(ref)}/trace")["root"])
    text = _drawn(definition, statuses)
    if output == "json":
        document({"diagram": text, "statuses": statuses}, output)
    else:
        print(text, end="")


def latest(root: dict[str, Any]) -> dict[str, str]:
    """The status of each task by pointer; of one that ran several times, that of the last time."""
    found: dict[str, tuple[int, str]] = {}
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if node["frame"] >= found.get(node["pointer"], (0, ""))[0]:
            found[node["pointer"]] = (node["frame"], node["status"])
        nodes += node.get("children") or []
    return {pointer: status for pointer, (_, status) in found.items()}


def _drawn(definition: Any, statuses: dict[str, str]) -> str:
    from cli.workflow.mermaid import flowchart
    from services.contracts.workflow import InvalidWorkflow, parse

    try:
        return flowchart(parse(definition), statuses)
    except InvalidWorkflow as error:
        hint = "faas workflow definitions NAMESPACE/NAME says what is wrong with it"
        raise usage("the definition is not valid", hint, [str(problem) for problem in error.problems]) from None
