"""What people see: errors with a hint on standard error, tables and documents on standard output."""

import os
import sys
from collections.abc import Sequence
from typing import Any

from services.contracts.errors import Exit


class Failure(Exception):
    """Why a verb ends: what is wrong (``message``; ``details``, one a line), what to do (``hint``), its exit code."""

    def __init__(self, message: str, hint: str = "", exit_code: int = Exit.FAILED, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
        self.details = details


def usage(message: str, hint: str = "", details: Sequence[str] = ()) -> Failure:
    """A Failure for wrong input: nothing was asked of the platform."""
    return Failure(message, hint, Exit.USAGE, details)


def report(failure: Failure) -> int:
    """Prints a failure to standard error. Returns its exit code."""
    note(f"error: {failure.message}")
    for detail in failure.details:
        note(f"  {detail}")
    if failure.hint:
        note(f"hint: {failure.hint}")
    return failure.exit_code


def report_bug(error: Exception) -> int:
    """Prints an error that nobody foresaw, in one line; its traceback only when FAAS_DEBUG is set. Returns 1."""
    if os.environ.get("FAAS_DEBUG"):
        import traceback

        traceback.print_exception(error)
    return report(Failure(f"{type(error).__name__}: {error}", "this is a fault of faas; FAAS_DEBUG=1 shows where"))


def note(text: str) -> None:
    """One line for people on standard error, after what standard output has so far."""
    sys.stdout.flush()
    print(clean(text), file=sys.stderr, flush=True)


def say(text: str) -> None:
    """One line on standard output, at once."""
    print(clean(text), flush=True)


def clean(text: str) -> str:
    """``text`` with control characters escaped: names and messages from elsewhere must not steer the terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints columns as wide as their longest cell, three spaces apart."""
    lines = [header, *([clean(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def document(value: Any, form: str) -> None:
    """Prints ``value`` as ``json`` (two spaces deep) or ``yaml``."""
    if form == "yaml":
        from cli.yamltext import dump

        print(dump(value), end="")
        return
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def since(moment: str | None, now: float) -> str:
    """How long ago an RFC 3339 moment was, such as ``5m`` or ``3d``; ``now`` in Unix seconds."""
    if not moment:
        return "-"
    from datetime import datetime

    return age(now - datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp())


def age(passed: float) -> str:
    """Seconds as ``5m`` or ``3d``."""
    seconds = max(0, int(passed))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
