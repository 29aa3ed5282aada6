"""For random small workflows and random orders of what happens to them: replay is what was live, at every prefix."""

import json
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.workflow.engine import stimuli as s
from services.workflow.engine.outstanding import outstanding
from tests.workflow.ctk.simulation import Simulation

ERROR = {"type": "https://x.example/e", "status": 418}
LEAVES: list[dict[str, Any]] = [
    {"set": "${ {n: ((.n? // 0) + 1)} }"},
    {"set": "${ $context }", "export": {"as": "{ seen: . }"}},
    {"call": "f", "with": {"n": "${ .n? }"}},
    {"call": "own"},
    {"call": "f", "timeout": {"after": "PT3S"}},
    {"wait": {"seconds": 2}},
    {"wait": "PT0S", "if": ".n? != 2"},
    {"emit": {"event": {"with": {"type": "t", "data": "${ . }"}}}},
    {"raise": {"error": ERROR}},
    {"set": {"broken": "${ error }"}, "if": ".n? == 1"},
    {"listen": {"to": {"any": [], "until": "length > 1"}}, "timeout": {"after": "PT5S"}},
    {
        "listen": {"to": {"any": [{"with": {"type": "t"}}], "until": {"one": {"with": {"type": "u"}}}}},
        "foreach": {"do": [{"c": {"call": "f", "with": {"i": "${ $item }"}}}]},
    },
    {"run": {"workflow": {"namespace": "n", "name": "w", "version": "1.0.0"}}},
    {"set": {"done": True}, "then": "exit"},
    {"set": {"done": True}, "then": "end"},
    {"switch": [{"a": {"when": ".n? == 1", "then": "exit"}}, {"b": {"then": "continue"}}]},
]


CONSTANT_AGAIN = [
    {"for": {"in": "[1, 2]"}, "do": [{"t0": {"wait": "PT2S"}}, {"t1": {"set": {"done": True}}}]},
]
"""A constant that a round's output already is: the very object, or an equal one once the state was stored."""


def named(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{f"t{index}": task} for index, task in enumerate(tasks)]


def composites(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    lists = st.lists(inner, min_size=1, max_size=3).map(named)
    retry = st.sampled_from(
        [
            {"delay": "PT1S", "jitter": {"from": "PT0S", "to": "PT1S"}, "limit": {"attempt": {"count": 1}}},
            {"limit": {"attempt": {"count": 2, "duration": "PT2S"}}, "backoff": {"linear": {}}},
        ]
    )
    return st.one_of(
        lists.map(lambda tasks: {"do": tasks}),
        lists.map(lambda tasks: {"do": tasks, "timeout": {"after": "PT4S"}}),
        lists.map(lambda tasks: {"for": {"in": "[1, 2, 3]"}, "while": "$item < 3", "do": tasks}),
        st.tuples(lists, st.booleans()).map(lambda it: {"fork": {"branches": it[0], "compete": it[1]}}),
        st.tuples(lists, lists).map(lambda it: {"try": it[0], "catch": {"do": it[1]}}),
        st.tuples(lists, retry).map(lambda it: {"try": it[0], "catch": {"retry": it[1]}}),
    )


TASKS = st.lists(st.recursive(st.sampled_from(LEAVES), composites, max_leaves=6), min_size=1, max_size=3).map(named)
MOVES = ["answer", "answer", "fail", "time", "time", "t", "u", "pause", "resume", "recover", "emitted"]


def play(simulation: Simulation, move: str, emits: list[int]) -> None:
    if move in ("answer", "fail") and (simulation.calls or simulation.children):
        if move == "answer":
            simulation.answer({"n": 1})
        else:
            simulation.fail()
    elif move == "time" and simulation.timers:
        simulation.pass_time()
    elif move in ("t", "u"):
        simulation.arrive(move, 1)
    elif move == "pause":
        simulation.give(s.Pause())
    elif move == "resume":
        simulation.give(s.Resume())
    elif move == "recover":
        assert simulation.give(s.Recovered()).records == []
    elif move == "emitted" and emits:
        simulation.give(s.CallEnded(task=emits[0]))


def check(simulation: Simulation) -> list[int]:
    """What the commands left outstanding is what the state waits for, and a run that goes on has something to wait
    for; returns the emits."""
    wanted = outstanding(simulation.state)
    emits = [int(name) for kind, name in wanted if kind == "emit"]
    commanded: dict[tuple[str, str], float | None] = {("timer", name): at for name, at in simulation.timers.items()}
    for kind, group in (("call", simulation.calls), ("child", simulation.children), ("events", simulation.listening)):
        commanded |= {(kind, str(task)): None for task in group}
    assert {key: at for key, at in wanted.items() if key[0] != "emit"} == commanded
    if simulation.state.status == "running":
        assert simulation.state.ready == []
        assert wanted
    return emits


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(tasks=TASKS, moves=st.lists(st.sampled_from(MOVES), max_size=14))
@example(tasks=named(CONSTANT_AGAIN), moves=["time", "time"])
def test_replay_is_what_was_live(tasks: list[dict[str, Any]], moves: list[str]) -> None:
    functions = 'use: { functions: { own: { call: f, with: { own: "${ . }" } } } }\ntimeout: { after: PT1M }\n'
    simulation = Simulation(f"{functions}do: {json.dumps(tasks)}", acknowledge=False)
    simulation.start({"n": 0})
    emits = check(simulation)
    for move in moves:
        play(simulation, move, emits)
        emits = check(simulation)
    if simulation.state.status == "faulted":
        simulation.give(s.Retry())
        check(simulation)
    if simulation.state.open:
        simulation.give(s.Cancel())
    if simulation.state.status != "faulted":
        assert outstanding(simulation.state) == {}
        assert simulation.state.frames == {}
