"""Durations as resources write them: ``500ms``, ``60s``, ``1m30s``, ``2h`` (the notation of Go and Kubernetes)."""

import re

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class InvalidDuration(ValueError):
    """Text that is not a duration; the message says what was expected."""


def parse_duration(text: str) -> float:
    """Seconds of a duration such as ``1m30s``. Raises InvalidDuration when it is none."""
    position, seconds = 0, 0.0
    for part in _PART.finditer(text):
        if part.start() != position:
            break
        seconds += float(part[1]) * _SECONDS[part[2]]
        position = part.end()
    if not text or position != len(text):
        raise InvalidDuration(f"{text[:40]!r} is not a duration: write for example 500ms, 60s, 1m30s or 2h")
    return seconds
