"""The tasks of the language that are no calls."""

from typing import Annotated, Literal

from msgspec import field

from services.contracts.workflow.data import (
    Directive,
    ErrorFilter,
    ErrorOrName,
    RetryOrName,
)
from services.contracts.workflow.events import EmittedEvent, Read, Strategy
from services.contracts.workflow.expressions import Expression, Template
from services.contracts.workflow.node import Node, Part
from services.contracts.workflow.read import either
from services.contracts.workflow.task import Foreach, Task
from services.contracts.workflow.values import (
    Duration,
    ExpressionField,
    Value,
    Variable,
    read_expression,
    read_string_template,
    read_template,
)


class DoTask(Task, frozen=True, kw_only=True):
    """Tasks in sequence."""

    do: list[Task]


class Emit(Part, frozen=True, kw_only=True):
    """``emit``'s own object."""

    event: EmittedEvent


class EmitTask(Task, frozen=True, kw_only=True):
    """Publishes an event; its output is the event."""

    emit: Emit


def _read_items(node: Node) -> Template:
    for index, item in enumerate(node.value):
        if not isinstance(item, dict):
            node.child(index).refuse("an object", hint="other items come from an expression: in: ${ [1, 2, 3] }")
    return read_template(node)


class For(Part, frozen=True, kw_only=True):
    """What is iterated over, and the names of the variables."""

    in_: Annotated[
        Expression | Template, either("an expression, or a list of objects", string=read_expression, list=_read_items)
    ]
    each: Variable = "item"
    at: Variable = "index"


class ForTask(Task, frozen=True, kw_only=True):
    """Tasks for each item, in order; the output of one round is the input of the next."""

    for_: For
    do: list[Task]
    while_: ExpressionField | None = None


class Fork(Part, frozen=True, kw_only=True):
    """``compete``: the first branch that ends gives the output, the others are cancelled."""

    branches: list[Task]
    compete: bool = False


class ForkTask(Task, frozen=True, kw_only=True):
    """Branches at the same time; the output is the list of theirs, in order of declaration."""

    fork: Fork


class Listen(Part, frozen=True, kw_only=True):
    """``listen``'s own object."""

    to: Strategy
    read: Read = "data"


class ListenTask(Task, frozen=True, kw_only=True):
    """Waits for events; the output is the list of what was consumed."""

    listen: Listen
    foreach: Foreach | None = None


class Raise(Part, frozen=True, kw_only=True):
    """``raise``'s own object; ``Definition.error`` resolves a name."""

    error: ErrorOrName


class RaiseTask(Task, frozen=True, kw_only=True):
    """Raises an error."""

    raise_: Raise


class WorkflowProcess(Part, frozen=True, kw_only=True):
    """Another workflow. ``version``: a semantic version, or ``latest``; the text of the specification gives the
    default, its schema wants the field. ``input`` absent: the task's."""

    namespace: str
    name: str
    version: str = "latest"
    input: Value | None = None


class Run(Part, frozen=True, kw_only=True):
    """``await`` false: the task's output is its input. ``return: none``: the output is null, else the workflow's."""

    workflow: WorkflowProcess
    await_: bool = True
    return_: Literal["stdout", "stderr", "code", "all", "none"] | None = None


class RunTask(Task, frozen=True, kw_only=True):
    """Runs another workflow."""

    run: Run


def _read_fields(node: Node) -> Template:
    return read_template(node) if node.value else node.refuse("an object with at least one field, or an expression")


class SetTask(Task, frozen=True, kw_only=True):
    """Its output is the value."""

    set: Annotated[
        Expression | Template, either("an object, or an expression", object=_read_fields, string=read_string_template)
    ]


class Case(Part, frozen=True, kw_only=True):
    """One case of a switch; without ``when`` it is the default."""

    name: str
    then: Directive
    when: ExpressionField | None = None


class SwitchTask(Task, frozen=True, kw_only=True):
    """Goes on at the first case whose condition holds, else at the default case, else by its own ``then``."""

    switch: list[Case]


class CatchErrors(Part, frozen=True, kw_only=True):
    """``catch.errors``'s own object."""

    with_: ErrorFilter | None = None


class Catch(Part, frozen=True, kw_only=True):
    """Which errors are caught, and what is done: first ``retry``, once it is exhausted ``do``, then ``then``."""

    errors: CatchErrors | None = None
    as_: Variable = "error"
    when: ExpressionField | None = None
    except_when: ExpressionField | None = None
    retry: RetryOrName | None = None
    do: list[Task] = field(default_factory=list)
    then: Directive | None = None


class TryTask(Task, frozen=True, kw_only=True):
    """Tasks in sequence whose errors may be caught."""

    try_: list[Task]
    catch: Catch


class WaitTask(Task, frozen=True, kw_only=True):
    """Waits; its output is its input."""

    wait: Duration
