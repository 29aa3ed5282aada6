"""``faas workflow pause``: lets nothing new begin in a run."""

from cli.options import Dir, Namespace
from cli.workflow.control import act
from cli.workflow.runs import Output, Run


def pause(run: Run, namespace: Namespace = "default", output: Output = "text", directory: Dir = None) -> None:
    """Let nothing new begin in a run; what is under way goes on."""
    act("pause", run, namespace, output, directory)
