"""The least-loaded choice against a plain model of it."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from services.router.choose import LeastLoaded


@dataclass(eq=False)
class Carrier:
    """Something that carries calls."""

    in_flight: int = 0


STEPS = st.lists(st.tuples(st.sampled_from(["start", "end", "leave", "join"]), st.integers(0, 4)), max_size=200)


@given(STEPS, st.integers(1, 4))
def test_choice_is_a_least_loaded_member_below_the_limit(steps: list[tuple[str, int]], limit: int) -> None:
    carriers = [Carrier() for _ in range(5)]
    members = set(carriers)
    balance = LeastLoaded(carriers)
    for step, number in steps:
        carrier = carriers[number]
        if step == "start":
            chosen = balance.choose(limit)
            free = [member.in_flight for member in members if member.in_flight < limit]
            assert (chosen is None) == (not free)
            if chosen is not None:
                assert chosen in members
                assert chosen.in_flight == min(free)
                balance.start(chosen)
        elif step == "end" and carrier.in_flight:
            balance.end(carrier)
        elif step == "leave":
            balance.discard(carrier)
            members.discard(carrier)
        elif step == "join":
            balance.add(carrier)
            members.add(carrier)
        assert len(balance) == len(members)
        assert all(member in balance for member in members)
        assert all(0 <= one.in_flight <= limit for one in carriers)


def test_equals_are_taken_in_turn() -> None:
    carriers = [Carrier() for _ in range(3)]
    balance = LeastLoaded(carriers)
    taken = []
    for _ in range(6):
        chosen = balance.choose(10)
        assert chosen is not None
        balance.start(chosen)
        balance.end(chosen)
        taken.append(carriers.index(chosen))
    assert taken == [0, 1, 2, 0, 1, 2]


def test_nobody_can_be_chosen_from_nobody() -> None:
    balance: LeastLoaded[Carrier] = LeastLoaded()
    assert balance.choose(1) is None
    balance.add(carrier := Carrier(7))
    assert balance.choose(7) is None
    assert balance.choose(8) is carrier
