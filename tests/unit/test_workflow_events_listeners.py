"""Who is given which event: by namespace and type, each once, in order."""

from services.contracts.names import FunctionRef
from services.workflow.events.listeners import Listener, Listeners
from services.workflow.store.events import Event


def event(sequence: int, type_: str = "t", namespace: str = "default") -> Event:
    return Event(sequence, namespace, 0.0, {"type": type_})


def listener(name: str, *types: str, after: int = 0, namespace: str = "default", behind: bool = False) -> Listener:
    made = Listener((FunctionRef(namespace, name), 1), types, 0.0, after)
    made.behind = behind
    return made


def test_by_namespace_and_type() -> None:
    listeners = Listeners()
    for each in (
        listener("t", "t"),
        listener("both", "t", "u"),
        listener("any"),
        listener("other", "x"),
        listener("elsewhere", "t", namespace="red"),
    ):
        listeners.add(each)
    assert {key[0].name for key in listeners.on_event(event(1, "t"))} == {"t", "both", "any"}
    assert {key[0].name for key in listeners.on_event(event(2, "u"))} == {"both", "any"}
    assert {key[0].name for key in listeners.on_event(event(3, "t", "red"))} == {"elsewhere"}


def test_each_event_once() -> None:
    listeners = Listeners()
    listeners.add(listener("a", after=5))
    assert [listeners.on_event(event(number)) != [] for number in (4, 5, 6, 6, 7)] == [False, False, True, False, True]


def test_one_that_is_behind_gets_what_came_meanwhile_after_what_was_before() -> None:
    listeners, one = Listeners(), listener("a", "t", behind=True, after=2)
    listeners.add(one)
    for number in (5, 6):
        assert listeners.on_event(event(number)) == []
    older = [event(3), event(4, "u"), event(5)]
    assert [found.sequence for found in one.take([*older, *one.pending])] == [3, 5, 6]
    assert one.cursor == 6


def test_what_is_removed_or_replaced_gets_nothing() -> None:
    listeners, first, second = Listeners(), listener("a", "t"), listener("a", "u")
    listeners.add(first)
    listeners.add(second)
    assert not listeners.has(first)
    assert listeners.has(second)
    assert listeners.on_event(event(1, "t")) == []
    assert listeners.on_event(event(2, "u")) == [second.key]
    listeners.remove(second.key)
    listeners.remove(second.key)
    assert listeners.on_event(event(3, "u")) == []
    assert len(listeners) == 0
    assert listeners._by_type == {}
