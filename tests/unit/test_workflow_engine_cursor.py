"""Events that are delivered again: a listening task knows how far it is."""

from services.workflow.engine import commands as c
from services.workflow.engine import stimuli as s
from tests.workflow.ctk.simulation import Simulation

UNTIL = "do:\n- l: { listen: { to: { any: [ { with: { type: t } } ], until: '( . | length ) > 2' } } }"


def arrive(simulation: Simulation, sequence: int, data: object, type_: str = "t") -> None:
    (task,) = simulation.listening
    event = {"specversion": "1.0", "id": "e", "source": "/test", "type": type_, "data": data}
    simulation.give(s.EventArrived(task=task, event=event, sequence=sequence))


def test_an_event_delivered_again_is_consumed_once() -> None:
    simulation = Simulation(UNTIL).start()
    for sequence, data in ((4, "a"), (4, "a"), (3, "before"), (9, "b"), (4, "a"), (10, "c")):
        arrive(simulation, sequence, data)
    assert simulation.output == ["a", "b", "c"]


def test_who_takes_over_listens_from_the_last_event_on() -> None:
    simulation = Simulation(UNTIL).start()
    (first,) = (command for command in simulation.commands if isinstance(command, c.Subscribe))
    assert (first.after, first.types) == (0, ("t",))
    assert 0 < first.since <= simulation.now
    arrive(simulation, 7, "a")
    arrive(simulation, 8, "of another type", type_="u")  # not consumed, so no place to go on from
    again = simulation.give(s.Recovered()).commands
    (subscribed,) = (command for command in again if isinstance(command, c.Subscribe))
    assert (subscribed.after, subscribed.since) == (7, first.since)


def test_events_that_come_during_a_round_are_listened_for_from_the_last_one_on() -> None:
    tasks = """
do:
- l:
    listen: { to: { any: [ { with: { type: t } } ], until: '( . | length ) > 1' } }
    foreach: { item: e, do: [ { a: { call: f } } ] }
"""
    simulation = Simulation(tasks).start()
    arrive(simulation, 5, "a")
    again = simulation.give(s.Recovered()).commands
    (subscribed,) = [command for command in again if isinstance(command, c.Subscribe)]
    assert subscribed.after == 5
    simulation.answer("done")
    arrive(simulation, 5, "a")
    assert simulation.state.status == "running"
    arrive(simulation, 6, "b")
    simulation.answer("done")
    assert simulation.output == ["done", "done"]
