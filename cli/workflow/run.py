"""``faas workflow run``: starts a run, and waits for its end when asked to."""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from cli import target
from cli.app import application
from cli.client import Gateway
from cli.options import Dir, Namespace, bare_wait, parameters_of, seconds
from cli.output import document, note, say
from cli.workflow.runs import Output, exit_code, problem, run_ref, workflow_item, workflow_ref
from services.contracts.errors import Exit
from services.contracts.names import FunctionRef
from services.contracts.runs import ENDED, new_run_id


class _Arguments(TyperCommand):
    """Lets ``--wait`` stand with or without a value, and negative numbers be inputs."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the arguments after giving a bare ``--wait`` an empty value."""
        return super().parse_args(ctx, bare_wait(args, takes_next=True))


_COMPARED = 4096
"""Bytes of an input up to which an answer surely shows the whole of it."""
app = application()


@app.command(cls=_Arguments)
def run(
    workflow: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME", help="The workflow.", show_default=False)],
    parameters: Annotated[
        str | None, typer.Argument(metavar="JSON", help="The run's input ('-': from standard input; default: {}).")
    ] = None,
    wait: Annotated[
        str | None,
        typer.Option(metavar="[SECONDS]", help="Show what happens until the run's end, at most so long."),
    ] = None,
    id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="The run's id; the same one again is the same run, not another."),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", "-r", help="With --wait: print an output that is a text as it is, not as JSON.")
    ] = False,
    namespace: Namespace = "default",
    output: Output = "text",
    directory: Dir = None,
) -> int:
    """Start a run of a workflow.

    Exit codes: 0 completed (without --wait: started), 1 faulted or cancelled, 2 usage, 3 no such workflow, 4 not
    available now, 5 still running.
    """
    ref = workflow_ref(workflow, namespace)
    run = run_ref(f"{ref.namespace}/{new_run_id(ref.name) if id is None else id}", namespace)
    body = None if parameters is None else parameters_of(parameters)
    limit = seconds("--wait", wait) if wait else None
    where = target.find(directory)
    if wait is None:
        with Gateway(where) as gateway:
            _print_started(ref, run, _start(gateway, ref, run, body), output)
        return Exit.OK
    from cli.workflow.waiting import Waiting

    view = Waiting(where, ref, run, limit).wait(lambda gateway: _start(gateway, ref, run, body))
    return _print_end(run, view, output, raw)


def _start(gateway: Gateway, ref: FunctionRef, run: FunctionRef, body: bytes | None) -> dict[str, Any]:
    import msgspec

    sent = {"Content-Type": "application/json"}
    # may be sent twice: the id makes it the same run
    answer = gateway.ask("POST", f"{workflow_item(ref)}/runs?id={run.name}", body or b"", sent)
    view: dict[str, Any] = msgspec.json.decode(answer.body)
    if len(body or b"") < _COMPARED and msgspec.json.decode(body or b"{}") != view.get("input"):
        note(f"run {run} was there already, begun with another input, which counts: faas workflow get {run} shows it")
    return view


def _print_started(ref: FunctionRef, run: FunctionRef, view: dict[str, Any], output: str) -> None:
    if output == "json":
        document(view, output)
        return
    say(str(run))
    note(f"a run of {ref}; follow it: faas workflow get {run}, faas workflow trace {run}")


def _print_end(run: FunctionRef, view: dict[str, Any], output: str, raw: bool) -> int:
    status, result = view["run"]["status"], view.get("output")
    if output == "json":
        document(view, output)
    elif status == "completed" and raw and isinstance(result, str):
        sys.stdout.write(result + ("" if result.endswith("\n") else "\n"))
    elif status == "completed":
        document(result, "json")
    if status not in ENDED:
        note(f"run {run} is still {status}; follow it: faas workflow get {run}")
    elif status == "cancelled":
        note(f"error: run {run} was cancelled")
    elif status == "faulted":
        first, *more = problem(view.get("error") or {})
        note(f"error: run {run} faulted: {first}")
        for line in more:
            note(f"  {line}")
        note(f"hint: faas workflow trace {run} shows what happened, faas workflow retry {run} tries again from there")
    return exit_code(status)
