"""What every task has, and the iteration that ``listen`` and subscriptions share."""

from typing import Any

from msgspec import field

from services.contracts.workflow.data import (
    Directive,
    Export,
    Input,
    Output,
    TimeoutOrName,
)
from services.contracts.workflow.node import Part
from services.contracts.workflow.values import (
    ExpressionField,
    Object,
    Variable,
)


class Task(Part, frozen=True, kw_only=True):
    """A task: its ``name``, its ``pointer`` (the reference of the specification, such as ``/do/0/getPet``), its
    ``definition`` as the document has it (for ``$task``), and what every kind may have.

    ``then`` absent means ``continue``.
    """

    name: str
    pointer: str
    definition: dict[str, Any]
    if_: ExpressionField | None = None
    input: Input | None = None
    output: Output | None = None
    export: Export | None = None
    timeout: TimeoutOrName | None = None
    then: Directive | None = None
    metadata: Object = field(default_factory=dict)


class Foreach(Part, frozen=True, kw_only=True):
    """What is done with each consumed event or message, in order of arrival."""

    item: Variable = "item"
    at: Variable = "index"
    do: list[Task] = field(default_factory=list)
    output: Output | None = None
    export: Export | None = None
