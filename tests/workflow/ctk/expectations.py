"""The phrases by which a kit says what it expects of a run."""

import re
from typing import Any

import msgspec

from services.contracts.workflow import load_yaml
from services.contracts.workflow.errors import same_type
from tests.workflow.ctk.phrases import NAME, NAMES, Failed, World, equal, has, names_of, same, status_of, step

_COMPLETE = r"(?:complete|succeed|(?:be|have|have been) completed)(?: successfully)?"
_FAULT = r"(?:fault|fail|(?:be|have|have been) faulted)"
_THE = r"(?:the |an? )?(?:following )?"


@step(rf"the workflow should (not )?({_COMPLETE}|{_FAULT}|cancel|(?:be|have|have been) cancelled)")
def _status(world: World, never: str | None, verb: str) -> None:
    status = world.outcome.status
    if never and status == status_of(verb):
        raise Failed(f"its status is {status}")
    if not never:
        equal(status, status_of(verb), f"status (error {world.outcome.error})")


@step(rf"the workflow should {_COMPLETE} with {_THE}output:?")
@step(r"the (?:workflow(?:'s)? )?output (?:should (?:be|equal)|is):?")
def _output(world: World, block: str) -> None:
    equal(world.outcome.status, "completed", f"status (error {world.outcome.error})")
    equal(world.outcome.output, load_yaml(block), "output")


@step(rf"the workflow should {_COMPLETE} with {_THE}output ([^:]+)")
@step(r"the (?:workflow(?:'s)? )?output should (?:be|equal) (.+)")
def _output_inline(world: World, value: str) -> None:
    empty = value == "empty" and world.outcome.output in (None, {}, [], "")
    if not empty:
        _output(world, value)


def check_error(error: dict[str, Any] | None, expected: dict[str, Any]) -> None:
    """Whether an error has these values. Raises Failed."""
    found = error or {}
    for key, value in expected.items():
        if key == "type" and same_type(str(found.get(key)), str(value)):
            continue  # the specification and its kit write the standard types differently
        equal(found.get(key), value, f"the error's {key} (of {found})")


@step(rf"the workflow should {_FAULT} with {_THE}error:?")
@step(r"the workflow should raise (?:the |an? )?(?:following )?error:?")
@step(r"the workflow(?:'s)? error should (?:be|equal|match|include):?")
def _error(world: World, block: str) -> None:
    equal(world.outcome.status, "faulted", "status")
    check_error(world.outcome.error, load_yaml(block))


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


@step(r"the workflow(?:'s)? output should have (?:the )?(?:following )?properties:?")
def _properties_listed(world: World, block: str) -> None:
    cells = re.split(r"[|\n]", block) if block.startswith("|") else load_yaml(block)  # a table, or a list
    for name in filter(None, map(str.strip, map(str, cells))):
        _property(world, name)


@step(rf"the workflow(?:'s)? output should have (?:the )?(?:an? )?(?:property|properties) {NAMES}")
@step(rf"the workflow(?:'s)? output should have an? {NAMES} property")
def _properties(world: World, names: str) -> None:
    for name in names_of(names):
        _property(world, name)


@step(rf"the workflow(?:'s)? output should not have (?:the )?(?:an? )?(?:property|properties) {NAMES}")
@step(rf"the workflow(?:'s)? output should not have an? {NAMES} property")
def _no_properties(world: World, names: str) -> None:
    for name in names_of(names):
        try:
            _property(world, name)
        except Failed:
            continue
        raise Failed(f"output has {name}: {msgspec.json.encode(world.outcome.output).decode()}")


@step(rf"the workflow(?:'s)? output should have an? {NAME} property (?:with|equal to)(?: {_THE}value)?:?")
@step(rf"the workflow(?:'s)? output should have (?:the |an? )?(?:property )?{NAME} with {_THE}value:?")
@step(rf"the workflow(?:'s)? output(?:'s)? {NAME} property should (?:be|equal):?")
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


@step(r"the workflow(?:'s)? output should (?:match|include|contain):?")
def _output_includes(world: World, block: str) -> None:
    equal(world.outcome.status, "completed", f"status (error {world.outcome.error})")
    has(world.outcome.output, load_yaml(block), "output")


@step(r"the workflow should take (?:about |at least )?(\d+(?:\.\d+)?) seconds?")
def _takes(world: World, seconds: str) -> None:
    if not float(seconds) <= world.outcome.seconds < float(seconds) + 1:
        raise Failed(f"it took {world.outcome.seconds:g} s")
