"""The part of the specification's conformance kit that we have, by the in-memory driver."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.ctk.memory import MemoryDriver
from tests.workflow.ctk.run import run_directory

KIT = Path(__file__).parents[3] / "shared" / "openworkflow" / "ctk"
FEATURE = """
Feature: x
  Scenario: wrong expectation
    Given a workflow with definition:
    \"\"\"yaml
    document: { dsl: '1.0.3', namespace: default, name: x, version: '1.0.0' }
    do:
      - one: { set: { a: 1 } }
      - two: { set: { b: 1 } }
    \"\"\"
    When the workflow is executed
    Then the workflow should complete with output:
    \"\"\"yaml
    a: 1
    \"\"\"
  Scenario: right
    Given a workflow with definition:
    \"\"\"yaml
    document: { dsl: '1.0.3', namespace: default, name: x, version: '1.0.0' }
    do:
      - one: { set: { a: { b: [1, 2] } } }
      - two: { wait: PT1H }
    \"\"\"
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a 'a.b' property containing 2 items
    And one should run before two
  Scenario: unknown step
    When the moon is full
"""


@pytest.mark.skipif(not KIT.is_dir(), reason="the conformance kit is not beside the checkout")
def test_every_scenario_of_the_kit_passes() -> None:
    results = list(run_directory(KIT, MemoryDriver(), {}))
    assert len(results) >= 8
    assert [str(result) for result in results if result.failure] == []


def test_the_runner_says_what_failed_and_exits_1(tmp_path: Path) -> None:
    (tmp_path / "x.feature").write_text(FEATURE)
    ran = subprocess.run(
        [sys.executable, "-m", "tests.workflow.ctk", str(tmp_path), "--map", "a.example=http://127.0.0.1:1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 1, ran.stderr
    first, second, third, total = ran.stdout.splitlines()
    assert first.startswith("FAIL x.feature:3 wrong expectation: the workflow should complete with output:")
    assert first.endswith('output is {"b":1}, not {"a":1}')
    assert second == "ok   x.feature:16 right"
    assert third.endswith("unknown step: the moon is full")
    assert total == "1 of 3 scenarios pass"
