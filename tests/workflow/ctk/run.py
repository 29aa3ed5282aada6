"""Runs scenarios of feature files and says how each went."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from services.contracts.workflow import InvalidWorkflow
from tests.workflow.ctk import errors, expectations, steps, tasks
from tests.workflow.ctk.driver import Driver
from tests.workflow.ctk.gherkin import Scenario, WrongFeature, read
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
            f": {' '.join(self.failure.split())}" if self.failure else ""
        )


def run_directory(directory: Path, driver: Driver, hosts: dict[str, str]) -> Iterator[Result]:
    """Every scenario of every feature file in a directory and below, or of one file. A file that can't be read is a
    scenario that fails."""
    base = directory.parent if directory.is_file() else directory
    for path in [directory] if directory.is_file() else sorted(directory.rglob("*.feature")):
        try:
            scenarios = read(path)
        except (WrongFeature, UnicodeDecodeError) as error:
            yield Result(str(path.relative_to(base)), "is no feature file", str(error))
            continue
        for scenario in scenarios:
            place = f"{path.relative_to(base)}:{scenario.line}"
            yield Result(place, scenario.name, run_scenario(scenario, driver, hosts))


def run_scenario(scenario: Scenario, driver: Driver, hosts: dict[str, str]) -> str:
    """Why a scenario fails; empty when it passes. A workflow that is given is executed, asked for or not."""
    world = World(driver, hosts)
    for step in scenario.steps:
        try:
            carry_out(world, step.text, step.block)
        except (Failed, InvalidWorkflow, ValueError) as error:
            return f"{step.text} {error}"
        except Exception as error:  # a defect of ours, or of a step: the other scenarios run all the same
            return f"{step.text} {type(error).__name__}: {error}"
    return ""
