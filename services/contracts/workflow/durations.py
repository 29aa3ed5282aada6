"""Durations of the language as seconds: ISO 8601 text, or an object of days, hours, minutes, seconds, milliseconds."""

import re
from typing import Any

MAX_SECONDS = 100 * 365 * 86400.0
"""A hundred years: beyond it dates overflow, and nobody waits."""
UNITS = {"days": 86400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0, "milliseconds": 0.001}
_ISO = re.compile(
    r"P(?!$)(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T(?=\d)(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_ISO_SECONDS = (365 * 86400.0, 30 * 86400.0, 7 * 86400.0, 86400.0, 3600.0, 60.0, 1.0)
"""Years and months have no fixed length; they count as 365 and 30 days."""


def iso8601_seconds(text: str) -> float | None:
    """Seconds of an ISO 8601 duration such as ``PT1H30M``; None when it is none or above MAX_SECONDS.

    Public since an expression may give such a text at run time.
    """
    found = _ISO.fullmatch(text) if len(text) <= 100 else None
    if found is None:
        return None
    seconds = sum(float(part) * unit for part, unit in zip(found.groups(), _ISO_SECONDS, strict=True) if part)
    return seconds if seconds <= MAX_SECONDS else None


def inline_seconds(fields: dict[str, Any]) -> float | None:
    """Seconds of an object of whole numbers by unit; None when the sum is below zero or above MAX_SECONDS."""
    seconds = sum(UNITS[unit] * amount for unit, amount in fields.items())
    return seconds if 0 <= seconds <= MAX_SECONDS else None
