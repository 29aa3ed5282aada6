"""``faas workflow cancel``: ends a run."""

from cli.options import Dir, Namespace
from cli.workflow.control import act
from cli.workflow.runs import Output, Run


def cancel(run: Run, namespace: Namespace = "default", output: Output = "text", directory: Dir = None) -> None:
    """End a run: what it waits for is dropped, tasks under way are cancelled."""
    act("cancel", run, namespace, output, directory)
