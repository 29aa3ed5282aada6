"""``faas status``: what of the platform on this machine runs, and its addresses."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from services.contracts.errors import Exit


def status(
    directory: Annotated[
        Path | None, typer.Option("--dir", help="The platform's directory (FAAS_DIR, ~/.faas).")
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="text or json")] = "text",
) -> None:
    """Show the platform's addresses and processes. Exit code 0 when all of it runs, 4 when not."""
    from cli.local import layout, lifecycle

    if output not in ("text", "json"):
        print(f"error: -o {output} is unknown\nhint: use -o text or -o json", file=sys.stderr)
        raise typer.Exit(Exit.USAGE)
    found = lifecycle.status(directory or layout.default_directory())
    print(json.dumps(found, indent=2) if output == "json" else "\n".join(_lines(found)))
    if not found["running"]:
        raise typer.Exit(Exit.UNAVAILABLE)


def _option(directory: str) -> str:
    """`` --dir DIRECTORY`` where it has to be said."""
    from cli.local import layout

    usual = layout.default_directory().absolute()
    return "" if Path(directory) == usual else f" --dir {shlex.quote(directory)}"


def _lines(found: dict[str, Any]) -> list[str]:
    if not found["processes"]:
        return [f"faas is not running in {found['directory']}: start it with faas up{_option(found['directory'])}"]
    lines = [f"{name:<12}{found[name]}" for name in ("directory", "gateway", "nats", "kubeconfig")]
    lines += [f"{process['name']:<12}pid {process['pid']}" for process in found["processes"]]
    lines += [f"{name:<12}not running" for name in found["missing"]]
    if not found["supervised"]:
        lines.append("the supervisor is gone and its processes go on without it; faas up brings it back")
    return lines
