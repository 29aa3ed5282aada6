"""jq programs: what they see, what they may not name, and how they fail."""

from typing import Any

import pytest

from services.contracts.workflow.expressions import Expression, Template, text_of
from services.workflow.expressions import ExpressionError, check, evaluate, fill

FORBIDDEN = [
    "env",
    "$ENV",
    "$ENV.PATH",
    "env.PATH",
    "input",
    "[inputs]",
    "[1, input]",
    "{a: input}",
    '"\\(env)"',
    "{a: (1, input)}",
    "debug",
    'debug("x")',
    "stderr",
    "input_filename",
    "input_line_number",
    "halt",
    '"x" | halt_error',
    "1 | halt_error(3)",
    "$__prog_args",
    "$__faas",
    'import "a" as a; 1',
    'include "a"; 1',
    "modulemeta",
    "get_search_list",
    "# comment \n env",
]


def value(program: str, data: Any = None, now: float = 0.0, **arguments: Any) -> Any:
    return evaluate(Expression(program, "/do/0/x/set"), data, arguments, now)


@pytest.mark.parametrize("program", FORBIDDEN)
def test_what_reaches_outside_is_refused(program: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value(program, {})
    assert "not available" in str(caught.value)
    assert caught.value.pointer == "/do/0/x/set"


@pytest.mark.parametrize(
    ("program", "data", "expected"),
    [
        (".input", {"input": 1}, 1),
        ("{input}", {"input": 1}, {"input": 1}),
        ("{input: 2, env: 3}", {}, {"input": 2, "env": 3}),
        ('"env and \\(.env)"', {"env": 1}, "env and 1"),
        ('.["env"]', {"env": 1}, 1),
        ("1 # env", None, 1),
        ('getpath(["a"])', {"a": 1}, 1),
        ("$__loc__.line", None, 1),
        (". as {input: $x} | $x", {"input": 4}, 4),
        ("def f: 1; f", None, 1),
        ("{if: 1} | .if", None, 1),
    ],
)
def test_words_that_only_look_forbidden(program: str, data: Any, expected: Any) -> None:
    assert value(program, data) == expected


def test_arguments_are_variables_and_come_with_each_evaluation() -> None:
    assert [value(".a + $x", {"a": 1}, x=x) for x in (1, 2)] == [2, 3]
    assert value("[$x, (1 as $x | $x)]", x=5) == [5, 1]


def test_an_unknown_variable_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="nobody"):
        value("$nobody")


def test_now_is_the_engines_time() -> None:
    assert value("now", now=12.5) == 12.5


@pytest.mark.parametrize(("program", "expected"), [("empty", None), ("3, 4", 3), ("range(infinite)", 0)])
def test_the_first_value_counts(program: str, expected: Any) -> None:
    assert value(program) == expected


@pytest.mark.parametrize("program", ["1) | (2", "(1", "1 +", "}", '"open', "[1)"])
def test_broken_syntax(program: str) -> None:
    with pytest.raises(ExpressionError):
        check(Expression(program, "/x"), frozenset())


def test_an_error_says_what_jq_says() -> None:
    with pytest.raises(ExpressionError, match="Cannot index number"):
        value(".a", 1)
    with pytest.raises(ExpressionError, match="boo"):
        value('error("boo")')


def test_loose_text_that_is_no_program_stands_for_itself() -> None:
    assert evaluate(Expression("hello there", "/x", loose=True), {}, {}) == "hello there"
    assert evaluate(Expression(".a", "/x", loose=True), {"a": 1}, {}) == 1


def test_templates_are_filled_inside_and_data_is_never_evaluated() -> None:
    template = Template(
        {"a": text_of("${ .x }", "/a", False), "b": [text_of("Hi ${ .x }, ${ .n }!", "/b", False), "c"]}, constant=False
    )

    def over(expression: Expression) -> Any:
        return evaluate(expression, {"x": "${ env }", "n": {"k": 1}}, {})

    assert fill(template, over) == {"a": "${ env }", "b": ['Hi ${ env }, {"k":1}!', "c"]}
