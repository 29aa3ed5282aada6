"""From a document to its Definition, or to the list of all that is wrong with it."""

from typing import Any

from msgspec import structs

from services.contracts.workflow import calls, rules, tasks, unsupported
from services.contracts.workflow.limits import exceeded
from services.contracts.workflow.model import Definition, Use
from services.contracts.workflow.node import Node, Scope, TooMany, Wrong, near
from services.contracts.workflow.problems import InvalidWorkflow, Problem
from services.contracts.workflow.read import read_all, read_list, read_object, read_part, read_string, register
from services.contracts.workflow.task import Task
from services.contracts.workflow.yaml12 import load_yaml


def parse_yaml(text: str | bytes) -> Definition:
    """The definition in a YAML 1.2 or JSON text. Raises InvalidWorkflow."""
    return parse(load_yaml(text))


def parse(document: Any) -> Definition:
    """The definition of a document that is JSON values already. Raises InvalidWorkflow with all problems, 50 at most.

    The syntax of jq programs, cron values and JSON Schemas is checked by the service, which has what reads them.
    """
    if (broken := exceeded(document)) is not None:
        raise InvalidWorkflow([Problem("", "syntax", broken, "a smaller document")])
    scope = Scope(loose=_is_loose(document))
    try:
        definition = read_part(Definition, Node(document, "", scope), source=document, expressions=())
        rules.check(definition, scope)
    except (Wrong, TooMany):
        raise InvalidWorkflow(scope.problems) from None
    if scope.problems:
        raise InvalidWorkflow(scope.problems)
    return structs.replace(definition, expressions=tuple(expression for expression, _ in scope.expressions))


def _is_loose(document: Any) -> bool:
    evaluate = document.get("evaluate") if isinstance(document, dict) else None
    return isinstance(evaluate, dict) and evaluate.get("mode") == "loose"


def _only(node: Node, what: str) -> tuple[str, Node]:
    """The name and the value of an object that has one key."""
    if len(read_object(node)) != 1:
        node.refuse(f"one {what}: an object with its name as the only key")
    name = next(iter(node.value))
    if not isinstance(name, str):
        node.refuse("a name that is a text", hint="quote it")
    return name, node.child(name)


_KINDS: dict[str, type[Task]] = {
    "do": tasks.DoTask,
    "emit": tasks.EmitTask,
    "for": tasks.ForTask,
    "fork": tasks.ForkTask,
    "listen": tasks.ListenTask,
    "raise": tasks.RaiseTask,
    "run": tasks.RunTask,
    "set": tasks.SetTask,
    "switch": tasks.SwitchTask,
    "try": tasks.TryTask,
    "wait": tasks.WaitTask,
}
_CALLS: dict[str, type[Task]] = {
    "http": calls.CallHttp,
    "openapi": calls.CallOpenApi,
    "asyncapi": calls.CallAsyncApi,
}


def _read_task(name: str, node: Node) -> Task:
    kind = _kind(node)
    return read_part(kind, node, name=name, pointer=node.pointer, definition=node.value)


def _kind(node: Node) -> type[Task]:
    """Which task this is, by the key that only one kind has (``for`` has a ``do`` too)."""
    keys = [key for key in ("call", *_KINDS) if key in read_object(node)]
    if "for" in keys and "do" in keys:
        keys.remove("do")
    if len(keys) != 1:
        found = " and ".join(keys) + " in one task" if keys else None
        others = [key for key in node.value if isinstance(key, str)]
        hint = "" if keys else next(filter(None, (near(key, ["call", *_KINDS]) for key in others)), "")
        node.refuse(f"a task with one of call, {', '.join(_KINDS)}", found=found, hint=hint)
    if keys[0] != "call":
        return _KINDS[keys[0]]
    call = read_string(node.child("call"))
    unsupported.refuse_call(node.child("call"))
    return _CALLS.get(call, calls.CallFunction)


def _read_tasks(node: Node) -> list[Task]:
    return read_list(node, lambda item: _read_task(*_only(item, "task")))


def _read_functions(node: Node) -> dict[str, Task]:
    named = {child.pointer: name for name in read_object(node) for child in (node.child(name),)}
    made = read_all([node.child(name) for name in named.values()], lambda task: _read_task(named[task.pointer], task))
    return {task.name: task for task in made}


def _read_cases(node: Node) -> list[tasks.Case]:
    def read(item: Node) -> tasks.Case:
        name, case = _only(item, "case")
        return read_part(tasks.Case, case, name=name)

    return read_list(node, read) if node.value != [] else node.refuse("at least one case")


def _read_run(node: Node) -> tasks.Run:
    processes = [process for process in ("workflow", *unsupported.RUNS) if process in read_object(node)]
    if len(processes) != 1:
        node.refuse(f"exactly one of workflow, {', '.join(unsupported.RUNS)}")
    if processes[0] in unsupported.RUNS:
        unsupported.refuse_run(node, processes[0])
    return read_part(tasks.Run, node)


def _read_use(node: Node) -> Use:
    read_object(node)
    return read_part(Use, unsupported.note_uses(node))


register(list[Task], _read_tasks)
register(dict[str, Task], _read_functions)
register(list[tasks.Case], _read_cases)
register(tasks.Run, _read_run)
register(Use, _read_use)
