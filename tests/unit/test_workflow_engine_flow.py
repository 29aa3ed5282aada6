# ruff: noqa: E501 (a scenario a line)
"""Data flow and the order of tasks."""

from typing import Any

import pytest

from services.workflow.engine import commands as c
from services.workflow.engine import records as r
from services.workflow.engine import stimuli as s
from services.workflow.engine.step import MAX_RECORDS
from tests.workflow.ctk.simulation import Simulation


def run(tasks: str, input: Any = None) -> Simulation:
    return Simulation(tasks).start(input)


def created(simulation: Simulation) -> list[str]:
    return [
        simulation.plan.tasks[record.pointer].name for record in simulation.records if isinstance(record, r.TaskCreated)
    ]


@pytest.mark.parametrize(
    ("tasks", "input", "expected"),
    [
        ("do: []", {"a": 1}, {"a": 1}),
        ("input: { from: .a }\ndo:\n- x: { set: { got: '${ . }' } }", {"a": 5}, {"got": 5}),
        ("do:\n- x: { set: { a: 1 } }\noutput: { as: .a }", {}, 1),
        ("do:\n- x: { set: { a: 1 }, output: { as: '{b: .a}' } }", {}, {"b": 1}),
        ("do:\n- x: { input: { from: .a }, set: { got: '${ . }', in: '${ $input }' } }", {"a": 3}, {"got": 3, "in": 3}),
        ("do:\n- x: { set: '${ .a + 1 }' }\n- y: { set: '${ . * 2 }' }", {"a": 3}, 8),
        ("do:\n- x: { if: .no, set: { a: 1 }, export: { as: '{}' } }\n- y: { set: { b: '${ . }' } }", {}, {"b": {}}),
        ("do:\n- x: { if: '.a', set: { a: 1 }, then: end }\n- y: { set: '${ .b }' }", {"b": 2}, 2),
        ("do:\n- x: { set: '${ 1.5 }', export: { as: '$context + {n: .}' } }\n- y: { set: '${ $context }' }", {"k": 1}, {"k": 1, "n": 1.5}),
        ("do:\n- x: { set: { a: 1 }, export: { as: '{n: $output.a, i: $input.k}' } }\noutput: { as: $context }", {"k": 2}, {"n": 1, "i": 2}),
        ("do:\n- x: { set: { a: 1 } , output: { as: '$task.output' } }", {}, {"a": 1}),
        ("do:\n- x: { input: { from: .a }, set: { raw: '${ $task.input }' } }", {"a": 1}, {"raw": {"a": 1}}),
        ("do:\n- x: { set: '${ [$task.name, $task.reference, $task.definition.metadata.k] }', metadata: { k: 7 } }", {}, ["x", "/do/0/x", 7]),
        ("do:\n- x: { set: '${ [$workflow.id, $workflow.input.a, $workflow.definition.document.name] }' }", {"a": 1}, ["run1", 1, "test"]),
        ("do:\n- x: { set: '${ $workflow.startedAt }' }", {}, {"iso8601": "2023-11-14T22:13:20.000Z", "epoch": {"seconds": 1700000000, "milliseconds": 1700000000000}}),
        ("do:\n- x: { set: '${ $runtime.name }' }", {}, "faas"),
        ("do:\n- x: { set: { t: 'Hi ${ .name }, ${ .n }' } }", {"name": "A", "n": 1}, {"t": "Hi A, 1"}),
        ("evaluate: { mode: loose }\ndo:\n- x: { set: { t: .name, u: plain text } }", {"name": "A"}, {"t": "A", "u": "plain text"}),
        ("do:\n- a: { do: [ { b: { set: { n: 1 }, then: exit } }, { c: { set: { n: 2 } } } ] }\n- d: { set: '${ [.] }' }", {}, [{"n": 1}]),
    ],
)  # fmt: skip
def test_data_flow(tasks: str, input: Any, expected: Any) -> None:
    assert run(tasks, input).output == expected


@pytest.mark.parametrize(
    ("tasks", "pointer", "detail"),
    [
        ("input: { schema: { document: { type: object, required: [a] } } }\ndo: []", "/", "'a' is a required"),
        ("do:\n- x: { input: { schema: { document: { required: [a] } } }, set: { b: 1 } }", "/do/0/x", "input"),
        ("do:\n- x: { set: { b: x }, output: { schema: { document: { properties: { b: { type: number } } } } } }", "/do/0/x", "output/b"),
        ("do:\n- x: { set: { b: 1 }, export: { as: '{}', schema: { document: { required: [a] } } } }", "/do/0/x", "context"),
        ("do: []\noutput: { schema: { document: { type: string } } }", "/", "output"),
    ],
)  # fmt: skip
def test_schemas(tasks: str, pointer: str, detail: str) -> None:
    error = run(tasks).error
    assert error["type"].endswith("/validation")
    assert (error["status"], error["instance"]) == (400, pointer)
    assert detail in error["detail"]


def test_a_failing_expression_is_the_specifications_error() -> None:
    error = run("do:\n- x: { set: { a: '${ .a.b }' } }", {"a": 1}).error
    assert error["type"].endswith("/expression")
    assert error["instance"] == "/do/0/x"
    assert "/do/0/x/set/a: Cannot index number" in error["detail"]


def test_then_goes_by_name_forwards_and_backwards_and_ends() -> None:
    tasks = """
do:
- one: { set: { n: '${ (.n // 0) + 1 }' }, then: check }
- never: { set: { bad: true } }
- check: { switch: [ { again: { when: .n < 3, then: one } }, { done: { then: last } } ] }
- skipped: { set: { bad: true } }
- last: { do: [ { inner: { set: { n: '${ .n }' }, then: end } } ] }
- after: { set: { bad: true } }
"""
    simulation = run(tasks)
    assert simulation.output == {"n": 3}
    assert created(simulation) == ["one", "check"] * 3 + ["last", "inner"]


def test_loops_have_item_index_and_while_and_hand_on_their_output() -> None:
    tasks = """
do:
- loop:
    for: { in: '.list', each: data, at: given }
    while: '$data < 4'
    do: [ { add: { set: '${ . + { sum: ((.sum // 0) + $data), at: $given } }' } } ]
"""
    assert run(tasks, {"list": [1, 2, 3, 4, 5]}).output == {"list": [1, 2, 3, 4, 5], "sum": 6, "at": 2}
    assert run(tasks, {"list": []}).output == {"list": []}
    assert run(tasks, {"list": 3}).error["instance"] == "/do/0/loop"


def test_inline_items_and_nested_variables() -> None:
    tasks = """
do:
- outer:
    for: { in: [ { n: 1 }, { n: '${ .two }' } ] }
    do:
    - inner: { for: { in: '[10, 20]', each: x }, do: [ { add: { set: '${ . + { s: (.s + [$item.n * $x]) } }' } } ] }
    output: { as: .s }
"""
    assert run(tasks, {"two": 2}).output == [10, 20, 20, 40]


def test_a_fork_joins_in_order_of_declaration() -> None:
    simulation = run(
        "do:\n- f: { fork: { branches: [ { a: { call: fa } }, { b: { call: fb } }, { c: { set: { k: 3 } } } ] } }",
        {"i": 1},
    )
    first, second = sorted(simulation.calls)
    simulation.answer("B", task=second)
    assert simulation.state.status == "running"
    simulation.answer("A", task=first)
    assert simulation.output == ["A", "B", {"k": 3}]


def test_competing_branches_have_one_winner_and_the_others_are_dropped() -> None:
    simulation = run(
        "do:\n- f: { fork: { compete: true, branches: [ { a: { call: fa } }, { b: { do: [ { w: { wait: PT5S } }, { s: { set: { won: b } } } ] } } ] } }"
    )
    assert simulation.pass_time().endswith(".wait")
    assert simulation.output == {"won": "b"}
    assert simulation.calls == {}
    assert "task.cancelled" in simulation.kinds


def test_an_error_in_a_branch_ends_the_fork() -> None:
    simulation = run("do:\n- f: { fork: { branches: [ { a: { call: fa } }, { b: { call: fb } } ] } }")
    simulation.fail(task=max(simulation.calls))
    assert simulation.error["instance"] == "/do/0/f/fork/branches/1/b"
    assert simulation.calls == {}


def test_emit_goes_on_once_the_event_is_out() -> None:
    simulation = Simulation(
        "do:\n- e: { emit: { event: { with: { type: t, data: { a: '${ .a }' }, ext: '${ 1 }' } } } }", acknowledge=False
    )
    simulation.start({"a": 1})
    assert simulation.state.status == "running"
    (event,) = simulation.emitted
    assert (event["type"], event["data"], event["ext"], event["source"]) == ("t", {"a": 1}, 1, "/default/test/1.0.0")
    emit = next(command for command in simulation.commands if isinstance(command, c.Emit))
    again = simulation.give(s.Recovered())
    assert [command.event["id"] for command in again.commands if isinstance(command, c.Emit)] == [event["id"]]
    simulation.give(s.CallEnded(task=emit.task))
    assert simulation.output == event


def test_a_long_step_asks_to_be_continued() -> None:
    simulation = run("do:\n- l: { for: { in: '[range(400)]' }, do: [ { s: { set: '${ {n: ($index + 1)} }' } } ] }")
    assert simulation.output == {"n": 400}
    assert any(isinstance(command, c.Continue) for command in simulation.commands)
    assert len(simulation.records) > MAX_RECORDS
