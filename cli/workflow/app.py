"""The verbs of ``faas workflow``, imported when they are asked for."""

import typer

from cli.app import application, group_of
from services.contracts.errors import Exit

VERBS = {
    "run": "cli.workflow.run:app",
    "list": "cli.workflow.list:list_runs",
    "get": "cli.workflow.get:get",
    "trace": "cli.workflow.trace:trace",
    "history": "cli.workflow.history:history",
    "diagram": "cli.workflow.diagram:diagram",
    "cancel": "cli.workflow.cancel:cancel",
    "pause": "cli.workflow.pause:pause",
    "resume": "cli.workflow.resume:resume",
    "retry": "cli.workflow.retry:retry",
    "definitions": "cli.workflow.definitions:definitions",
    "delete": "cli.workflow.delete:delete",
}
"""As in ``cli.app``."""

app = application(cls=group_of(VERBS))


@app.callback(invoke_without_command=True)
def workflow(context: typer.Context) -> None:
    """Run workflows, and see what their runs do."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(Exit.USAGE)
