"""The phrases that a conformance kit's author may use: each holds where it should, and fails where it should not."""

import pytest

from services.contracts.workflow import InvalidWorkflow, Problem
from services.contracts.workflow.problems import Kind
from tests.workflow.ctk.driver import Case, Outcome, TaskResult
from tests.workflow.ctk.gherkin import Scenario, Step
from tests.workflow.ctk.run import run_scenario

DONE = Outcome(
    "completed",
    output={"id": 1, "tags": ["a", "b"], "pet": {"name": "rex"}},
    tasks=["one", "two", "two", "three"],
    results={"one": TaskResult(status="completed", output=5), "four": TaskResult(status="skipped")},
)
ERROR = {"type": "https://example.com/odd", "status": 400}
BROKEN = Outcome(
    "faulted", error=ERROR, tasks=["zero", "one"], results={"one": TaskResult(status="faulted", error=ERROR)}
)
OUTPUT = '{"id": 1, "tags": ["a", "b"], "pet": {"name": "rex"}}'


class Fixed:
    """A driver whose runs all end the same."""

    def __init__(self, outcome: Outcome | InvalidWorkflow) -> None:
        self._outcome = outcome
        self.case: Case | None = None

    def run(self, case: Case) -> Outcome:
        self.case = case
        if isinstance(self._outcome, InvalidWorkflow):
            raise self._outcome
        return self._outcome


def result(text: str, block: str | None, outcome: Outcome) -> str:
    steps = [Step("a workflow with definition:", "{}"), Step(text, block)]
    return run_scenario(Scenario("x", 1, steps), Fixed(outcome), {})


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("the workflow should complete", None),
        ("the workflow should complete successfully", None),
        ("the workflow should have completed", None),
        ("the workflow should not fault", None),
        ("the workflow should complete with output:", OUTPUT),
        ("the workflow should complete with the following output", OUTPUT),
        ("the workflow should have completed with output:", OUTPUT),
        ("the workflow output should be " + OUTPUT, None),
        ("the workflow output should be:", OUTPUT),
        ("the workflow's output should equal " + OUTPUT, None),
        ("the workflow output should contain:", "pet: { name: rex }"),
        ("the workflow output should have properties 'id', 'pet.name', 'tags[1]'", None),
        ("the workflow output should have properties 'id' and 'pet'", None),
        ("the workflow output should have properties:", "| id  |\n| pet |"),
        ("the workflow output should have the following properties", "[ id, pet ]"),
        ("the workflow output should not have a 'name' property", None),
        ("the workflow output should have a 'id' property with value:", "1"),
        ("the workflow output should have an 'id' property equal to:", "1"),
        ("the workflow output should have a property 'id' with value:", "1"),
        ("the workflow output's 'id' property should be:", "1"),
        ("the workflow output should have a 'pet.name' property with value 'rex'", None),
        ("the workflow output should have a 'tags' property containing 2 items", None),
        ("one should run first", None),
        ("the task 'one' should be executed first", None),
        ("the one task should run first", None),
        ("three should run last", None),
        ("two should run in second", None),
        ("two should run twice", None),
        ("two should run exactly 2 times", None),
        ("one should run immediately before two", None),
        ("three should run after one", None),
        ("five should not run", None),
        ("one, two and three should run", None),
        ("'five' and 'six' should not run", None),
        ("one should complete", None),
        ("one should not fault", None),
        ("one should complete with output:", "5"),
        ("four should be skipped", None),
        ("two should be retried once", None),
        ("one should be retried 1 time", None),
    ],
)
def test_what_a_kit_says_of_a_run_that_completed(text: str, block: str | None) -> None:
    assert result(text, block, DONE) == ""
    assert result(text, block, BROKEN if "not" not in text else _contrary()) != ""


def _contrary() -> Outcome:
    """Of which nothing is true that is denied above."""
    ran = ["five", "six"]
    return Outcome("faulted", output={"name": 1}, tasks=ran, results={"one": TaskResult(status="faulted")})


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("the workflow should fault", None),
        ("the workflow should be faulted", None),
        ("the workflow should not complete", None),
        ("the workflow should fault with error:", "status: 400"),
        ("the workflow should have faulted with the following error:", "status: 400"),
        ("the workflow should raise an error:", "{ type: https://example.com/odd }"),
        ("the workflow error should match:", "status: 400"),
        ("one should fault with error:", "status: 400"),
        ("the error should be:", "status: 400"),
        ("the workflow error should have properties 'type' and 'status'", None),
        ("the workflow's error should have a 'status' property", None),
        ("the workflow error should have a 'status' property with value:", "400"),
        ("the error should have a 'type' property with value 'https://example.com/odd'", None),
    ],
)
def test_what_a_kit_says_of_a_run_that_faulted(text: str, block: str | None) -> None:
    assert result(text, block, BROKEN) == ""
    assert result(text, block, DONE) != ""


@pytest.mark.parametrize(
    "given",
    [
        [("given the workflow input is:", "a: 1"), ("the workflow is executed", None)],
        [("the following workflow input:", '{ "a": 1 }'), ("the workflow runs", None)],
        [("the workflow's input is:", "a: 1"), ("I execute the workflow", None)],
        [("the workflow is executed with input:", "a: 1")],
    ],
)
@pytest.mark.parametrize(
    "definition", ["a workflow with definition:", "the following workflow:", "the workflow is defined as:"]
)
def test_what_a_kit_gives_a_workflow(definition: str, given: list[tuple[str, str | None]]) -> None:
    driver = Fixed(DONE)
    steps = [Step(definition, "text"), *(Step(text, block) for text, block in given)]
    assert run_scenario(Scenario("x", 1, steps), driver, {}) == ""
    assert driver.case is not None
    assert (driver.case.definition, driver.case.input) == ("text", {"a": 1})


@pytest.mark.parametrize(("kind", "passes"), [("rule", True), ("unsupported", False), ("shape", False)])
def test_a_definition_that_breaks_a_rule_counts_as_one_that_faults(kind: Kind, passes: bool) -> None:
    driver = Fixed(InvalidWorkflow([Problem("/do/0/a/then", kind, "nowhere", "a task")]))
    steps = [Step("a workflow with definition:", "{}"), Step("the workflow is executed")]
    expected = [
        Step("the workflow should fault with error:", "status: 400"),
        Step("the workflow should be refused at /do/0/a/then"),
    ]
    assert (run_scenario(Scenario("x", 1, [*steps, expected[0]]), driver, {}) == "") is passes
    assert run_scenario(Scenario("x", 1, [*steps, expected[1]]), driver, {}) == ""
    assert run_scenario(Scenario("x", 1, [*steps, Step("the workflow should complete")]), driver, {}) != ""


def test_a_phrase_that_nobody_knows_fails() -> None:
    assert result("the moon should rise", None, DONE) == "the moon should rise unknown step: the moon should rise"
    assert result("the workflow should complete with output:", None, DONE) != ""
    assert result("one should run first", "a block", DONE).endswith("unknown step: one should run first")
