"""``faas down``: stops the platform on this machine."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def down(
    directory: Annotated[
        Path | None, typer.Option("--dir", help="The platform's directory (FAAS_DIR, ~/.faas).")
    ] = None,
) -> None:
    """Stop the platform on this machine; returns when all of it is gone. Functions and their code are kept."""
    from cli.local import layout, lifecycle

    where = directory or layout.default_directory()
    try:
        stopped = lifecycle.down(where)
    except lifecycle.PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    print("faas is down" if stopped else f"nothing was running in {where}")
