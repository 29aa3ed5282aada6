"""``faas delete``: removes functions."""

import time
from collections.abc import Callable
from typing import Annotated

import typer

from cli import target
from cli.client import Gateway, Refused
from cli.functions import item
from cli.options import Dir, Namespace, function_ref
from cli.output import Failure, report, say
from services.contracts.errors import Exit
from services.contracts.names import FunctionRef

GONE_WITHIN = 120.0
"""Seconds: Pods have a grace period of their function's timeout; longer ones are waited for in vain, and said so."""
POLL = 0.1


def delete(
    functions: Annotated[
        list[str], typer.Argument(metavar="NAMESPACE/NAME", help="The functions.", show_default=False)
    ],
    namespace: Namespace = "default",
    wait: Annotated[bool, typer.Option("--wait", help="Return when they are gone.")] = False,
    directory: Dir = None,
) -> int:
    """Delete functions, with their Pods."""
    refs = [function_ref(text, namespace) for text in functions]
    with Gateway(target.find(directory)) as gateway:
        return delete_each(gateway, refs, item, _until_gone if wait else None)


def delete_each(
    gateway: Gateway,
    refs: list[FunctionRef],
    path: Callable[[FunctionRef], str],
    afterwards: Callable[[Gateway, FunctionRef], None] | None = None,
) -> int:
    """Deletes what is at ``path`` of each; one that can't be deleted is reported. Returns the worst exit code."""
    worst = Exit.OK
    for ref in refs:
        try:
            gateway.ask("DELETE", path(ref))
        except Refused as refused:
            worst = max(worst, report(refused))
            continue
        if afterwards is not None:
            afterwards(gateway, ref)
        say(f"deleted {ref}")
    return worst


def _until_gone(gateway: Gateway, ref: FunctionRef) -> None:
    deadline = time.monotonic() + GONE_WITHIN
    while time.monotonic() < deadline:
        try:
            gateway.ask("GET", item(ref))
        except Refused as refused:
            if refused.status == 404:
                return
            raise
        time.sleep(POLL)
    raise Failure(f"{ref} is still there after {GONE_WITHIN:g} s", f"faas get {ref}", Exit.TIMED_OUT)
