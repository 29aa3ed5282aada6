# ruff: noqa: E501 (a scenario a line)
"""Errors: raised, caught, retried; timeouts."""

from typing import Any

import pytest

from tests.workflow.ctk.simulation import BEGIN, Simulation

SPEC = "https://open-workflow-specification.org/spec/1.0.0/errors/"
OLD = "https://serverlessworkflow.io/dsl/errors/types/"


def trying(catch: str, rest: str = "", inner: str = "{ c: { call: f } }", more: str = "") -> Simulation:
    return Simulation(f"do:\n- t: {{ try: [ {inner} ], catch: {catch} {more} }}\n{rest}").start({"i": 1})


def test_raise_inline_by_name_and_with_expressions() -> None:
    use = "use: { errors: { mine: { type: 'https://x.example/e', status: 418, title: '${ .t }', detail: 'at ${ .t }' } } }\n"
    error = Simulation(use + "do:\n- a: { do: [ { r: { raise: { error: mine } } } ] }").start({"t": "tea"}).error
    assert error == {
        "type": "https://x.example/e", "status": 418, "title": "tea", "detail": "at tea", "instance": "/do/0/a/do/0/r",
    }  # fmt: skip
    given = Simulation(
        "do:\n- r: { raise: { error: { type: 'https://x.example/e', status: 1, instance: /mine } } }"
    ).start()
    assert given.error["instance"] == "/mine"


@pytest.mark.parametrize(
    ("catch", "caught"),
    [
        ("{}", True),
        (f"{{ errors: {{ with: {{ type: '{SPEC}communication' }} }} }}", True),
        (f"{{ errors: {{ with: {{ type: '{OLD}communication', status: 503 }} }} }}", True),
        (f"{{ errors: {{ with: {{ type: '{SPEC}timeout' }} }} }}", False),
        ("{ errors: { with: { status: 503, title: failed } } }", True),
        ("{ errors: { with: { status: 500 } } }", False),
        ("{ errors: { with: { instance: /do/0/t/try/0/c } } }", True),
        ("{ when: $error.status == 503 }", True),
        ("{ when: $error.status == 500 }", False),
        ("{ exceptWhen: $error.status == 503 }", False),
        ("{ as: oops, when: $oops.status == 503 and .i == 1 }", True),
    ],
)
def test_which_errors_are_caught(catch: str, caught: bool) -> None:
    simulation = trying(catch)
    simulation.fail()
    assert simulation.state.status == ("completed" if caught else "faulted")
    if caught:
        assert simulation.output == {"i": 1}
    else:
        assert simulation.error["instance"] == "/do/0/t/try/0/c"


def test_catch_do_sees_the_error_and_then_overrides() -> None:
    simulation = trying(
        "{ as: oops, do: [ { s: { set: { status: '${ $oops.status }', i: '${ .i }' } } } ], then: last }",
        "- no: { set: { bad: 1 } }\n- last: { set: '${ . + {last: true} }' }",
        more=", then: end",
    )
    simulation.fail(404)
    assert simulation.output == {"status": 404, "i": 1, "last": True}


def test_what_succeeds_follows_the_tasks_own_then() -> None:
    simulation = trying("{ then: last }", "- last: { set: { bad: 1 } }", more=", then: end")
    simulation.answer({"ok": 1})
    assert simulation.output == {"ok": 1}


def test_an_error_in_catch_goes_to_the_next_try_outside() -> None:
    simulation = trying(
        "{ do: [ { s: { set: '${ $error.status }' } } ] }",
        inner="{ t2: { try: [ { c: { call: f } } ], catch: { do: [ { r: { raise: { error: { type: 'https://x', status: 7 } } } } ] } } }",
    )
    simulation.fail()
    assert simulation.output == 7


def test_a_failing_catch_clause_is_an_error_of_the_try() -> None:
    simulation = trying("{ when: $error.status.x }")
    simulation.fail()
    assert simulation.error["instance"] == "/do/0/t"
    assert simulation.error["type"] == SPEC + "expression"


@pytest.mark.parametrize(
    ("policy", "delays"),
    [
        ("delay: { seconds: 3 }, limit: { attempt: { count: 3 } }", [3, 3, 3]),
        ("delay: PT3S, backoff: { linear: {} }, limit: { attempt: { count: 3 } }", [3, 6, 9]),
        ("delay: PT3S, backoff: { exponential: {} }, limit: { attempt: { count: 4 } }", [3, 6, 12, 24]),
        ("delay: PT3S, limit: { duration: PT10S }", [3, 3, 3]),
        ("delay: '${ \"PT\\(.i)S\" }', limit: { attempt: { count: 1 } }", [1]),
        ("limit: { attempt: { count: 2 } }", [0, 0]),
        ("delay: PT1S, when: $error.status == 500, limit: { attempt: { count: 2 } }", []),
        ("delay: PT1S, exceptWhen: $error.status == 503, limit: { attempt: { count: 2 } }", []),
    ],
)
def test_retries(policy: str, delays: list[float]) -> None:
    simulation = trying(f"{{ retry: {{ {policy} }} }}")
    found = []
    simulation.fail()
    while simulation.state.status == "running":
        before = simulation.now
        assert simulation.pass_time().startswith("1.retry.")
        found.append(simulation.now - before)
        simulation.fail()
    assert found == delays
    assert simulation.error["status"] == 503
    assert simulation.kinds.count("task.retried") == len(delays)


def test_jitter_is_within_its_range_and_differs() -> None:
    simulation = trying(
        "{ retry: { delay: PT1S, jitter: { from: PT1S, to: PT3S }, limit: { attempt: { count: 3 } } } }"
    )
    found = []
    for _ in range(3):
        before = simulation.now
        simulation.fail()
        simulation.pass_time()
        found.append(simulation.now - before)
    assert all(2 <= delay <= 4 for delay in found)
    assert len(set(found)) == 3


def test_a_retry_that_succeeds_and_one_that_is_exhausted_with_do() -> None:
    policy = "use: { retries: { often: { delay: PT1S, limit: { attempt: { count: 1 } } } } }\n"
    tasks = (
        policy
        + "do:\n- t: { try: [ { s: { set: { n: 1 } } }, { c: { call: f } } ], catch: { retry: often, do: [ { s: { set: gone } } ] } }"
    )
    tasks = tasks.replace("set: gone", "set: { gone: true }")
    for succeeds in (True, False):
        simulation = Simulation(tasks).start()
        first = min(simulation.calls)
        simulation.fail()
        simulation.pass_time()
        assert min(simulation.calls) != first, "a retry is another attempt, with another key"
        if succeeds:
            assert simulation.answer({"ok": True}) == {"n": 1}
        else:
            simulation.fail()
        assert simulation.output == ({"ok": True} if succeeds else {"gone": True})


def test_an_attempt_that_takes_too_long_is_retried() -> None:
    simulation = trying("{ retry: { limit: { attempt: { count: 1, duration: PT5S } } } }")
    assert simulation.pass_time() == "1.attempt.1"
    assert simulation.calls == {}
    simulation.pass_time()
    simulation.answer("late")
    assert simulation.output == "late"
    assert simulation.timers == {}


def test_wait_by_object_text_and_expression() -> None:
    simulation = Simulation("do:\n- a: { wait: { minutes: 1 } }\n- b: { wait: PT30S }\n- c: { wait: '${ .d }' }").start(
        {"d": "PT0.5S"}
    )
    while simulation.timers:
        simulation.pass_time()
    assert simulation.output == {"d": "PT0.5S"}
    assert simulation.now - BEGIN == 90.5


def test_task_timeouts_interrupt_and_are_caught_outside() -> None:
    simulation = trying(
        "{ do: [ { s: { set: '${ $error }' } } ] }",
        inner="{ d: { do: [ { c: { call: f } } ], timeout: { after: PT2S } } }",
    )
    assert simulation.pass_time().endswith(".timeout")
    error = simulation.output
    assert (error["type"], error["status"], error["instance"]) == (SPEC + "timeout", 408, "/do/0/t/try/0/d")
    assert simulation.calls == {}


def test_a_try_does_not_catch_its_own_timeout() -> None:
    simulation = Simulation(
        "use: { timeouts: { soon: { after: PT1S } } }\ndo:\n- t: { timeout: soon, try: [ { c: { call: f } } ], catch: {} }"
    ).start()
    simulation.pass_time()
    assert simulation.error["instance"] == "/do/0/t"


def test_the_workflows_timeout_faults_it_whatever_is_caught() -> None:
    simulation = Simulation("timeout: { after: PT1M }\ndo:\n- t: { try: [ { c: { call: f } } ], catch: {} }").start()
    simulation.pass_time()
    assert simulation.error["type"] == SPEC + "timeout"
    assert simulation.calls == {}


def test_a_task_that_ends_in_time_leaves_no_timer() -> None:
    simulation = Simulation("timeout: { after: PT1M }\ndo:\n- c: { call: f, timeout: { after: PT1S } }").start()
    assert len(simulation.timers) == 2
    simulation.answer(1)
    assert simulation.output == 1
    assert simulation.timers == {}


@pytest.mark.parametrize("duration", ["soon", "5", None])
def test_an_expression_that_gives_no_duration(duration: Any) -> None:
    error = Simulation("do:\n- w: { wait: '${ .d }' }").start({"d": duration}).error
    assert error["type"] == SPEC + "expression"
