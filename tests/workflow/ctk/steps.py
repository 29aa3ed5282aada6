"""The phrases of the conformance kit."""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from services.contracts.workflow import load_yaml
from services.contracts.workflow.errors import same_type
from tests.workflow.ctk.driver import Driver, Outcome


class Failed(AssertionError):
    """A scenario's expectation that does not hold."""


class World(msgspec.Struct):
    """What the steps of one scenario share."""

    driver: Driver
    hosts: dict[str, str]
    definition: str = ""
    input: Any = msgspec.field(default_factory=dict)
    ran: Outcome | None = None

    @property
    def outcome(self) -> Outcome:
        """The run's outcome. Raises Failed before there is one."""
        if self.ran is None:
            raise Failed("nothing was executed")
        return self.ran


StepFunction = Callable[..., None]
_STEPS: list[tuple[re.Pattern[str], StepFunction]] = []


def _step(phrase: str) -> Callable[[StepFunction], StepFunction]:
    def enter(function: StepFunction) -> StepFunction:
        _STEPS.append((re.compile(phrase, re.IGNORECASE), function))
        return function

    return enter


def carry_out(world: World, text: str, block: str | None) -> None:
    """One step. Raises Failed, also for a phrase that is not known."""
    for pattern, function in _STEPS:
        found = pattern.fullmatch(text)
        if found is not None:
            function(world, *found.groups(), **({} if block is None else {"block": block}))
            return
    raise Failed(f"unknown step: {text}")


def _equal(found: Any, expected: Any, what: str) -> None:
    if found != expected:
        shown = msgspec.json.encode(found).decode()
        raise Failed(f"{what} is {shown}, not {msgspec.json.encode(expected).decode()}")


@_step(r"a workflow with definition:")
def _definition(world: World, block: str) -> None:
    world.definition = block


@_step(r"(?:given )?the workflow input is:")
def _input(world: World, block: str) -> None:
    world.input = load_yaml(block)


@_step(r"the workflow is executed")
def _execute(world: World) -> None:
    world.ran = world.driver.run(world.definition, world.input, world.hosts)


@_step(r"the workflow should (complete|fault|cancel|be cancelled)")
def _status(world: World, verb: str) -> None:
    expected = {"complete": "completed", "fault": "faulted"}.get(verb.lower(), "cancelled")
    _equal(world.outcome.status, expected, f"status (error {world.outcome.error})")


@_step(r"the workflow should complete with output:")
def _output(world: World, block: str) -> None:
    _status(world, "complete")
    _equal(world.outcome.output, load_yaml(block), "output")


@_step(r"the workflow should fault with error:")
def _error(world: World, block: str) -> None:
    _status(world, "fault")
    error = world.outcome.error or {}
    for key, expected in load_yaml(block).items():
        if key == "type" and same_type(str(error.get(key)), str(expected)):
            continue  # the specification and its kit write the standard types differently
        _equal(error.get(key), expected, f"the error's {key}")


def _property(world: World, path: str) -> Any:
    value = world.outcome.output
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            raise Failed(f"output has no {path}: {msgspec.json.encode(world.outcome.output).decode()}")
        value = value[name]
    return value


@_step(r"the workflow output should have properties ((?:'[^']+'(?:,\s*)?)+)")
def _properties(world: World, names: str) -> None:
    for name in re.findall(r"'([^']+)'", names):
        _property(world, name)


@_step(r"the workflow output should have an? '([^']+)' property with value:")
def _property_value(world: World, name: str, block: str) -> None:
    _equal(_property(world, name), load_yaml(block), name)


@_step(r"the workflow output should have an? '([^']+)' property containing (\d+) items?")
def _property_items(world: World, name: str, count: str) -> None:
    value = _property(world, name)
    if not isinstance(value, list | dict):
        raise Failed(f"{name} has no items: {value!r}")
    _equal(len(value), int(count), f"the number of items of {name}")


_PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1}


@_step(r"(\S+) should run (first|second|third|fourth|fifth|last)")
def _place(world: World, name: str, place: str) -> None:
    tasks = world.outcome.tasks
    index = _PLACES[place.lower()]
    if index >= len(tasks) or not tasks:
        raise Failed(f"only {len(tasks)} tasks ran")
    _equal(tasks[index], name, f"the {place} task")


@_step(r"(\S+) should run (before|after) (\S+)")
def _order(world: World, name: str, relation: str, other: str) -> None:
    tasks = world.outcome.tasks
    for each in (name, other):
        if each not in tasks:
            raise Failed(f"{each} did not run; {', '.join(tasks)} did")
    if (tasks.index(name) < tasks.index(other)) != (relation.lower() == "before"):
        raise Failed(f"{name} did not run {relation} {other}: {', '.join(tasks)}")
