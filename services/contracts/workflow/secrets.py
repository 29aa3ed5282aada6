"""Where ``$secrets`` may stand: only where its value cannot get into a history, an event or a log.

That is in the arguments of a call, in the ``input.from`` that prepares them, and in an authentication policy; and only
secrets that ``use.secrets`` lists.
"""

import re

from services.contracts.workflow.calls import Call, CallFunction
from services.contracts.workflow.expressions import Expression
from services.contracts.workflow.model import Definition
from services.contracts.workflow.node import Node, Scope, near
from services.contracts.workflow.walk import walk

_USED = re.compile(r"\$secrets\b")
_NAMED = re.compile(r"""\$secrets\s*(?:\.\s*(?:([A-Za-z_]\w*)|"([^"\\]*)")|\.?\s*\[\s*"([^"\\]*)"\s*\])""")
_INPUT = re.compile(r"\$input\b")
_PLACES = "$secrets only in a call's arguments, its input.from and authentication"


def check(definition: Definition, scope: Scope) -> None:
    """Notes each use of a secret that could leave the call it is for, or that is not declared."""
    using = [(expression, allowed) for expression, allowed in scope.expressions if _USED.search(expression.text)]
    for expression, allowed in using:
        if not allowed:
            _note(scope, expression, "elsewhere its value would be recorded in the run's history")
        _check_declared(definition, scope, expression)
    if using:
        _check_calls(definition, scope, [expression for expression, _ in using])


def _note(scope: Scope, expression: Expression, hint: str) -> None:
    Node(expression.text, expression.pointer, scope).note(_PLACES, hint=hint, kind="rule")


def _check_declared(definition: Definition, scope: Scope, expression: Expression) -> None:
    declared = definition.use.secrets
    for groups in _NAMED.findall(expression.text):
        name = "".join(groups)
        if name not in declared:
            Node(name, expression.pointer, scope).note("a name in use.secrets", hint=near(name, declared), kind="rule")


def _check_calls(definition: Definition, scope: Scope, using: list[Expression]) -> None:
    """A call's input and arguments leave it again by two ways: a function of ``use.functions`` that is no call, and the
    call's own ``output`` and ``export``."""
    calls = {task.pointer: task for task in walk(definition) if isinstance(task, Call)}
    shaped = set()
    for expression in using:
        call, part = _owner(calls, expression)
        if call is None or part not in ("input", "with"):
            continue
        if part == "input":
            shaped.add(call.pointer)
        function = definition.use.functions.get(call.call) if isinstance(call, CallFunction) else None
        if function is not None and not isinstance(function, Call):
            _note(scope, expression, f"the function {call.call} is no call: it could record its value")
    for expression, _ in scope.expressions:
        call, part = _owner(calls, expression)
        leaves = call is not None and call.pointer in shaped and part in ("output", "export")
        if leaves and _INPUT.search(expression.text):
            _note(scope, expression, "$input has a secret here, by input.from")


def _owner(calls: dict[str, Call], expression: Expression) -> tuple[Call | None, str]:
    """The innermost call around an expression, and the field of it that the expression is in."""
    pointer = expression.pointer
    while pointer:
        if pointer in calls:
            return calls[pointer], expression.pointer[len(pointer) + 1 :].partition("/")[0]
        pointer = pointer.rpartition("/")[0]
    return None, ""
