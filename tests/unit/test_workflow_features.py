"""This project's own feature files, beside those of the specification's conformance kit, by the in-memory driver."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.ctk.gherkin import WrongFeature, read
from tests.workflow.ctk.memory import MemoryDriver
from tests.workflow.ctk.run import Result, run_scenario
from tests.workflow.stubs import stubs

FEATURES = Path(__file__).parents[1] / "workflow" / "features"
FILES = sorted(FEATURES.glob("*.feature"))


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, str]]:
    with stubs() as made:
        yield made


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_scenario_passes(path: Path, hosts: dict[str, str]) -> None:
    scenarios = read(path)
    assert scenarios
    failures = [
        str(Result(f"{path.name}:{scenario.line}", scenario.name, failure))
        for scenario in scenarios
        if (failure := run_scenario(scenario, MemoryDriver(), hosts))
    ]
    assert failures == []


def test_there_are_more_than_a_hundred_and_names_are_told_apart() -> None:
    names = [(path.name, scenario.name) for path in FILES for scenario in read(path)]
    assert len(names) > 200
    assert len(set(names)) == len(names)


OUTLINE = """
Feature: outlines
  Some words: and a colon.

  Background:
    Given a workflow with definition:
    ```yaml
    document: { dsl: '1.0.3', namespace: default, name: x, version: '1.0.0' }
    do: [ { add: { set: { sum: '${ .a + .b }' } } } ]
    ```

  @tagged
  Scenario Outline: <a> and <b>
    Given the workflow input is:
    \"\"\"
    a: <a>
    b: <b>
    \"\"\"
    When the workflow is executed
    Then the workflow output should have a 'sum' property with value <sum>
    * add should complete with output:
      \"\"\"
      sum: <sum>
      \"\"\"
    But task "add" should run once
    And the workflow output should have properties sum
    And the workflow output should have properties '$.sum' and "sum"
    And the workflow output should not have a '[0].sum' property

    Examples: small ones
      | a | b | sum |
      | 1 | 2 | 3   |
      | 2 | 2 | 5   |

    Examples:
      | b  | a  | sum |
      | 10 | 20 | 30  |
"""


def test_outlines_have_a_scenario_for_each_example(tmp_path: Path, hosts: dict[str, str]) -> None:
    file = tmp_path / "x.feature"
    file.write_text(OUTLINE)
    results = {scenario.name: run_scenario(scenario, MemoryDriver(), hosts) for scenario in read(file)}
    assert list(results) == ["1 and 2", "2 and 2", "20 and 10"]
    assert results["1 and 2"] == results["20 and 10"] == ""
    assert results["2 and 2"].endswith("sum is 4, not 5")


def test_a_block_keeps_its_own_fence_when_that_is_escaped(tmp_path: Path) -> None:
    file = tmp_path / "x.feature"
    file.write_text('Scenario: x\n  Given a text:\n    """yaml\n    a: \\"\\"\\"\n      b\n    """\n')
    assert read(file)[0].steps[0].block == 'a: """\n  b'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Scenario: x\n  Given a\n  nonsense", "is no step"),
        ('Scenario: x\n  Given a:\n  """\n  never closed', "is not closed"),
        ("Scenario: x\n  Examples:\n  | a |", "examples without an outline"),
    ],
)
def test_what_is_no_gherkin_is_refused(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "x.feature"
    file.write_text(f"Feature: x\n{text}\n")
    with pytest.raises(WrongFeature, match=why):
        read(file)
