"""Columns of the built-in kinds, as `kubectl get` shows them."""

import datetime
from collections.abc import Callable
from typing import Any

from cli.local.apiserver.registry import Column

Json = dict[str, Any]
Cells = Callable[[Json, float], list[Any]]


def seconds_since(text: str, now: float) -> float:
    """Seconds from an RFC 3339 time to `now`, or a negative number when it does not parse."""
    try:
        return now - datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return -1.0


def human_duration(seconds: float) -> str:
    """As kubectl prints an age: `45s`, `3m20s`, `17m`, `5h`, `3d4h`, `400d`."""
    whole = int(seconds)
    if whole < 0:
        return "<invalid>" if whole < -1 else "0s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    years = days // 365
    return _two(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _two(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big}{big_unit}{small}{small_unit}" if small else f"{big}{big_unit}"


def age(obj: Json, now: float) -> str:
    created = obj["metadata"].get("creationTimestamp")
    return human_duration(seconds_since(created, now)) if created else "<unknown>"


def _columns(*names: str) -> tuple[Column, ...]:
    """Columns by name: `Ready:integer`, and a `+` in front of those that only `-o wide` shows."""
    found = [Column("Name", "string", "name")]
    for text in names:
        name, _, kind = text.lstrip("+").partition(":")
        found.append(Column(name, kind or "string", priority=1 if text.startswith("+") else 0))
    return tuple(found)


def _namespace(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], obj.get("status", {}).get("phase", ""), age(obj, now)]


BUILTIN: dict[str, tuple[tuple[Column, ...], Cells]] = {
    "namespaces": (_columns("Status", "Age"), _namespace),
}
