"""The trace of runs, from the records of simulated ones."""

import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.contracts.runs import RunSummary, Trace, TraceNode
from services.workflow.engine import stimuli as s
from services.workflow.engine.records import TaskCreated
from services.workflow.engine.state import State
from services.workflow.views import bounds
from services.workflow.views.trace import Tracer, trace
from tests.unit.test_workflow_engine_replay import MOVES, TASKS, play
from tests.workflow.ctk.simulation import Simulation

RUN = RunSummary("default", "run1", "test", "1.0.0", "running", 0.0)


def traced(simulation: Simulation) -> TraceNode:
    return trace(simulation.plan, simulation.records, RUN).root


def lines(node: TraceNode, depth: int = 0) -> list[str]:
    """The tree in a few words: names, statuses and what says where a task stands."""
    place = "".join(
        f" {word}{number}"
        for word, number in (("round", node.round), ("branch", node.branch), ("attempt", node.attempt))
        if number is not None
    )
    own = [f"{'  ' * depth}{node.name} {node.kind} {node.status}{place}"]
    return own + [line for child in node.children for line in lines(child, depth + 1)]


def walk(node: TraceNode) -> list[TraceNode]:
    return [node, *(found for child in node.children for found in walk(child))]


def test_inputs_outputs_and_times_of_a_sequence() -> None:
    run = Simulation("do: [{ a: { call: f, with: { n: 1 } } }, { b: { set: { done: true }, if: .n > 9 } }]").start()
    run.now += 5
    run.answer({"n": 3})
    root = traced(run)
    assert lines(root) == ["test workflow completed", "  a call completed", "  b set skipped"]
    a, b = root.children
    assert (root.input, root.output, b.input, b.output) == ({}, {"n": 3}, msgspec.UNSET, {"n": 3})
    assert (a.target, a.output, a.started_at, a.ended_at) == ("f", {"n": 3}, run.now - 5, run.now)
    assert a.input == {}
    assert [(wait.kind, wait.since, wait.ended_at) for wait in a.waits] == [("call", run.now - 5, run.now)]


def test_the_input_of_a_call_is_shown_unless_it_may_carry_secrets() -> None:
    shop = {"key": "sesame"}
    run = Simulation(
        """use: { secrets: [shop], functions: { greet: { call: f } } }
do:
- plain: { call: f, with: { n: "${ $secrets.shop.key }" } }
- shaped: { input: { from: "${ {k: $secrets.shop.key} }" }, call: f }
- own: { call: greet, with: { n: "${ $secrets.shop.key }" } }
""",
        secrets={"shop": shop},
    ).start({"given": 1})
    for number in range(3):
        run.answer(number)
    root = traced(run)
    assert [node.input for node in root.children] == [{"given": 1}, msgspec.UNSET, 1]
    assert "sesame" not in msgspec.json.encode(root).decode()


def test_rounds_branches_and_what_competition_ends() -> None:
    run = Simulation(
        """do:
        - each: { for: { in: "[1, 2]" }, do: [{ one: { set: { n: "${ $item }" } } }] }
        - race:
            fork: { compete: true, branches: [{ slow: { do: [{ call: { call: f } }] } }, { fast: { call: g } }] }
        """
    ).start()
    assert lines(traced(run))[-4:] == [
        "  race fork running", "    slow do running branch0", "      call call waiting",
        "    fast call waiting branch1",
    ]  # fmt: skip
    run.answer({"won": 1}, task=min(run.calls))
    assert lines(traced(run)) == [
        "test workflow completed", "  each for completed",
        "    one set completed round0", "    one set completed round1",
        "  race fork completed", "    slow do cancelled branch0", "      call call cancelled",
        "    fast call completed branch1",
    ]  # fmt: skip


def test_attempts_of_a_try_with_their_errors_and_waits() -> None:
    run = Simulation(
        """do:
        - careful:
            try: [{ inner: { do: [{ risky: { call: f } }] } }]
            catch:
              retry: { delay: PT2S, limit: { attempt: { count: 1 } } }
              do: [{ undo: { set: { undone: true } } }]
        """
    ).start()
    run.fail()
    waiting = traced(run).children[0]
    assert (waiting.status, waiting.waits[-1].kind, waiting.waits[-1].until) == ("waiting", "retry", run.now + 2)
    run.pass_time()
    run.fail(500, "runtime")
    careful = traced(run).children[0]
    assert lines(careful) == [
        "careful try completed", "  inner do faulted attempt1", "    risky call faulted",
        "  inner do faulted attempt2", "    risky call faulted", "  undo set completed",
    ]  # fmt: skip
    first, second = careful.attempts
    assert (first.number, first.error and first.error["status"], second.error and second.error["status"]) == (
        1, 503, 500,
    )  # fmt: skip
    assert second.started_at - (first.ended_at or 0) == 2
    assert careful.children[0].error is None
    assert careful.children[0].children[0].error == first.error
    assert careful.waits[-1].ended_at == second.started_at


def test_a_faulted_run_and_its_retry() -> None:
    run = Simulation("do: [{ a: { fork: { branches: [{ x: { call: f } }, { y: { call: g } }] } } }]").start()
    run.fail(task=max(run.calls))
    assert lines(traced(run)) == [
        "test workflow faulted", "  a fork faulted", "    x call cancelled branch0", "    y call faulted branch1",
    ]  # fmt: skip
    assert (traced(run).error or {})["instance"] == "/do/0/a/fork/branches/1/y"
    branches = traced(run).children[0].children
    assert [branch.waits[-1].ended_at for branch in branches] == [run.now, run.now], "nothing waits in a faulted run"
    run.now += 60
    run.give(s.Retry())
    assert lines(traced(run)) == [
        "test workflow running", "  a fork running", "    x call waiting branch0", "    y call faulted branch1",
        "    y call waiting branch1",
    ]  # fmt: skip
    x, y, _ = traced(run).children[0].children
    assert y.ended_at == run.now - 60
    assert [(wait.since, wait.ended_at) for wait in x.waits] == [(run.now - 60, run.now - 60), (run.now, None)]


def test_the_directive_end_ends_what_is_around_it() -> None:
    run = Simulation(
        "do: [{ outer: { do: [{ last: { set: { a: 1 }, then: end } }] } }, { never: { call: f } }]"
    ).start()
    assert lines(traced(run)) == ["test workflow completed", "  outer do completed", "    last set completed"]


def test_a_run_that_is_cancelled_while_it_listens() -> None:
    run = Simulation("do: [{ hear: { listen: { to: { any: [], until: length > 1 } } } }]").start()
    run.arrive("a", 1)
    assert [wait.ended_at for wait in traced(run).children[0].waits] == [run.now, None]
    run.now += 1
    run.give(s.Cancel())
    assert lines(traced(run)) == ["test workflow cancelled", "  hear listen cancelled"]
    assert traced(run).children[0].waits[-1].ended_at == run.now


def test_a_trace_from_a_snapshot_has_what_is_under_way() -> None:
    run = Simulation(
        "do: [{ first: { set: { a: 1 } } }, { each: { for: { in: '[1, 2]' }, do: [{ c: { call: f } }] } }]"
    ).start()
    run.answer(1)
    done = len(run.records)
    snapshot = msgspec.json.decode(msgspec.json.encode(run.state), type=State)
    run.answer(2)
    found = trace(run.plan, run.records[done:], RUN, snapshot)
    assert found.truncated
    assert lines(found.root) == ["test workflow completed", "  each for completed", "    c call completed round1"]


def test_large_values_are_cut_and_old_tasks_left_out() -> None:
    run = Simulation("do: [{ each: { for: { in: '[range(3000)]' }, do: [{ one: { set: { n: '${ $index }' } } }] } }]")
    run.start({"text": "x" * 2 * bounds.MAX_VALUE})
    found = trace(run.plan, run.records, RUN)
    assert found.truncated
    each = found.root.children[0]
    assert found.root.input.endswith(f"({2 * bounds.MAX_VALUE + 11} bytes)")
    assert len(walk(found.root)) <= bounds.MAX_NODES
    assert each.omitted + len(each.children) == 3000
    assert each.children[-1].round == 2999


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(tasks=TASKS, moves=st.lists(st.sampled_from(MOVES), max_size=14), retry=st.booleans())
def test_every_task_of_a_random_run_is_in_its_trace(tasks: list[dict[str, Any]], moves: list[str], retry: bool) -> None:
    functions = 'use: { functions: { own: { call: f, with: { own: "${ . }" } } } }\ntimeout: { after: PT1M }\n'
    run = Simulation(f"{functions}do: {json.dumps(tasks)}")
    run.start({"n": 0})
    for move in moves:
        play(run, move, [])
    if retry:
        run.give(s.Retry())
    tracer = Tracer(run.plan)
    for record in run.records:
        tracer.add(record)
        tracer.trace(RUN)  # showing it changes nothing
    shown = tracer.trace(RUN)
    assert msgspec.json.decode(msgspec.json.encode(shown), type=Trace) == shown
    nodes = {node.frame: node for node in walk(shown.root)}
    created = {record.frame for record in run.records if isinstance(record, TaskCreated)}
    assert nodes.keys() >= created
    open_ = {number for number, node in nodes.items() if node.ended_at is None}
    assert open_ == (run.state.frames.keys() if run.state.open else set())
    for node in nodes.values():
        assert (node.status in ("pending", "running", "waiting")) == (node.ended_at is None)
        assert all(child.frame > node.frame for child in node.children)
        assert all(wait.ended_at is not None for wait in node.waits[:-1])
