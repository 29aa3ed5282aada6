"""The parts of the language that this platform does not run: refused when deployed, with the reason, never ignored."""

from typing import NoReturn

from services.contracts.workflow.node import Node

CALLS = {
    "grpc": "put a function in front of it, or use its HTTP interface",
    "a2a": "call the agent from a function",
    "mcp": "call the server from a function",
}
"""Kinds of calls, each with the way that there is instead."""
RUNS = {
    "container": "an image that serves HTTP can be a Function: deploy it and call it",
    "script": "make it a Function: a folder with a main.py is enough",
    "shell": "make it a Function that runs the command",
}
"""Processes, each with the way that there is instead."""
USES = {
    "catalogs": "deploy the function here and call it by name",
    "extensions": "write the tasks where they are wanted",
}
"""Reusable components, each with the way that there is instead."""


def refuse_call(node: Node) -> None:
    """Refuses the ``call`` of a kind, or of a function that would have to be fetched from elsewhere."""
    call = node.value
    if call in CALLS:
        node.refuse(
            "a Function, http, openapi or asyncapi",
            hint=f"{call} calls are not supported: {CALLS[call]}",
            kind="unsupported",
        )
    if "://" in call or "@" in call:
        node.refuse(
            "the name of a Function or of one in use.functions",
            hint=f"no function is fetched from elsewhere: {USES['catalogs']}",
            kind="unsupported",
        )


def refuse_run(node: Node, process: str) -> NoReturn:
    """Refuses a process that is no workflow."""
    node.child(process).refuse(
        "workflow", found=process, hint=f"{process} processes are not supported: {RUNS[process]}", kind="unsupported"
    )


def note_uses(node: Node) -> Node:
    """Notes the components of ``use`` that there are not; what is left of it."""
    for key in USES:
        if key in node.value:
            place = node.child(key)
            place.note("no " + key, found=key, hint=f"{key} are not supported: {USES[key]}", kind="unsupported")
    return node._replace(value={key: value for key, value in node.value.items() if key not in USES})
