"""What a document of the right shape must keep besides: names that exist, once each, and tasks that can be reached."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from services.contracts.names import InvalidName, check_label, is_label, parse_ref
from services.contracts.workflow import elsewhere, secrets
from services.contracts.workflow.calls import CallFunction
from services.contracts.workflow.model import Definition
from services.contracts.workflow.node import Node, Scope, near
from services.contracts.workflow.problems import describe, escape, listed
from services.contracts.workflow.task import Task
from services.contracts.workflow.tasks import ForTask, RunTask, SwitchTask, TryTask
from services.contracts.workflow.unsupported import CALLS
from services.contracts.workflow.walk import foreach_of, task_lists, walk

DIRECTIVES = ("continue", "exit", "end")
BUILT_IN = ("http", "openapi", "asyncapi", *CALLS)


def check(definition: Definition, scope: Scope) -> None:
    """Notes every broken rule in ``scope``."""
    _check_references(definition, scope)
    _check_schedule(definition, scope)
    _check_list(definition.do, scope)
    for function in definition.use.functions.values():
        _check_alone(function, scope)
    for task in walk(definition):
        _check_task(task, scope)
        for tasks, in_sequence in task_lists(task):
            if in_sequence:
                _check_list(tasks, scope)
            else:
                _check_branches(tasks, scope)
    _check_calls(definition, scope)
    _check_recursion(definition, scope)
    secrets.check(definition, scope)
    elsewhere.check(definition, scope)


def _note(scope: Scope, pointer: str, found: str, expected: str, hint: str = "") -> None:
    Node(None, pointer, scope).note(expected, found=found, hint=hint, kind="rule")


def _check_references(definition: Definition, scope: Scope) -> None:
    for group, name, pointer in scope.references:
        known = list(getattr(definition.use, group))
        if name not in known:
            expected = f"a name in use.{group}" + (f": {listed(known)}" if known else ", which has none")
            _note(scope, pointer, describe(name), expected, near(name, known))


def _check_schedule(definition: Definition, scope: Scope) -> None:
    schedule = definition.schedule
    if schedule is None:
        return
    if all(trigger is None for trigger in (schedule.every, schedule.cron, schedule.after, schedule.on)):
        _note(scope, "/schedule", "none of them", "at least one of every, cron, after, on")
    if schedule.on is None and "read" in definition.source["schedule"]:
        _note(scope, "/schedule/read", "read without on", "on beside it")
    for name, seconds in (("every", schedule.every), ("after", schedule.after)):
        if seconds is not None and not isinstance(seconds, int | float):
            _note(scope, f"/schedule/{name}", "an expression", "a constant duration: there is no data before a run")
        elif seconds is not None and seconds < 1:
            _note(scope, f"/schedule/{name}", f"{seconds:g} s", "at least 1 s")


def _check_list(tasks: list[Task], scope: Scope) -> None:
    """Tasks in sequence: unique names, and each directive's target among them."""
    _check_names(tasks, scope)
    targets = dict.fromkeys([*DIRECTIVES, *(task.name for task in tasks)])
    for task in tasks:
        for pointer, directive in _directives(task):
            if directive not in targets:
                hint = near(directive, list(targets)) or "a task can only be followed by one of its own list"
                _note(scope, pointer, describe(directive), f"one of {listed(targets)}", hint)


def _check_branches(tasks: list[Task], scope: Scope) -> None:
    _check_names(tasks, scope)
    for task in tasks:
        _check_alone(task, scope)


def _check_alone(task: Task, scope: Scope) -> None:
    """A task that nothing follows: a branch, a function."""
    for pointer, directive in _directives(task):
        if directive not in DIRECTIVES:
            _note(scope, pointer, describe(directive), f"one of {', '.join(DIRECTIVES)}: no task follows this one")


def _check_names(tasks: list[Task], scope: Scope) -> None:
    seen: dict[str, str] = {}
    for task in tasks:
        if task.name in seen:
            _note(scope, task.pointer, describe(task.name), "a name of its own", f"{seen[task.name]} has it")
        if task.name in DIRECTIVES or not task.name.strip():
            _note(scope, task.pointer, describe(task.name), "a name that is no directive and not empty")
        seen.setdefault(task.name, task.pointer)


def _directives(task: Task) -> Iterator[tuple[str, str]]:
    """Each directive that decides what follows a task, with its place."""
    if task.then is not None:
        yield f"{task.pointer}/then", task.then
    if isinstance(task, SwitchTask):
        for index, case in enumerate(task.switch):
            yield f"{task.pointer}/switch/{index}/{escape(case.name)}/then", case.then
    if isinstance(task, TryTask) and task.catch.then is not None:
        yield f"{task.pointer}/catch/then", task.catch.then


def _check_task(task: Task, scope: Scope) -> None:
    if isinstance(task, SwitchTask):
        defaults = [case.name for case in task.switch if case.when is None]
        if len(defaults) > 1:
            _note(scope, f"{task.pointer}/switch", f"{', '.join(defaults)} without when", "at most one default case")
    elif isinstance(task, ForTask) and task.for_.each == task.for_.at:
        _note(scope, f"{task.pointer}/for/at", describe(task.for_.at), "another variable than each")
    elif isinstance(task, RunTask):
        for field in ("namespace", "name"):
            text = getattr(task.run.workflow, field)
            if not is_label(text):
                _note(scope, f"{task.pointer}/run/workflow/{field}", describe(text), "the name of a resource")
    foreach, place = foreach_of(task)
    if foreach is not None and foreach.item == foreach.at:
        _note(scope, f"{place}/at", describe(foreach.at), "another variable than item")


def _check_calls(definition: Definition, scope: Scope) -> None:
    """Each call names a function that there can be."""
    own = definition.use.functions
    for name, function in own.items():
        if name in BUILT_IN:
            _note(scope, function.pointer, name, "a name that is no kind of call: call means the kind by it")
    for task in walk(definition):
        if not isinstance(task, CallFunction) or task.call in own:
            continue
        try:
            parse_ref(task.call) if "/" in task.call else check_label(task.call)
        except InvalidName as error:
            hint = near(task.call, list(own)) or str(error)
            _note(scope, f"{task.pointer}/call", describe(task.call), "a Function's name or namespace/name", hint)


def _check_recursion(definition: Definition, scope: Scope) -> None:
    """No function of ``use`` ends in calling itself; one such circle is told."""
    own = definition.use.functions
    called = {
        name: {task.call for task in walk(function) if isinstance(task, CallFunction) and task.call in own}
        for name, function in own.items()
    }
    try:
        TopologicalSorter(called).prepare()
    except CycleError as error:
        hint = "the platform's Function of that name is namespace/name"
        for name in sorted(set(error.args[1])):
            _note(scope, own[name].pointer, f"{name}, which calls itself", "a function that ends", hint)
