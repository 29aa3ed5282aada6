"""What differs between two normalised answers, and whether somebody said why that is all right."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ABSENT = "(absent)"


@dataclass(frozen=True)
class Difference:
    """One place where two answers to the same step differ."""

    kind: str
    what: str
    where: str
    real: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}: {self.where}: real {self.real!r:.160}, ours {self.ours!r:.160}"


@dataclass(frozen=True)
class Accepted:
    """A known difference: regular expressions that say where it shows, and the reason it is left."""

    title: str
    reason: str
    where: str
    kind: str = ".*"
    what: str = ".*"

    def covers(self, difference: Difference) -> bool:
        return all(
            re.fullmatch(pattern, value)
            for pattern, value in (
                (self.where, difference.where),
                (self.kind, difference.kind),
                (self.what, difference.what),
            )
        )


def differences(kind: str, what: str, real: Any, ours: Any) -> list[Difference]:
    """Returns every place where two JSON values differ; `where` is a path such as `object.spec.ports[].name`."""
    return [Difference(kind, what, where, first, second) for where, first, second in unequal("", real, ours)]


def unequal(where: str, real: Any, ours: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(real, dict) and isinstance(ours, dict):
        for key in sorted({*real, *ours}):
            inner = f"{where}.{key}" if where else key
            yield from unequal(inner, real.get(key, ABSENT), ours.get(key, ABSENT))
    elif isinstance(real, list) and isinstance(ours, list) and len(real) == len(ours):
        for first, second in zip(real, ours, strict=True):
            yield from unequal(f"{where}[]", first, second)
    elif real != ours or type(real) is not type(ours):
        yield where, real, ours
