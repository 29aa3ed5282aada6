"""The phrases by which a kit says what it expects of a run."""

import re
from typing import Any

import msgspec

from services.contracts.workflow import load_yaml
from services.contracts.workflow.errors import same_type
from tests.workflow.ctk.phrases import NAME, NAMES, TASK, Failed, World, equal, has, same, step

_STATUS = {"complete": "completed", "succeed": "completed", "fault": "faulted", "fail": "faulted"}


def _status_of(verb: str) -> str:
    last = verb.lower().split()[-1]
    return _STATUS.get(last, last if last.endswith("ed") else "cancelled")


@step(
    r"the workflow should (complete|fault|cancel|succeed|fail|(?:be|have|have been) (?:completed|faulted|cancelled))"
    r"(?: successfully)?"
)
def _status(world: World, verb: str) -> None:
    equal(world.outcome.status, _status_of(verb), f"status (error {world.outcome.error})")


@step(r"the workflow should (?:complete|succeed) with (?:the )?(?:following )?output:")
@step(r"the workflow(?:'s)? output should (?:be|equal):")
def _output(world: World, block: str) -> None:
    _status(world, "complete")
    equal(world.outcome.output, load_yaml(block), "output")


def _check_error(error: dict[str, Any] | None, block: str) -> None:
    found = error or {}
    for key, expected in load_yaml(block).items():
        if key == "type" and same_type(str(found.get(key)), str(expected)):
            continue  # the specification and its kit write the standard types differently
        equal(found.get(key), expected, f"the error's {key} (of {found})")


@step(r"the workflow should (?:fault|fail) with (?:the |an )?(?:following )?error:")
@step(r"the workflow(?:'s)? error should (?:be|equal):")
def _error(world: World, block: str) -> None:
    _status(world, "fault")
    _check_error(world.outcome.error, block)


def _names(text: str) -> list[str]:
    """Quoted names; without quotes, words."""
    quoted = re.findall(r"['\"]([^'\"]+)['\"]", text)
    return quoted or [word for word in re.split(r"[\s,]+", text) if word and word != "and"]


def _property(world: World, path: str) -> Any:
    """What is at a path such as ``pets.0.name`` or ``pets[0].name``."""
    value = world.outcome.output
    if isinstance(value, dict) and path in value:
        return value[path]
    for name in filter(None, path.removeprefix("$").replace("[", ".").replace("]", "").split(".")):
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            raise Failed(f"output has no {path}: {msgspec.json.encode(world.outcome.output).decode()}")
    return value


@step(rf"the workflow(?:'s)? output should have (?:the )?(?:an? )?(?:property|properties) {NAMES}")
@step(rf"the workflow(?:'s)? output should have an? {NAMES} property")
def _properties(world: World, names: str) -> None:
    for name in _names(names):
        _property(world, name)


@step(rf"the workflow(?:'s)? output should not have (?:the )?(?:an? )?(?:property|properties) {NAMES}")
@step(rf"the workflow(?:'s)? output should not have an? {NAMES} property")
def _no_properties(world: World, names: str) -> None:
    for name in _names(names):
        try:
            _property(world, name)
        except Failed:
            continue
        raise Failed(f"output has {name}: {msgspec.json.encode(world.outcome.output).decode()}")


@step(rf"the workflow(?:'s)? output should have an? {NAME} property with (?:the )?(?:following )?value:")
@step(rf"the workflow(?:'s)? output should have (?:the )?(?:property )?{NAME} with (?:the )?value:")
def _property_value(world: World, name: str, block: str) -> None:
    equal(_property(world, name), load_yaml(block), name)


@step(rf"the workflow(?:'s)? output should have an? {NAME} property with (?:the )?value ['\"]?(.*?)['\"]?")
def _property_inline(world: World, name: str, value: str) -> None:
    found = _property(world, name)
    if not same(found, value):
        equal(found, load_yaml(value), name)


@step(rf"the workflow(?:'s)? output should have an? {NAME} property (?:containing|with) (\d+) items?")
def _property_items(world: World, name: str, count: str) -> None:
    _count(_property(world, name), count, name)


@step(r"the workflow(?:'s)? output should (?:contain|have) (\d+) items?")
def _items(world: World, count: str) -> None:
    _count(world.outcome.output, count, "output")


def _count(value: Any, count: str, what: str) -> None:
    if not isinstance(value, list | dict):
        raise Failed(f"{what} has no items: {value!r}")
    equal(len(value), int(count), f"the number of items of {what}")


_PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1}


@step(rf"{TASK} should (?:run|be run|be executed|execute) (first|second|third|fourth|fifth|last)")
def _place(world: World, name: str, place: str) -> None:
    tasks = world.outcome.tasks
    index = _PLACES[place.lower()]
    if index >= len(tasks) or not tasks:
        raise Failed(f"only {len(tasks)} tasks ran")
    equal(tasks[index], name, f"the {place} task")


@step(rf"{TASK} should (?:run|be run|be executed|execute) (before|after) {TASK}")
def _order(world: World, name: str, relation: str, other: str) -> None:
    tasks = world.outcome.tasks
    for each in (name, other):
        if each not in tasks:
            raise Failed(f"{each} did not run; {', '.join(tasks)} did")
    if (tasks.index(name) < tasks.index(other)) != (relation.lower() == "before"):
        raise Failed(f"{name} did not run {relation} {other}: {', '.join(tasks)}")


@step(rf"{TASK} should (not |never )?(?:run|be run|be executed|execute|have run)(?: (once|twice|\d+ times?))?")
def _ran(world: World, name: str, never: str | None, times: str | None) -> None:
    count = world.outcome.tasks.count(name)
    words = (times or "1 time").split()
    expected = {"once": 1, "twice": 2}.get(words[0]) or int(words[0])
    if (never and count) or (not never and not count) or (times and count != expected):
        raise Failed(f"{name} ran {count} times; {', '.join(world.outcome.tasks)} did")


@step(rf"{TASK} should (complete|fault|cancel|fail|succeed|be (?:completed|faulted|cancelled|skipped))")
def _task_status(world: World, name: str, verb: str) -> None:
    result = world.result(name)
    equal(result.status, _status_of(verb), f"status of {name} (error {result.error})")


@step(rf"{TASK} should (?:complete|succeed) with (?:the )?output:")
def _task_output(world: World, name: str, block: str) -> None:
    _task_status(world, name, "complete")
    equal(world.result(name).output, load_yaml(block), f"output of {name}")


@step(rf"{TASK} should (?:fault|fail) with (?:the |an )?error:")
def _task_error(world: World, name: str, block: str) -> None:
    _task_status(world, name, "fault")
    _check_error(world.result(name).error, block)


@step(r"the workflow should (?:be (?:refused|invalid|rejected))(?: at (\S+))?")
def _refused(world: World, pointer: str | None) -> None:
    if world.refused is None:
        raise Failed(f"the workflow was taken, and its status is {world.outcome.status}")
    pointers = [problem.pointer for problem in world.refused.problems]
    if pointer is not None and pointer not in pointers:
        raise Failed(f"it was refused at {', '.join(pointers)}: {world.refused}")


@step(r"the lifecycle events should (be|include):")
def _lifecycle(world: World, how: str, block: str) -> None:
    found, expected = world.outcome.lifecycle, load_yaml(block)
    if how.lower() == "be":
        equal(found, expected, "the list of lifecycle events")
        return
    rest = iter(found)
    for kind in expected:
        if kind not in rest:
            raise Failed(f"no {kind} in this place: {', '.join(found)}")


@step(r"the emitted events should be:")
def _emitted(world: World, block: str) -> None:
    found, expected = world.outcome.emitted, load_yaml(block)
    equal(len(found), len(expected), f"the number of emitted events ({found})")
    for index, event in enumerate(expected):
        has(found[index], event, f"emitted event {index}")


@step(r"the workflow(?:'s)? output should (?:match|include):")
def _output_includes(world: World, block: str) -> None:
    _status(world, "complete")
    has(world.outcome.output, load_yaml(block), "output")


@step(r"the workflow should take (?:about |at least )?(\d+(?:\.\d+)?) seconds?")
def _takes(world: World, seconds: str) -> None:
    if not float(seconds) <= world.outcome.seconds < float(seconds) + 1:
        raise Failed(f"it took {world.outcome.seconds:g} s")
