"""``faas workflow delete``: removes definitions; their runs go on."""

from typing import Annotated

import typer

from cli import target
from cli.client import Gateway
from cli.delete import delete_each
from cli.options import Dir, Namespace, function_ref
from cli.workflow.rollout import item


def delete(
    workflows: Annotated[
        list[str], typer.Argument(metavar="NAMESPACE/NAME", help="The workflows.", show_default=False)
    ],
    namespace: Namespace = "default",
    directory: Dir = None,
) -> int:
    """Delete workflows; runs that are open go on to their end."""
    refs = [function_ref(text, namespace, "workflow") for text in workflows]
    with Gateway(target.find(directory)) as gateway:
        return delete_each(gateway, refs, item)
