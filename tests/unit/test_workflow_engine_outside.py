# ruff: noqa: E501 (a scenario a line)
"""Calls, events, child runs, secrets; what operators do to a run."""

from typing import Any

import msgspec
import pytest

from services.contracts.workflow.auth import BearerAuthentication
from services.workflow.engine import commands as c
from services.workflow.engine import stimuli as s
from tests.workflow.ctk.simulation import Simulation


def run(tasks: str, input: Any = None, **more: Any) -> Simulation:
    return Simulation(tasks, **more).start(input)


def test_a_functions_body_is_with_or_the_input() -> None:
    simulation = run("do:\n- a: { call: f, with: { x: '${ .i }' } }\n- b: { call: ns/g }", {"i": 1})
    assert simulation.answer({"r": 2}) == {"x": 1}
    assert simulation.answer("done") == {"r": 2}
    assert simulation.output == "done"


def test_a_function_of_use_is_run_as_a_task_with_its_arguments() -> None:
    use = """
use:
  functions:
    double: { set: '${ {n: (.n * 2)} }' }
    twice: { do: [ { a: { call: double, with: { n: '${ .n }' } } }, { b: { call: double } } ] }
"""
    simulation = run(use + "do:\n- x: { call: twice, with: { n: '${ .i }' } }\n- y: { set: '${ .n }' }", {"i": 3})
    assert simulation.output == 12


def test_arguments_of_http_are_resolved_and_kept_nowhere() -> None:
    tasks = """
use: { secrets: [ key ], authentications: { mine: { bearer: { token: '${ $secrets.key }' } } } }
do:
- get:
    call: http
    input: { from: '. + {s: $secrets.key}' }
    with:
      method: post
      endpoint: { uri: 'https://x.example/pets/{id}/{gone}', authentication: { use: mine } }
      headers: { X: 'k ${ $secrets.key }' }
      body: { s: '${ .s }', in: '${ $input.id }' }
      query: { q: '${ .id }' }
    output: { as: '{ got: . }' }
"""
    simulation = run(tasks, {"id": "a b"}, secrets={"key": "hunter2"})
    arguments = simulation.answer({"ok": 1})
    assert arguments.endpoint.uri == "https://x.example/pets/a%20b/"
    assert arguments.endpoint.authentication == BearerAuthentication(token="hunter2")
    assert arguments.headers == {"X": "k hunter2"}
    assert arguments.body == {"s": "hunter2", "in": "a b"}
    assert arguments.query == {"q": "a b"}
    assert simulation.output == {"got": {"ok": 1}}
    assert b"hunter2" not in b"".join(simulation.history)


def test_secrets_given_to_a_call_of_use_are_in_no_history_and_no_snapshot() -> None:
    tasks = "use: { secrets: [ key ], functions: { send: { call: f, with: { body: '${ .k }' } } } }\ndo:\n- x: { call: send, with: { k: '${ $secrets.key }' } }"
    simulation = run(tasks, secrets={"key": "hunter2"})
    assert b"hunter2" not in msgspec.json.encode(simulation.state)
    assert simulation.answer("ok") == {"body": "hunter2"}
    assert simulation.output == "ok"
    assert b"hunter2" not in b"".join(simulation.history)


def test_bad_arguments_are_an_error_of_the_task_and_nothing_is_called() -> None:
    simulation = run("do:\n- a: { call: f, with: { x: '${ .i.j }' } }", {"i": 1})
    assert simulation.error["instance"] == "/do/0/a"
    assert simulation.calls == {}


def test_answers_that_come_twice_or_late_mean_nothing() -> None:
    simulation = run("do:\n- a: { call: f }\n- b: { call: g }")
    (first,) = simulation.calls
    simulation.answer(1)
    assert simulation.give(s.CallEnded(task=first, output=2)).records == []
    assert simulation.give(s.TimerFired(timer="99.wait")).records == []
    simulation.answer(3)
    assert simulation.give(s.CallEnded(task=first, output=2)).records == []
    assert simulation.give(s.Cancel()).records == []
    assert simulation.output == 3


def test_child_runs() -> None:
    child = "do:\n- a: { run: { workflow: { namespace: n, name: w, version: 1.0.0, input: { x: '${ .i }' } } MORE } }"
    simulation = run(child.replace("MORE", ""), {"i": 1})
    (command,) = simulation.children.values()
    assert (command.namespace, command.name, command.version, command.wait) == ("n", "w", "1.0.0", True)
    assert simulation.answer("out") == {"x": 1}
    assert simulation.output == "out"
    detached = run(child.replace("MORE", ", await: false"), {"i": 1})
    detached.answer("run-id")
    assert detached.output == {"i": 1}
    silent = run(child.replace("MORE", ", return: none"), {"i": 1})
    silent.answer("out")
    assert silent.output is None
    faulting = run(child.replace("MORE", ""), {"i": 1})
    faulting.fail(418)
    assert (faulting.error["status"], faulting.error["instance"]) == (418, "/do/0/a")


def listening(to: str, more: str = "", input: Any = None) -> Simulation:
    return run(f"do:\n- l: {{ listen: {{ to: {to} }} {more} }}", input)


def test_listen_to_one_by_type_data_and_regular_expression() -> None:
    simulation = listening("{ one: { with: { type: 'com.x.*', data: '${ .t > 38 }', source: /test } } }")
    simulation.arrive("com.y", {"t": 40})
    simulation.arrive("com.x.a", {"t": 37})
    assert simulation.state.status == "running"
    simulation.arrive("com.x.a", {"t": 39})
    assert simulation.output == [{"t": 39}]
    assert simulation.listening == {}


@pytest.mark.parametrize(("read", "expected"), [("data", 1), ("raw", 1), ("envelope", "t")])
def test_listen_reads(read: str, expected: Any) -> None:
    simulation = run(f"do:\n- l: {{ listen: {{ to: {{ one: {{ with: {{ type: t }} }} }}, read: {read} }} }}")
    assert next(iter(simulation.listening.values())).types == ("t",)
    simulation.arrive("t", 1)
    (item,) = simulation.output
    assert (item["type"] if read == "envelope" else item) == expected


def test_listen_to_any_and_to_all() -> None:
    two = "[ { with: { type: a } }, { with: { type: b } } ]"
    simulation = listening(f"{{ any: {two} }}")
    simulation.arrive("b", 2)
    assert simulation.output == [2]
    simulation = listening(f"{{ all: {two} }}")
    for type_, data in (("b", 2), ("b", 3), ("a", 1)):
        simulation.arrive(type_, data)
    assert simulation.output == [2, 1]


def test_listen_until_a_condition_and_until_events() -> None:
    simulation = listening("{ any: [], until: '( . | length ) > 2' }")
    for number in range(3):
        simulation.arrive("x", number)
    assert simulation.output == [0, 1, 2]
    simulation = listening("{ any: [ { with: { type: t } } ], until: { one: { with: { type: stop } } } }")
    for type_ in ("t", "u", "t", "stop"):
        simulation.arrive(type_, type_)
    assert simulation.output == ["t", "t"]


def test_correlation_by_the_first_event_and_by_expectation() -> None:
    both = "{ all: [ { with: { type: a }, correlate: { room: { from: .roomid } } }, { with: { type: b }, correlate: { room: { from: .roomid } } } ] }"
    simulation = listening(both)
    simulation.arrive("a", 1, roomid="r1")
    simulation.arrive("b", 2, roomid="r2")
    assert simulation.state.status == "running"
    simulation.arrive("b", 3, roomid="r1")
    assert simulation.output == [1, 3]
    simulation = listening(
        "{ one: { with: { type: a }, correlate: { o: { from: .data.id, expect: '${ .order }' } } } }",
        input={"order": 7},
    )
    simulation.arrive("a", {"id": 6})
    simulation.arrive("a", {"id": 7})
    assert simulation.output == [{"id": 7}]


def test_foreach_takes_events_one_after_the_other_while_more_come() -> None:
    simulation = run("""
do:
- l:
    listen: { to: { any: [ { with: { type: t } } ], until: 'length == 2' } }
    foreach:
      item: e
      at: n
      do: [ { c: { call: f, with: { e: '${ $e }', n: '${ $n }' } } } ]
      output: { as: '{ got: ., n: $n }' }
      export: { as: '$context + { last: $e }' }
output: { as: '[$context.last, .]' }
""")
    simulation.arrive("t", "x")
    simulation.arrive("t", "y")
    assert len(simulation.calls) == 1
    assert simulation.answer("X") == {"e": "x", "n": 0}
    assert simulation.answer("Y") == {"e": "y", "n": 1}
    assert simulation.output == ["y", [{"got": "X", "n": 0}, {"got": "Y", "n": 1}]]


def test_pause_holds_what_is_next_and_resume_lets_it_go() -> None:
    simulation = run("do:\n- a: { call: f }\n- b: { call: g }")
    simulation.give(s.Pause())
    simulation.answer(1)
    assert (simulation.state.status, simulation.calls) == ("suspended", {})
    simulation.give(s.Resume())
    simulation.answer(2)
    assert simulation.output == 2
    assert [kind for kind in simulation.kinds if "workflow." in kind] == [
        f"workflow.{kind}" for kind in ("started", "suspended", "resumed", "completed")
    ]


def test_cancel_drops_all_that_is_outstanding() -> None:
    simulation = run(
        "timeout: { after: PT1M }\ndo:\n- f: { fork: { branches: [ { a: { call: f } }, { b: { wait: PT5S } }, { c: { listen: { to: { any: [] } } } } ] } }"
    )
    simulation.give(s.Cancel())
    assert simulation.state.status == "cancelled"
    assert (simulation.calls, simulation.timers, simulation.listening) == ({}, {}, {})
    assert simulation.kinds[-1] == "workflow.cancelled"
    assert simulation.kinds.count("task.cancelled") == 4


def test_retry_goes_on_at_the_task_that_failed_and_keeps_what_is_done() -> None:
    simulation = run(
        "timeout: { after: PT1M }\ndo:\n- a: { call: f }\n- b: { call: g }\n- c: { set: { end: '${ . }' } }"
    )
    simulation.answer({"a": 1})
    (failed,) = simulation.calls
    simulation.fail()
    assert simulation.state.status == "faulted"
    simulation.now += 3600
    simulation.give(s.Retry())
    assert min(simulation.timers.values()) > simulation.now
    assert simulation.give(s.TimerFired(timer="0.timeout")).records == [], "the old deadline, fired late"
    assert failed not in simulation.calls, "another attempt has another key"
    assert simulation.answer("B") == {"a": 1}
    assert simulation.output == {"end": "B"}
    assert simulation.give(s.Retry()).records == []


def test_a_new_owner_commands_all_that_is_outstanding_again() -> None:
    simulation = run(
        "do:\n- f: { fork: { branches: [ { a: { call: f, with: { k: 1 } } }, { b: { wait: PT5S } }, { c: { listen: { to: { any: [] } } } } ] } }"
    )
    before = [command for command in simulation.commands if not isinstance(command, c.Publish)]
    made = simulation.give(s.Recovered())
    assert made.records == []
    assert [
        msgspec.structs.replace(x, repeated=False) if isinstance(x, c.StartCall) else x for x in made.commands
    ] == before
    assert [x.repeated for x in made.commands if isinstance(x, c.StartCall)] == [True]


def test_a_secret_that_nobody_gave_is_an_authorization_error() -> None:
    simulation = run("use: { secrets: [ key ] }\ndo:\n- a: { call: f, with: { k: '${ $secrets.key }' } }")
    assert (simulation.error["type"].rpartition("/")[2], simulation.error["status"]) == ("authorization", 403)
    assert "key" in simulation.error["detail"]


def test_a_detached_run_is_not_dropped_with_its_parent() -> None:
    for waits, dropped in (("true", 1), ("false", 0)):
        simulation = run(
            f"do:\n- a: {{ run: {{ workflow: {{ namespace: n, name: w, version: 1.0.0 }}, await: {waits} }} }}"
        )
        made = simulation.give(s.Cancel())
        assert sum(isinstance(command, c.Drop) for command in made.commands) == dropped


@pytest.mark.parametrize(
    "task",
    [
        "{ call: f, with: { k: '${ $secrets.key | error }' } }",
        "{ call: f, input: { from: '{ s: $secrets.key }' }, with: { k: '${ .s.x }' } }",
        "{ call: own, with: { k: '${ $secrets.key }' } }",
    ],
)
def test_what_jq_says_about_a_secret_is_not_recorded(task: str) -> None:
    use = "use: { secrets: [ key ], functions: { own: { call: f, input: { schema: { document: { properties: { k: { type: number } } } } } } } }\n"
    simulation = run(f"{use}do:\n- a: {task}", secrets={"key": "hunter2"})
    assert "withheld" in simulation.error["detail"]
    assert b"hunter2" not in b"".join(simulation.history)
