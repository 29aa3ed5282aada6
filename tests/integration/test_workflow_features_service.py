"""The kit's scenarios and this project's own, as far as they take no time, through the real service."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.workflows import OPENWORKFLOW
from tests.workflow.ctk.gherkin import Scenario, read
from tests.workflow.ctk.run import run_scenario
from tests.workflow.ctk.service import ServiceDriver, service_driver
from tests.workflow.stubs import stubs

OWN = Path(__file__).parents[1] / "workflow" / "features"
_SLOW = re.compile(r"PT\d+[HM]|PT[2-9]S|PT\d\d+S|seconds: [2-9]|seconds: \d\d|(?:minutes|hours|days):|flaky/")
"""Time that the in-memory driver need not wait for, and a real service must."""


def quick(scenario: Scenario) -> bool:
    texts = [f"{step.text} {step.block or ''}" for step in scenario.steps]
    return not any(_SLOW.search(text) or "cancelled after" in text for text in texts)


def scenarios(directory: Path) -> list[tuple[str, Scenario]]:
    found = [(path.name, each) for path in sorted(directory.glob("*.feature")) for each in read(path)]
    return [(name, each) for name, each in found if quick(each)]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceDriver]:
    with service_driver(tmp_path_factory.mktemp("features")) as made:
        yield made


def failures(directory: Path, driver: ServiceDriver) -> list[str]:
    with stubs() as hosts:
        results = [(name, each, run_scenario(each, driver, hosts)) for name, each in scenarios(directory)]
    return [f"{name}:{each.line} {each.name}: {failure}" for name, each, failure in results if failure]


@pytest.mark.skipif(not OPENWORKFLOW.is_dir(), reason="the conformance kit is not beside the checkout")
def test_the_kits_scenarios_pass(driver: ServiceDriver) -> None:
    assert len(scenarios(OPENWORKFLOW / "ctk")) >= 8
    assert failures(OPENWORKFLOW / "ctk", driver) == []


def test_our_own_scenarios_pass(driver: ServiceDriver) -> None:
    assert len(scenarios(OWN)) > 150
    assert failures(OWN, driver) == []
