"""``faas workflow resume``: lets a paused run go on."""

from cli.options import Dir, Namespace
from cli.workflow.control import act
from cli.workflow.runs import Output, Run


def resume(run: Run, namespace: Namespace = "default", output: Output = "text", directory: Dir = None) -> None:
    """Let a paused run go on."""
    act("resume", run, namespace, output, directory)
