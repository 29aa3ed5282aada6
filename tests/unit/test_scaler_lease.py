"""Leader election on virtual time, each candidate with a clock of its own."""

from typing import Any

import pytest

from services.contracts.resources import ObjectMeta
from services.scaler.lease import Election, Lease, LeaseSpec, Timing

TIMING = Timing(lease=15.0, renew=10.0, retry=2.0)


class Store:
    """A Lease with compare-and-set, as the API server keeps it."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self._version = 0

    def write(self, body: dict[str, Any]) -> Lease | None:
        """The Lease as written; None for a conflict."""
        expected = body["metadata"].get("resourceVersion", "")
        if expected != (self.lease.metadata.resource_version if self.lease else ""):
            return None
        self._version += 1
        spec = body["spec"]
        before = self.lease.spec if self.lease else LeaseSpec()
        self.lease = Lease(
            metadata=ObjectMeta(uid="u", resource_version=str(self._version)),
            spec=LeaseSpec(
                holder_identity=spec["holderIdentity"],
                lease_duration_seconds=spec["leaseDurationSeconds"],
                acquire_time=spec.get("acquireTime", before.acquire_time),
                renew_time=spec.get("renewTime", before.renew_time),
                lease_transitions=spec.get("leaseTransitions", before.lease_transitions),
            ),
        )
        return self.lease


def campaign(store: Store, election: Election, now: float) -> bool:
    """One round of a candidate who sees the Lease as it is; whether it leads then."""
    election.saw(store.lease, now)
    body = election.bid(now, 1e9 + now)
    if body is not None and (written := store.write(body)) is not None:
        election.renewed(written, now)
    return election.leads(now)


def test_the_first_leads_and_the_second_waits() -> None:
    store, first, second = Store(), Election("a", TIMING), Election("b", TIMING)
    assert campaign(store, first, 0.0)
    assert not campaign(store, second, 1.0)
    assert second.wait(1.0) == pytest.approx(15.0)


def test_a_silent_leader_stops_before_another_may_begin() -> None:
    store, first, second = Store(), Election("a", TIMING), Election("b", TIMING)
    campaign(store, first, 0.0)
    led = {now / 10: (first.leads(now / 10), campaign(store, second, now / 10)) for now in range(1, 200)}
    assert not any(both == (True, True) for both in led.values())
    assert [now for now, (old, _) in led.items() if old][-1] < TIMING.renew
    assert next(now for now, (_, new) in led.items() if new) >= TIMING.lease


def test_others_count_from_when_they_saw_the_last_renewal() -> None:
    """Clocks of machines need not agree: only changes are believed, not the times in the Lease."""
    store, first, second = Store(), Election("a", TIMING), Election("b", TIMING)
    offset = 1e6
    for now in range(0, 100, 2):
        assert campaign(store, first, float(now))
        assert not campaign(store, second, now + offset)


def test_a_restarted_process_of_the_same_name_leads_at_once() -> None:
    store = Store()
    campaign(store, Election("local-scaler", TIMING), 0.0)
    assert campaign(store, Election("local-scaler", TIMING), 0.5)


def test_a_released_lease_is_free_at_once() -> None:
    store, first, second = Store(), Election("a", TIMING), Election("b", TIMING)
    campaign(store, first, 0.0)
    campaign(store, second, 0.1)
    body = first.release()
    first.resign()
    assert body is not None
    assert store.write(body) is not None
    assert not first.leads(0.2)
    assert campaign(store, second, 0.2)
    assert store.lease is not None
    assert store.lease.spec.lease_transitions == 1


def test_of_two_that_bid_at_once_one_wins() -> None:
    store, first, second = Store(), Election("a", TIMING), Election("b", TIMING)
    bodies = [election.bid(0.0, 0.0) for election in (first, second)]
    assert [store.write(body) is not None for body in bodies if body is not None] == [True, False]


def test_who_does_not_hold_it_releases_nothing() -> None:
    store, first, second = Store(), Election("a", TIMING), Election("b", TIMING)
    assert second.release() is None
    campaign(store, first, 0.0)
    campaign(store, second, 0.0)
    assert second.release() is None


def test_a_deleted_lease_is_taken_anew() -> None:
    store, first = Store(), Election("a", TIMING)
    campaign(store, first, 0.0)
    store.lease = None
    assert campaign(store, first, 1.0)
