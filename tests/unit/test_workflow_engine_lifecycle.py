# ruff: noqa: E501 (a scenario a line)
"""The specification's lifecycle events."""

from services.workflow.engine import commands as c
from services.workflow.engine import stimuli as s
from tests.workflow.ctk.simulation import Simulation


def published(simulation: Simulation) -> dict[str, dict[str, object]]:
    """The data of the last event of each kind."""
    return {command.kind: command.data for command in simulation.commands if isinstance(command, c.Publish)}


def test_a_run_and_its_tasks_from_start_to_completion() -> None:
    simulation = Simulation("do:\n- a: { set: { x: 1 } }").start()
    assert simulation.kinds == [
        "workflow.started",
        "task.created",
        "task.started",
        "task.completed",
        "workflow.completed",
    ]
    events, at = published(simulation), "2023-11-14T22:13:20.000Z"
    assert events["workflow.started"] == {
        "name": "test-run1.default",
        "definition": {"name": "test", "namespace": "default", "version": "1.0.0"},
        "startedAt": at,
    }
    assert events["task.completed"] == {"workflow": "test-run1.default", "task": "/do/0/a", "completedAt": at}


def test_a_fault_is_told_for_the_task_what_is_around_it_and_the_run() -> None:
    simulation = Simulation("do:\n- a: { do: [ { b: { call: f } } ] }").start()
    simulation.fail()
    faulted = [
        command.data for command in simulation.commands if isinstance(command, c.Publish) and "faulted" in command.kind
    ]
    assert [data.get("task") for data in faulted] == ["/do/0/a/do/0/b", "/do/0/a", None]
    assert all(data["error"]["status"] == 503 for data in faulted)


def test_pausing_tells_it_of_the_tasks_under_way() -> None:
    simulation = Simulation("do:\n- a: { call: f }").start()
    simulation.give(s.Pause())
    simulation.give(s.Resume())
    assert simulation.kinds[-4:] == ["task.suspended", "workflow.suspended", "task.resumed", "workflow.resumed"]


def test_correlation_begins_once_and_ends_with_its_keys() -> None:
    simulation = Simulation(
        "do:\n- l: { listen: { to: { any: [ { with: { type: t }, correlate: { k: { from: .data } } } ], until: length > 1 } } }"
    ).start()
    simulation.arrive("t", 7)
    simulation.arrive("t", 7)
    kinds = [kind for kind in simulation.kinds if "correlation" in kind]
    assert kinds == ["workflow.correlation-started", "workflow.correlation-completed"]
    assert published(simulation)["workflow.correlation-completed"]["correlationKeys"] == {"k": 7}


def test_a_caught_error_faults_its_branch_and_cancels_the_others() -> None:
    simulation = Simulation(
        "do:\n- t: { try: [ { f: { fork: { branches: [ { a: { call: f } }, { b: { call: g } } ] } } } ], catch: {} }"
    ).start()
    simulation.fail(task=min(simulation.calls))
    told = [
        (command.kind, str(command.data["task"]).rpartition("/")[2])
        for command in simulation.commands
        if isinstance(command, c.Publish) and command.kind in ("task.faulted", "task.cancelled")
    ]
    assert told == [("task.cancelled", "b"), ("task.faulted", "a"), ("task.faulted", "f")]
    assert simulation.state.status == "completed"
