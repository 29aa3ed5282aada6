"""Whether the jq programs of a definition compile: what the service checks before it accepts a workflow."""

from services.contracts.workflow import Definition, Problem, walk
from services.contracts.workflow.calls import CallAsyncApi
from services.contracts.workflow.task import Foreach, Task
from services.contracts.workflow.tasks import ForTask, ListenTask, TryTask
from services.workflow.expressions.program import ExpressionError, check

ARGUMENTS = frozenset({"context", "input", "output", "secrets", "authorization", "task", "workflow", "runtime"})
"""The variables that the language gives; where one has no value, it is null."""


def variables_of(definition: Definition) -> frozenset[str]:
    """Every variable that a task of the definition binds, wherever that is seen."""
    names: set[str] = set()
    for task in walk(definition):
        if isinstance(task, ForTask):
            names |= {task.for_.each, task.for_.at}
        elif isinstance(task, TryTask):
            names.add(task.catch.as_)
        elif (foreach := _foreach(task)) is not None:
            names |= {foreach.item, foreach.at}
    return frozenset(names)


def _foreach(task: Task) -> Foreach | None:
    if isinstance(task, CallAsyncApi):
        return None if task.with_.subscription is None else task.with_.subscription.foreach
    return task.foreach if isinstance(task, ListenTask) else None


def problems(definition: Definition) -> list[Problem]:
    """What is wrong with its programs; one of mode loose may be plain text, so nothing is."""
    known = ARGUMENTS | variables_of(definition)
    found = []
    for expression in definition.expressions:
        if expression.loose:
            continue
        try:
            check(expression, known)
        except ExpressionError as error:
            found.append(Problem(error.pointer, "rule", f"{expression.text[:80]!r}", "a jq program", str(error)))
    return found
