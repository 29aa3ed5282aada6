"""YAML 1.2 by its core schema (https://yaml.org/spec/1.2.2/#103-core-schema) to JSON values, within bounds.

The parser is ruamel.yaml's; values are made from its events here, since its constructors also make sets, dates and
bytes, merge ``<<`` as YAML 1.1 did, and expand aliases without a bound.
"""

import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from services.contracts.workflow.limits import MAX_BYTES, MAX_DEPTH, MAX_NODES
from services.contracts.workflow.problems import InvalidWorkflow, Problem

_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_TAGS = {"tag:yaml.org,2002:" + name: name for name in ("str", "null", "bool", "int", "float", "map", "seq")}
_NODES = (ScalarEvent, AliasEvent, SequenceStartEvent, MappingStartEvent)
_SURROGATE = re.compile("[\ud800-\udfff]")


def load_yaml(text: str | bytes) -> Any:
    """The one document of a YAML 1.2 (or JSON) text as dict, list, str, int, float, bool and None.

    Keys are strings, as in JSON: ``200: ok`` has the key "200". Raises InvalidWorkflow, naming line and column, for
    what is not YAML 1.2, has a key twice or breaks a bound of ``limits``.
    """
    size = len(text) if isinstance(text, bytes) else len(text.encode(errors="replace"))
    if size > MAX_BYTES:
        _refuse(f"{size} bytes", f"at most {MAX_BYTES} bytes")
    try:
        text = text.decode() if isinstance(text, bytes) else text
        return _Builder(iter(YAML(typ="safe", pure=True).parse(text))).document()
    except UnicodeDecodeError as error:
        _refuse(f"a byte that is not UTF-8 at offset {error.start}", "text in UTF-8")
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        _refuse(f"{str(error.problem or error.context).removeprefix('found ')}{where}", "YAML 1.2")
    except YAMLError as error:
        _refuse(" ".join(str(error).split())[:200], "YAML 1.2")


def _refuse(found: str, expected: str, hint: str = "") -> NoReturn:
    raise InvalidWorkflow([Problem("", "syntax", found, expected, hint)])


class _Builder:
    """Makes values from parsing events; one pass, the recursion bounded by MAX_DEPTH."""

    def __init__(self, events: Any) -> None:
        self._events = events
        self._anchors: dict[str, tuple[Any, int] | None] = {}
        self._nodes = 0

    def document(self) -> Any:
        """The value of the only document; None of an empty text."""
        value: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._fail(event, "a second document", "one document")
                if event.version not in (None, (1, 2)):
                    self._fail(event, "a %YAML directive of another version", "YAML 1.2")
                value = self._value(next(self._events), 1)
        return value

    def _value(self, event: Event, depth: int) -> Any:
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if depth > MAX_DEPTH:
            self._fail(event, f"more than {MAX_DEPTH} nested levels", "fewer")
        before = self._count(event, 1)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = None
        value = self._new(event, depth)
        if anchor is not None:
            self._anchors[anchor] = (value, self._nodes - before)
        return value

    def _new(self, event: Event, depth: int) -> Any:
        tag = self._tag(event)
        if isinstance(event, MappingStartEvent):
            self._check_tag(event, tag, "map")
            return self._mapping(depth)
        if isinstance(event, SequenceStartEvent):
            self._check_tag(event, tag, "seq")
            return self._sequence(depth)
        self._check_tag(event, tag, "str", "null", "bool", "int", "float")
        assert isinstance(event, ScalarEvent)
        return self._scalar(event, tag)

    def _alias(self, event: AliasEvent) -> Any:
        if event.anchor not in self._anchors:
            self._fail(event, f"the alias *{event.anchor}", "an anchor of that name before it")
        made = self._anchors[event.anchor]
        if made is None:
            self._fail(event, f"*{event.anchor} inside itself", "a value that ends")
        self._count(event, made[1])
        return made[0]

    def _count(self, event: Event, nodes: int) -> int:
        """Adds ``nodes``; returns how many there were before."""
        before = self._nodes
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            self._fail(event, f"more than {MAX_NODES} values, aliases counted each time", "fewer")
        return before

    def _mapping(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        while isinstance(event := next(self._events), _NODES):
            key = self._key(event)
            if key in made:
                self._fail(event, f"the key {key!r} twice", "each key once")
            made[key] = self._value(next(self._events), depth + 1)
        return made

    def _sequence(self, depth: int) -> list[Any]:
        made = []
        while isinstance(event := next(self._events), _NODES):
            made.append(self._value(event, depth + 1))
        return made

    def _key(self, event: Event) -> str:
        if not isinstance(event, ScalarEvent):
            self._fail(event, "a key that is not a plain text", "a text as key")
        if event.style is None and event.value == "":
            self._fail(event, "an empty key", "a text as key")
        if event.style is None and event.value == "<<":
            self._fail(event, "the merge key <<", "the fields themselves", "merging belongs to YAML 1.1")
        return self._scalar_text(event)

    def _scalar(self, event: ScalarEvent, tag: str | None) -> Any:
        text = self._scalar_text(event)
        if tag == "str" or (tag is None and event.style is not None):
            return text
        for name, pattern, make in _CORE:
            if tag in (None, name) and pattern.fullmatch(text):
                value = make(text)
                if isinstance(value, float) and not math.isfinite(value):
                    self._fail(event, f"the number {text[:40]}", "a finite number, as JSON has them")
                if isinstance(value, int) and not -(2**63) <= value < 2**64:
                    self._fail(event, f"the number {text[:40]}", "a whole number of at most 64 bits", "quote it")
                return value
        if tag is not None:
            self._fail(event, f"!!{tag} on {text[:40]!r}", f"what YAML 1.2 reads as {tag}")
        return text

    def _scalar_text(self, event: ScalarEvent) -> str:
        text = str(event.value)
        if _SURROGATE.search(text) is None:
            return text
        try:  # JSON escapes a character beyond U+FFFF as two halves
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._fail(event, "half of a surrogate pair", "Unicode characters")

    def _tag(self, event: Event) -> str | None:
        tag = getattr(event, "tag", None)
        if tag is None:
            return None
        if str(tag) == "!":
            return "str" if isinstance(event, ScalarEvent) else None
        if str(tag) not in _TAGS:
            self._fail(event, f"the tag {tag}", f"a tag of the core schema: {', '.join(_TAGS.values())}")
        return _TAGS[str(tag)]

    def _check_tag(self, event: Event, tag: str | None, *allowed: str) -> None:
        if tag is not None and tag not in allowed:
            self._fail(event, f"the tag !!{tag} on something else", f"!!{allowed[0]} or no tag")

    @staticmethod
    def _fail(event: Event, found: str, expected: str, hint: str = "") -> NoReturn:
        mark = event.start_mark
        _refuse(f"{found} at line {mark.line + 1}, column {mark.column + 1}", expected, hint)


def _whole(text: str) -> int | float:
    """An integer of the core schema; one of absurd length is infinite, since converting it would take long."""
    if len(text) > 40:
        return math.inf
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


_CORE: tuple[tuple[str, re.Pattern[str], Callable[[str], Any]], ...] = (
    ("null", _NULL, lambda _: None),
    ("bool", _BOOL, lambda text: text.lower() == "true"),
    ("int", _INT, _whole),
    ("float", _FLOAT, float),
    ("float", _NOT_FINITE, lambda _: math.nan),
)
