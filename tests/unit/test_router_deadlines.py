"""The timing wheel: nothing early, nothing more than a slot late, nothing lost."""

from hypothesis import given
from hypothesis import strategies as st

from services.router.deadlines import Deadlines

TIMES = st.floats(0.0, 50.0, allow_nan=False)


@given(st.lists(st.tuples(TIMES, st.booleans()), max_size=60), st.lists(TIMES, max_size=30))
def test_each_item_is_due_once_in_its_slot(items: list[tuple[float, bool]], looks: list[float]) -> None:
    wheel: Deadlines[int] = Deadlines(0.0, width=0.5)
    slots = [wheel.add(number, when) for number, (when, _) in enumerate(items)]
    for number, (_, dropped) in enumerate(items):
        if dropped:
            wheel.discard(number, slots[number])
    found: dict[int, float] = {}
    previous = 0.0
    for now in [*sorted(looks), 60.0]:
        for number in wheel.due(now):
            assert number not in found
            when, dropped = items[number]
            assert not dropped
            assert when <= now
            assert previous < when + 1.0, "it should have come with an earlier look"
            found[number] = now
        previous = now
    assert set(found) == {number for number, (_, dropped) in enumerate(items) if not dropped}
    assert len(wheel) == 0


def test_an_item_added_late_is_due_with_the_next_slot() -> None:
    wheel: Deadlines[str] = Deadlines(0.0, width=1.0)
    assert wheel.due(10.0) == []
    wheel.add("late", 3.0)
    assert wheel.due(10.5) == []
    assert wheel.due(11.0) == ["late"]


def test_discard_of_what_was_reported_changes_nothing() -> None:
    wheel: Deadlines[str] = Deadlines(0.0, width=1.0)
    slot = wheel.add("one", 0.5)
    assert wheel.due(1.0) == ["one"]
    wheel.discard("one", slot)
    assert len(wheel) == 0
