"""How much of a run's values is shown: a reply is one message, however long the history is."""

from typing import Any

import msgspec

from services.contracts import headers

MAX_VALUE = 16 * 1024
"""Bytes of JSON up to which a task's input or output is shown whole."""
PREVIEW = 200
"""Characters that are shown of a larger one."""
MAX_BYTES = 4 * 1024 * 1024
"""Bytes of values that a trace has in all; half of what fits into a message, since names and times take room too."""
MAX_VIEW = headers.MAX_PAYLOAD - 512 * 1024
"""Bytes that a run's input and output may have together in one reply, beside its error and what it waits for."""
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


def fitting(value: bytes, limit: int) -> bytes:
    """A value's JSON, or when it has more than ``limit`` bytes a text with the beginning of it."""
    if len(value) <= limit:
        return value
    return msgspec.json.encode(f"{value[:PREVIEW].decode(errors='ignore')}… ({len(value)} bytes)")


def cut_error(error: dict[str, Any]) -> dict[str, Any]:
    """An error whose texts have a bound; other values of more than ``PREVIEW`` bytes are cut."""
    shown: dict[str, Any] = {}
    for key, value in error.items():
        if isinstance(value, str):
            shown[key] = value if len(value) <= _MAX_DETAIL else value[:_MAX_DETAIL] + "…"
        else:
            shown[key] = cut(value, PREVIEW)[0]
    return shown
