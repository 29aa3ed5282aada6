"""How much of a run's values is shown: a reply is one message, however long the history is."""

from typing import Any

import msgspec

MAX_VALUE = 16 * 1024
"""Bytes of JSON up to which a task's input or output is shown whole."""
PREVIEW = 200
"""Characters that are shown of a larger one."""
MAX_BYTES = 4 * 1024 * 1024
"""Bytes of values that a trace has in all; half of what fits into a message, since names and times take room too."""
MAX_NODES = 2000
MAX_STEPS = 20
"""Waits, and attempts, that are shown of one task: the latest."""
_MAX_DETAIL = 2000
"""Characters of an error's field."""


def cut(value: Any, limit: int = MAX_VALUE) -> tuple[Any, int]:
    """The value, or the beginning of its JSON when that has more than ``limit`` bytes; and the bytes that it takes."""
    text = msgspec.json.encode(value)
    if len(text) <= limit:
        return value, len(text)
    shown = f"{text[: min(PREVIEW, limit)].decode(errors='ignore')}… ({len(text)} bytes)"
    return shown, len(shown)


def cut_error(error: dict[str, Any]) -> dict[str, Any]:
    """An error whose texts have a bound; other values of more than ``PREVIEW`` bytes are cut."""
    shown: dict[str, Any] = {}
    for key, value in error.items():
        if isinstance(value, str):
            shown[key] = value if len(value) <= _MAX_DETAIL else value[:_MAX_DETAIL] + "…"
        else:
            shown[key] = cut(value, PREVIEW)[0]
    return shown
