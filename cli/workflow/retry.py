"""``faas workflow retry``: runs a faulted run again from the task that failed."""

from cli.options import Dir, Namespace
from cli.workflow.control import act
from cli.workflow.runs import Output, Run


def retry(run: Run, namespace: Namespace = "default", output: Output = "text", directory: Dir = None) -> None:
    """Run a faulted run again from the task that failed."""
    act("retry", run, namespace, output, directory)
