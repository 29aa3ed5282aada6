"""Events: their attributes, filters, and strategies of consuming them."""

from typing import Annotated, Literal, Union

from msgspec import field

from services.contracts.workflow.expressions import Expression, Template
from services.contracts.workflow.node import Node, Part
from services.contracts.workflow.read import read_object, read_part, read_string
from services.contracts.workflow.values import ExpressionField, TextField, read_expression, read_template, read_uri

Read = Literal["data", "envelope", "raw"]
_STRINGS = ("id", "type", "subject", "datacontenttype", "time")
URIS = ("source", "dataschema")
"""Attributes that are URIs."""
TEXTS = (*_STRINGS, *URIS)
"""Attributes that are texts, and not empty ones (CloudEvents 1.0)."""


def read_attributes(node: Node) -> dict[str, Template]:
    """Attributes of a CloudEvent by name; names that CloudEvents does not define are extension attributes."""
    made = {}
    for key in read_object(node):
        if key in URIS:
            uri = read_uri(node.child(key))
            made[key] = Template(uri, constant=isinstance(uri, str))
            continue
        if key in _STRINGS:
            read_string(node.child(key))
        made[key] = read_template(node.child(key))
    return made


def read_filter_attributes(node: Node) -> dict[str, Template]:
    """At least one attribute that an event must have."""
    return read_attributes(node) if read_object(node) else node.refuse("at least one attribute of an event")


def read_emitted_attributes(node: Node) -> dict[str, Template]:
    """Attributes of an event to emit; ``type`` is the one that nothing else can give."""
    made = read_attributes(node)
    return made if "type" in made else node.refuse("the field type", found="no type")


class Correlation(Part, frozen=True, kw_only=True):
    """A value that the events of one consumption share. ``expect`` absent: what the first event has."""

    from_: ExpressionField
    expect: TextField | None = None


class EventFilter(Part, frozen=True, kw_only=True):
    """Which events: those whose attributes match. A constant is a regular expression, an expression a condition on the
    attribute's value or the value itself."""

    with_: Annotated[dict[str, Template], read_filter_attributes]
    correlate: dict[str, Correlation] = field(default_factory=dict)


class EventStrategy(Part, frozen=True, kw_only=True):
    """Which events are waited for: ``all`` of these, ``any`` of these (none listed: any event), or ``one``.

    ``until`` (only with ``any``) goes on consuming until an expression over what was consumed is true, or until other
    events came, which do not count as consumed; without it the first event is enough.
    """

    exactly_one = (("all", "any", "one"),)

    all: list[EventFilter] | None = None
    any: list[EventFilter] | None = None
    one: EventFilter | None = None
    until: Annotated[Union[Expression, "EventStrategy", None], lambda node: read_until(node)] = None


def read_until(node: Node) -> Expression | EventStrategy:
    """An expression, or a strategy that has no ``until`` itself."""
    if isinstance(node.value, str):
        return read_expression(node)
    if not isinstance(node.value, dict):
        node.refuse("an expression, or one of all, any, one")
    if "until" in node.value:
        node.child("until").refuse("no until inside until", found="until")
    return read_strategy(node)


def read_strategy(node: Node) -> EventStrategy:
    """A strategy; ``until`` belongs to ``any``."""
    made = read_part(EventStrategy, node)
    if made.until is not None and made.any is None:
        node.child("until").refuse("until only beside any", found="until")
    return made


Strategy = Annotated[EventStrategy, read_strategy]


class EmittedEvent(Part, frozen=True, kw_only=True):
    """The event that ``emit`` makes; what is not given (id, time, source, specversion) the engine fills in."""

    with_: Annotated[dict[str, Template], read_emitted_attributes]
