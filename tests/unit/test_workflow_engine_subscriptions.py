"""Subscriptions by AsyncAPI: messages as stimuli, in virtual time."""

from typing import Any

import pytest

from services.workflow.engine import commands as c
from services.workflow.engine import step
from services.workflow.engine import stimuli as s
from tests.workflow.ctk.simulation import Simulation

CALL = """
do:
- inbox:
    call: asyncapi
    with:
      document: {{ endpoint: https://x.example/asyncapi.json }}
      operation: hear
      subscription: {subscription}
{more}
- after: {{ set: {{ got: '${{ . }}', context: '${{ $context }}' }} }}
"""


def run(subscription: str, more: str = "", input: Any = None) -> Simulation:
    return Simulation(CALL.format(subscription=subscription, more=more)).start(input)


def send(simulation: Simulation, *payloads: Any) -> None:
    for payload in payloads:
        for task in list(simulation.calls):
            simulation.give(s.MessageArrived(task=task, message={"payload": payload, "headers": {}}))


def payloads(simulation: Simulation) -> list[Any]:
    return [message["payload"] for message in simulation.output["got"]]


def test_an_amount_of_messages_that_pass_the_filter() -> None:
    simulation = run("{ filter: '${ .payload.n > $input.least }', consume: { amount: 2 } }", input={"least": 1})
    (command,) = simulation.calls.values()
    assert command.arguments.operation == "hear"
    send(simulation, {"n": 1}, {"n": 2}, {"n": 0}, {"n": 3}, {"n": 4})
    assert payloads(simulation) == [{"n": 2}, {"n": 3}]
    assert simulation.calls == {}, "enough: the subscription is dropped"


def test_none_is_an_amount_too() -> None:
    assert run("{ consume: { amount: 0 } }").output["got"] == []


@pytest.mark.parametrize("how", ["while: '${ length < 3 }'", "until: '${ length == 3 }'"])
def test_while_and_until_are_conditions_on_what_was_consumed(how: str) -> None:
    simulation = run(f"{{ consume: {{ {how} }} }}")
    send(simulation, 1, 2, 3, 4)
    assert payloads(simulation) == [1, 2, 3]


def test_the_time_of_a_subscription_ends_it_with_what_came() -> None:
    simulation = run("{ consume: { amount: 5, for: { seconds: 10 } } }")
    send(simulation, "a")
    assert simulation.pass_time().endswith(".enough")
    assert payloads(simulation) == ["a"]
    assert simulation.timers == {}


def test_foreach_takes_messages_in_order_and_its_exports_end_the_subscription() -> None:
    simulation = run("""
        consume: { until: '${ ($context.seen | length) == 2 }', for: PT1H }
        foreach:
          item: message
          at: position
          do: [ { work: { call: f, with: { m: '${ $message.payload }', at: '${ $position }' } } } ]
          output: { as: '{ worked: . }' }
          export: { as: '$context + { seen: (($context.seen // []) + [$message.payload]) }' }
""")
    send(simulation, "a", "b", "c")
    work = max(simulation.calls)
    assert simulation.answer("A", task=work) == {"m": "a", "at": 0}
    assert simulation.answer("B", task=max(simulation.calls)) == {"m": "b", "at": 1}
    assert simulation.output["got"] == [{"worked": "A"}, {"worked": "B"}]
    assert simulation.output["context"]["seen"] == ["a", "b"]
    assert (simulation.calls, simulation.timers) == ({}, {})


def test_foreach_with_an_amount_works_off_what_is_left() -> None:
    simulation = run("{ consume: { amount: 2 }, foreach: { do: [ { work: { call: f } } ] } }")
    send(simulation, "a", "b", "c")
    assert simulation.answer(1, task=max(simulation.calls))["payload"] == "a"
    assert simulation.answer(2)["payload"] == "b"
    assert simulation.output["got"] == [1, 2]


def test_the_end_of_the_time_lets_the_round_under_way_finish() -> None:
    simulation = run("{ consume: { while: '${ true }', for: PT5S }, foreach: { do: [ { work: { call: f } } ] } }")
    send(simulation, "a")
    work = max(simulation.calls)
    simulation.pass_time()
    assert list(simulation.calls) == [work], "no more messages are wanted"
    simulation.answer("A")
    assert simulation.output["got"] == ["A"]


def test_a_subscription_that_breaks_is_an_error_that_can_be_caught_and_tried_again() -> None:
    simulation = Simulation("""
do:
- t:
    try:
    - inbox:
        call: asyncapi
        with:
          document: { endpoint: https://x.example/asyncapi.json }
          channel: c
          subscription: { consume: { amount: 1 } }
    catch: { errors: { with: { status: 502 } }, retry: { delay: PT1S, limit: { attempt: { count: 1 } } } }
""").start()
    simulation.fail(502)
    simulation.pass_time()
    send(simulation, "late")
    assert [message["payload"] for message in simulation.output] == ["late"]


def test_a_filter_that_fails_is_an_expression_error_of_the_task() -> None:
    simulation = run("{ filter: '${ .payload | error }', consume: { amount: 1 } }")
    send(simulation, "x")
    assert (simulation.error["status"], simulation.error["instance"]) == (400, "/do/0/inbox")


def test_a_new_owner_subscribes_again() -> None:
    simulation = run("{ consume: { amount: 2 } }")
    send(simulation, 1)
    simulation.calls.clear()
    simulation.give(s.Recovered())
    send(simulation, 2)
    assert payloads(simulation) == [1, 2]


SLOW = {
    "messages": CALL.format(
        subscription="{ consume: { amount: 30 }, foreach: { do: [ { work: { call: f } } ] } }", more=""
    ),
    "events": """
do:
- inbox:
    listen: { to: { any: [], until: 'length == 30' } }
    foreach: { do: [ { work: { call: f } } ] }
""",
}


def offer(simulation: Simulation, count: int) -> None:
    for number in range(count):
        simulation.give(s.MessageArrived(task=1, message={"payload": number, "headers": {}}))
        simulation.give(s.EventArrived(task=1, event={"type": "t", "id": str(number), "data": number}, sequence=0))


def holds(simulation: Simulation) -> list[bool]:
    return [command.held for command in simulation.commands if isinstance(command, c.Hold)]


@pytest.mark.parametrize("kind", SLOW)
def test_no_more_are_to_come_while_many_wait_for_their_round(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.workflow.engine.state.MAX_QUEUED", 10)
    simulation = Simulation(SLOW[kind]).start()
    offer(simulation, 10)
    assert holds(simulation) == [], "one has its round, the others wait"
    offer(simulation, 1)
    assert holds(simulation) == [True]
    offer(simulation, 5)  # what is on its way
    recovered = step(simulation.plan, simulation.state, s.Recovered(), simulation.now, simulation.environment)
    told = [type(command) for command in recovered.commands if isinstance(command, c.StartCall | c.Subscribe | c.Hold)]
    assert told.index(c.Hold) > 0, "held for a new owner too, who has subscribed before"
    for _ in range(11):
        assert holds(simulation) == [True]
        simulation.answer(task=max(simulation.calls))
    assert holds(simulation) == [True, False], "half of them are left"
    for _ in range(5):
        simulation.answer(task=max(simulation.calls))
    offer(simulation, 30)
    assert holds(simulation) == [True, False, True, False], "enough came, and is waited for no more"
    for _ in range(30 - 16):
        simulation.answer(task=max(simulation.calls))
    assert simulation.state.status == "completed"
    assert simulation.calls == {}


def test_what_has_no_rounds_is_never_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.workflow.engine.state.MAX_QUEUED", 10)
    simulation = run("{ consume: { amount: 20 } }")
    offer(simulation, 20)
    assert (len(payloads(simulation)), holds(simulation)) == (20, [])
