"""The programs of whole definitions."""

from pathlib import Path

import pytest

from services.contracts.workflow import InvalidWorkflow, parse_yaml
from services.contracts.workflow.expressions import Expression
from services.workflow.expressions import problems
from services.workflow.expressions.program import ExpressionError, check

EXAMPLES = Path(__file__).parents[3] / "shared" / "openworkflow" / "examples"
HEAD = "document: { dsl: '1.0.3', namespace: default, name: test, version: '1.0.0' }\n"


def test_each_broken_program_is_a_problem_with_its_place() -> None:
    definition = parse_yaml(
        HEAD
        + """
do:
- a: { if: '.x ==', set: { ok: '${ .x }', bad: '${ env.HOME }', deep: [ 'Hi ${ $nobody }' ] } }
- b: { for: { each: pet, in: .pets }, do: [ { c: { set: '${ $pet + $index + $context.a }' } } ] }
- d: { try: [], catch: { as: oops, when: $oops.status == 1 } }
"""
    )
    found = {problem.pointer: problem.hint for problem in problems(definition)}
    assert set(found) == {"/do/0/a/if", "/do/0/a/set/bad", "/do/0/a/set/deep/0"}
    assert "env is not available" in found["/do/0/a/set/bad"]
    assert "$nobody is not defined" in found["/do/0/a/set/deep/0"]


def test_loose_text_is_no_problem() -> None:
    assert problems(parse_yaml(HEAD + "evaluate: { mode: loose }\ndo:\n- a: { set: { t: plain text } }")) == []


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the specification's examples are not beside the checkout")
def test_the_programs_of_every_example_that_is_taken_compile() -> None:
    taken = 0
    for path in sorted(EXAMPLES.glob("*.yaml")):
        try:
            definition = parse_yaml(path.read_bytes())
        except InvalidWorkflow:
            continue
        taken += 1
        assert problems(definition) == [], path.name
    assert taken > 30


@pytest.mark.parametrize(("text", "said"), [(".x |", "unexpected end of file"), ("(.x | )", "unexpected ')'")])
def test_a_syntax_error_is_that_of_the_program_alone(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        check(Expression(text, "/do/0/a"), frozenset())
    assert said in str(refused.value)
