"""Places in a document while it is read, the problems found there, and the base of what is made of them."""

import difflib
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, NoReturn

import msgspec

from services.contracts.workflow.expressions import Expression
from services.contracts.workflow.problems import Kind, Problem, describe, escape, shortened

MAX_PROBLEMS = 50
"""As many are told at once."""


def key_of(name: str) -> str:
    """The key that a struct's field stands for: ``with_`` is ``with``, ``operation_id`` is ``operationId``."""
    first, *others = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in others)


class Part(msgspec.Struct, frozen=True, kw_only=True, rename=key_of):
    """Base of everything that a definition is made of; immutable."""

    exactly_one: ClassVar[tuple[tuple[str, ...], ...]] = ()
    not_empty: ClassVar[bool] = False


class Wrong(Exception):
    """This value can't be read; its problem is already noted."""


class TooMany(Exception):
    """MAX_PROBLEMS are noted: reading ends, for the rest would help nobody and finding it could take long."""


class Scope(msgspec.Struct):
    """What one reading of a document shares: how it is read, and what was found."""

    loose: bool = False
    problems: list[Problem] = []
    expressions: list[tuple[Expression, bool]] = []
    """Each expression, and whether ``$secrets`` may stand in it."""
    references: list[tuple[str, str, str]] = []
    """Each use of a name: the part of ``use`` that must have it, the name, and the place."""


class Node(NamedTuple):
    """A value of the document and its place."""

    value: Any
    pointer: str
    scope: Scope
    secrets: bool = False
    """Whether expressions below may use ``$secrets``."""

    def child(self, key: str | int) -> "Node":
        """The value under a key or index, which must be there."""
        return Node(self.value[key], f"{self.pointer}/{escape(str(key))}", self.scope, self.secrets)

    def note(self, expected: str, *, found: str | None = None, hint: str = "", kind: Kind = "shape") -> None:
        """Notes a problem here and goes on. Raises TooMany with the last of those that are told at once."""
        problem = Problem(self.pointer, kind, describe(self.value) if found is None else found, expected, hint)
        self.scope.problems.append(problem)
        if len(self.scope.problems) == MAX_PROBLEMS:
            raise TooMany

    def refuse(self, expected: str, *, found: str | None = None, hint: str = "", kind: Kind = "shape") -> NoReturn:
        """Notes a problem here and gives this value up: raises Wrong."""
        self.note(expected, found=found, hint=hint, kind=kind)
        raise Wrong


def near(text: str, known: Sequence[str]) -> str:
    """A hint at the known word that was probably meant; empty when none is near."""
    by_lower = {word.lower(): word for word in known[:200]}  # comparing with thousands takes long
    found = difflib.get_close_matches(text.lower(), by_lower, n=1, cutoff=0.5)
    return f"did you mean {by_lower[found[0]]}?" if found else ""


def note_unknown(node: Node, key: Any, known: list[str]) -> None:
    """Notes a key that the language has not at this place, with the one that was probably meant."""
    if key in ("true", True) and "on" in known:
        hint = 'a YAML 1.1 tool read the key on as true: write "on" in quotes'
    else:
        hint = near(str(key), known)
    place = Node(None, f"{node.pointer}/{escape(str(key))}", node.scope)
    place.note(
        f"one of {', '.join(known)}", found=f"the unknown field {shortened(str(key))}", hint=hint, kind="unknown-field"
    )
