"""Who drives which run: signs of life in, decisions out, on virtual time."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.runs import Alive
from services.workflow.driver.ownership import Members, Owner, parse_owner, rendezvous

ME = Owner("me", "1")
OTHER = Owner("other", "1")
RUNS = [f"default/run-{number}" for number in range(300)]


def members(silence: float = 1.5) -> Members:
    return Members(ME, silence, now=0.0)


def live(found: Members, until: float, *others: Owner, since: float = 0.0) -> None:
    """Signs of life of this instance and of the others, twice a second, up to a moment."""
    moment = since
    while moment <= until:
        for owner in (ME, *others):
            found.hear(Alive(owner.instance, owner.boot), moment)
        moment += 0.5


@given(st.sets(st.text("abc", min_size=1, max_size=4), min_size=2, max_size=8), st.data())
def test_when_an_instance_leaves_only_its_runs_change_hands(instances: set[str], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(instances)))
    for run in RUNS[:40]:
        before = rendezvous(run, instances)
        after = rendezvous(run, instances - {gone})
        assert after == before or before == gone


def test_runs_are_spread_evenly() -> None:
    shares = Counter(rendezvous(run, ["a", "b", "c"]) for run in RUNS)
    assert min(shares.values()) > 60


def test_an_owner_as_text() -> None:
    assert parse_owner(str(ME)) == ME


def test_a_silent_instance_is_dead_and_its_runs_are_shared() -> None:
    found = members()
    live(found, 3.0, OTHER)
    assert found.is_alive(OTHER)
    assert not any(found.mine(run, OTHER) for run in RUNS)
    live(found, 4.5, since=3.5)
    assert found.bury() == []
    live(found, 5.0, since=5.0)
    assert found.bury() == ["other"]
    assert all(found.mine(run, OTHER) for run in RUNS)


def test_survivors_agree_who_takes_what() -> None:
    one, two = members(), Members(Owner("two", "1"), 1.5, 0.0)
    live(one, 3.0, Owner("two", "1"))
    moment = 0.0
    while moment <= 3.0:
        two.hear(Alive("two", "1"), moment)
        two.hear(Alive("me", "1"), moment)
        moment += 0.5
    for run in RUNS:
        assert one.mine(run, OTHER) != two.mine(run, OTHER)


def test_nobody_dies_while_nothing_is_heard_at_all() -> None:
    found = members()
    live(found, 3.0, OTHER)
    assert found.bury() == []  # an hour may pass: without an echo of its own this side is deaf
    found.hear(Alive("other", "1"), 3600.0)
    found.hear(Alive("me", "1"), 3600.0)
    assert found.bury() == []


def test_an_outage_is_no_silence_of_the_others() -> None:
    found = members()
    live(found, 3.0, OTHER)
    found.refresh(100.0)
    found.hear(Alive("me", "1"), 100.1)
    assert found.bury() == []
    assert found.is_alive(OTHER)
    assert not found.settled()


def test_who_has_just_started_takes_only_what_was_its_own() -> None:
    found = members()
    assert all(found.mine(run, Owner("me", "0")) for run in RUNS)
    assert not any(found.mine(run, OTHER) for run in RUNS)
    live(found, 2.0)
    assert found.settled()
    assert all(found.mine(run, OTHER) for run in RUNS)


def test_an_instance_that_started_again_takes_its_own() -> None:
    found = members()
    live(found, 3.0, OTHER)
    assert found.hear(Alive("other", "2"), 3.1), "the runs of its earlier start are free"
    assert not found.is_alive(OTHER)
    assert [found.heir(run, OTHER) for run in RUNS[:3]] == ["other"] * 3
    assert not any(found.mine(run, OTHER) for run in RUNS)


def test_one_that_leaves_is_gone_at_once() -> None:
    found = members()
    live(found, 3.0, OTHER)
    assert found.hear(Alive("other", "1", leaving=True), 3.1)
    assert all(found.mine(run, OTHER) for run in RUNS)
    assert not found.hear(Alive("other", "1", leaving=True), 3.2)


def test_one_that_has_left_is_known_to_be_gone_before_all_others_are_known() -> None:
    found = members(silence=60.0)
    live(found, 1.0, OTHER)
    assert not found.is_gone(Owner("third", "1"))
    found.hear(Alive("other", "1", leaving=True), 1.1)
    assert found.is_gone(OTHER)
    assert all(found.mine(run, OTHER) for run in RUNS)


def test_one_that_is_leaving_takes_nothing() -> None:
    found = members()
    live(found, 3.0, OTHER)
    found.leave()
    assert not any(found.mine(run, Owner("me", "0")) for run in RUNS)
    assert found.heir(RUNS[0], ME) == "other"


def test_who_was_stopped_is_not_sure_before_a_new_sign_of_its_own_came_back() -> None:
    found = members()
    found.hear(Alive("me", "1", sent=1.0), 1.1)
    assert found.sure(2.5)
    assert not found.sure(2.6)
    found.hear(Alive("me", "1", sent=1.0), 60.0)  # it lay unread while this side was stopped
    assert not found.sure(60.0)
    found.hear(Alive("me", "1", sent=60.0), 60.1)
    assert found.sure(60.1)


def test_rendezvous_of_nobody() -> None:
    with pytest.raises(ValueError, match="empty"):
        rendezvous("default/run", [])
