"""``faas logs``: what a function's Pods print."""

import sys
from typing import Annotated

import typer

from cli import target
from cli.client import Gateway
from cli.functions import item
from cli.options import Dir, Namespace, function_ref
from services.contracts.names import FunctionRef


def logs(
    function: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME", help="The function.", show_default=False)],
    namespace: Namespace = "default",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    tail: Annotated[
        int | None, typer.Option("--tail", min=0, metavar="N", help="Begin with the last N lines (default: all).")
    ] = None,
    previous: Annotated[bool, typer.Option("--previous", "-p", help="Of the containers that ended before.")] = False,
    directory: Dir = None,
) -> None:
    """Print what a function's Pods have printed."""
    ref = function_ref(function, namespace)
    with Gateway(target.find(directory)) as gateway:
        for line in gateway.lines(path(ref, follow, tail, previous), follow):
            sys.stdout.buffer.write(line)
            if follow:
                sys.stdout.buffer.flush()
    sys.stdout.buffer.flush()


def path(ref: FunctionRef, follow: bool = False, tail: int | None = None, previous: bool = False) -> str:
    """Path of a function's logs at the gateway."""
    query = [name for name, wanted in (("follow=true", follow), ("previous=true", previous)) if wanted]
    query += [f"tail={tail}"] if tail is not None else []
    return f"{item(ref)}/logs" + ("?" + "&".join(query) if query else "")
