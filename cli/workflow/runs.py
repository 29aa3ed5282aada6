"""Runs as the gateway gives them: where they are, how they are named, and how one looks in a few lines."""

import time
from datetime import datetime
from typing import Annotated, Any, Literal

import typer

from cli.options import function_ref
from services.contracts.errors import Exit
from services.contracts.names import FunctionRef
from services.contracts.runs import ENDED

Run = Annotated[str, typer.Argument(metavar="NAMESPACE/ID", help="The run.", show_default=False)]
Output = Annotated[Literal["text", "json"], typer.Option("--output", "-o", help="Form of the output.")]


def run_ref(text: str, namespace: str) -> FunctionRef:
    """The run named ``NAMESPACE/ID``, or ``ID`` in ``namespace``. Raises Failure (usage)."""
    return function_ref(text, namespace, "run")


def workflow_ref(text: str, namespace: str) -> FunctionRef:
    """The workflow named ``NAMESPACE/NAME``, or ``NAME`` in ``namespace``. Raises Failure (usage)."""
    return function_ref(text, namespace, "workflow")


def collection(namespace: str) -> str:
    """Path of a namespace's runs."""
    return f"/api/v1/namespaces/{namespace}/runs"


def item(ref: FunctionRef) -> str:
    """Path of one run."""
    return f"{collection(ref.namespace)}/{ref.name}"


def workflow_item(ref: FunctionRef) -> str:
    """Path of a workflow."""
    return f"/api/v1/namespaces/{ref.namespace}/workflows/{ref.name}"


def exit_code(status: str) -> int:
    """The exit code for a run that is waited for."""
    if status not in ENDED:
        return Exit.TIMED_OUT
    return Exit.OK if status == "completed" else Exit.FAILED


def problem(error: dict[str, Any]) -> list[str]:
    """An error (RFC 7807) in lines: title and status, then its detail and where it was raised."""
    title = error.get("title") or str(error.get("type", "error")).rpartition("/")[2]
    lines = [f"{title} ({error['status']})" if error.get("status") else title]
    lines += [str(error["detail"])] if error.get("detail") else []
    return lines + ([f"at {error['instance']}"] if error.get("instance") else [])


def moment(at: float | None) -> str:
    """A time of day with its date, here."""
    return "-" if at is None else f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S}"


def clock(at: float) -> str:
    """A time of day to the millisecond, here."""
    return f"{datetime.fromtimestamp(at).astimezone():%H:%M:%S.%f}"[:-3]


def span(begin: float | None, end: float | None) -> str:
    """How long something took, or has taken so far."""
    if begin is None:
        return "-"
    seconds = max(0.0, (time.time() if end is None else end) - begin)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = int(seconds) // 60
    if minutes < 120:
        return f"{minutes} min {int(seconds) % 60} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 2880 else f"{minutes // 1440} d {minutes // 60 % 24} h"
