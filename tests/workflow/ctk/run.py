"""Runs scenarios of feature files and says how each went."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from services.contracts.workflow import InvalidWorkflow
from tests.workflow.ctk import errors, expectations, steps, tasks
from tests.workflow.ctk.driver import Driver
from tests.workflow.ctk.gherkin import Scenario, read
from tests.workflow.ctk.phrases import Failed, World, carry_out

_KNOWN = (steps, expectations, tasks, errors)
"""Imported for the phrases that they enter."""


class Result(msgspec.Struct):
    """A scenario's result; ``failure`` is empty when it passed."""

    place: str
    name: str
    failure: str = ""

    def __str__(self) -> str:
        return f"{'FAIL' if self.failure else 'ok  '} {self.place} {self.name}" + (
            f": {self.failure}" if self.failure else ""
        )


def run_directory(directory: Path, driver: Driver, hosts: dict[str, str]) -> Iterator[Result]:
    """Every scenario of every feature file in a directory and below. Raises WrongFeature."""
    for path in sorted(directory.rglob("*.feature")):
        for scenario in read(path):
            place = f"{path.relative_to(directory)}:{scenario.line}"
            yield Result(place, scenario.name, run_scenario(scenario, driver, hosts))


def run_scenario(scenario: Scenario, driver: Driver, hosts: dict[str, str]) -> str:
    """Why a scenario fails; empty when it passes. A workflow that is given is executed, asked for or not."""
    world = World(driver, hosts)
    for step in scenario.steps:
        try:
            carry_out(world, step.text, step.block)
        except (Failed, InvalidWorkflow, ValueError) as error:
            return f"{step.text} {error}"
    return ""
