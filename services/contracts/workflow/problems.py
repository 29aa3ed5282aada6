"""What is wrong with a workflow's document, and where: JSON pointer (RFC 6901), what was found, what was expected."""

import json
from collections.abc import Iterable
from itertools import islice
from typing import Any, Literal

import msgspec

Kind = Literal["syntax", "shape", "unknown-field", "unsupported", "rule", "resource"]
"""``syntax``: not YAML 1.2; ``shape``: against the language's schema; ``unknown-field``: a field that the language has
not; ``unsupported``: a part of the language that this platform does not run; ``rule``: of the right shape, but without
a meaning, such as a name that nothing has; ``resource``: what is elsewhere could not be had, or is not what it should
be: nothing in the document need change for that to pass."""


class Problem(msgspec.Struct, frozen=True):
    """One finding. ``pointer`` is the place in the document, empty for the document as a whole."""

    pointer: str
    kind: Kind
    found: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.pointer or 'the document'}: found {self.found}; expected {self.expected}{hint}"


class InvalidWorkflow(ValueError):
    """A document that may not be deployed; ``problems`` has every finding."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def escape(token: str) -> str:
    """A key as one reference token of a JSON pointer."""
    return token.replace("~", "~0").replace("/", "~1")


def describe(value: Any) -> str:
    """A value in a few words, for the ``found`` of a problem."""
    if isinstance(value, dict):
        return f"an object with {', '.join(map(str, list(value)[:5]))}" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    return shortened(json.dumps(value, ensure_ascii=True, default=repr))


def shortened(text: str) -> str:
    """At most 80 characters of a text."""
    return text if len(text) <= 80 else text[:77] + "..."


def listed(names: Iterable[str]) -> str:
    """Names with commas, the first dozen of them."""
    shown = list(islice(names, 13))
    return ", ".join([*shown[:12], "…"] if len(shown) > 12 else shown)
