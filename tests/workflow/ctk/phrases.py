"""What the steps of a scenario share, and which function carries out which phrase."""

import re
from collections.abc import Callable
from inspect import signature
from typing import Any

import msgspec

from services.contracts.workflow import InvalidWorkflow
from services.workflow.engine.errors import standard
from tests.workflow.ctk.driver import Case, Driver, Outcome, TaskResult


class Failed(AssertionError):
    """A scenario's expectation that does not hold."""


class World:
    """What the steps of one scenario share."""

    def __init__(self, driver: Driver, hosts: dict[str, str]) -> None:
        self.driver = driver
        self.case = Case(definition="", input={}, hosts=hosts)
        self.ran: Outcome | None = None
        self.refused: InvalidWorkflow | None = None

    def execute(self) -> None:
        """Runs the workflow; a definition that is refused is an outcome too, for the step that asks for it."""
        try:
            self.ran = self.driver.run(self.case)
        except InvalidWorkflow as error:
            self.refused = error

    @property
    def outcome(self) -> Outcome:
        """The run's outcome; it is executed now when no step has said so. A definition that breaks a rule of the
        language counts as one that faults: elsewhere it would, once it came to that. Raises Failed, InvalidWorkflow."""
        if self.ran is None and self.refused is None:
            if not self.case.definition:
                raise Failed("there is no workflow")
            self.execute()
        if self.refused is not None:
            if any(problem.kind != "rule" for problem in self.refused.problems):
                raise self.refused
            return Outcome("faulted", error=standard("configuration", str(self.refused)).error)
        assert self.ran is not None
        return self.ran

    def result(self, name: str) -> TaskResult:
        """How a task ended. Raises Failed when it did not."""
        found = self.outcome.results.get(name)
        if found is None:
            raise Failed(f"{name} did not end; {', '.join(self.outcome.results) or 'no task'} did")
        return found


StepFunction = Callable[..., None]
_STEPS: list[tuple[re.Pattern[str], StepFunction]] = []
NAMES = r"((?:(?:['\"][^'\"]+['\"]|[\w.\[\]$]+)(?:\s*,\s*|\s+and\s+)?)+)"
NAME = r"['\"]([^'\"]+)['\"]"
TASK = r"(?:the )?(?:task )?['\"]?([^\s'\"]+)['\"]?(?: task)?"
_STATUS = {"complete": "completed", "succeed": "completed", "fault": "faulted", "fail": "faulted"}


def status_of(verb: str) -> str:
    """The status that a phrase such as ``complete successfully`` means."""
    last = verb.lower().removesuffix(" successfully").split()[-1]
    return _STATUS.get(last, last if last.endswith("ed") else "cancelled")


def names_of(text: str) -> list[str]:
    """Quoted names; without quotes, words."""
    quoted = re.findall(r"['\"]([^'\"]+)['\"]", text)
    return quoted or [word for word in re.split(r"[\s,]+", text) if word and word != "and"]


def step(phrase: str) -> Callable[[StepFunction], StepFunction]:
    """Has a function carry out the steps of a phrase: a regular expression, whose groups it is given."""

    def enter(function: StepFunction) -> StepFunction:
        _STEPS.append((re.compile(phrase, re.IGNORECASE), function))
        return function

    return enter


def carry_out(world: World, text: str, block: str | None) -> None:
    """One step. Raises Failed, also for a phrase that is not known, with or without a block below it."""
    for pattern, function in _STEPS:
        found = pattern.fullmatch(text)
        if found is not None and (block is not None) == ("block" in signature(function).parameters):
            function(world, *found.groups(), **({} if block is None else {"block": block}))
            return
    raise Failed(f"unknown step: {text}")


def same(found: Any, expected: Any) -> bool:
    """Whether two JSON values are equal; true and 1 are not."""
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in found)
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return bool(found == expected)


def equal(found: Any, expected: Any, what: str) -> None:
    """Raises Failed when two values differ."""
    if not same(found, expected):
        shown = msgspec.json.encode(found).decode()
        raise Failed(f"{what} is {shown}, not {msgspec.json.encode(expected).decode()}")


def has(found: Any, expected: Any, what: str) -> None:
    """Like ``equal``, but objects may have more fields."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key, value in expected.items():
            if key not in found:
                raise Failed(f"{what} has no {key}: {msgspec.json.encode(found).decode()}")
            has(found[key], value, f"{what}.{key}")
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for index, value in enumerate(expected):
            has(found[index], value, f"{what}.{index}")
    else:
        equal(found, expected, what)
