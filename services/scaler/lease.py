"""Which scaler acts: rules of leader election by a Lease (coordination.k8s.io/v1). Pure in ``now`` (monotonic seconds).

As in client-go's leaderelection: clocks of machines need not agree, since everybody counts from when he saw the Lease
change, and a leader stops acting before the others may take over.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from services.contracts.resources import ObjectMeta, Resource


class LeaseSpec(Resource):
    """Who holds the Lease, and for how long after its last renewal."""

    holder_identity: str = ""
    lease_duration_seconds: int = 0
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int = 0


class Lease(Resource):
    """The Lease as the API server keeps it."""

    metadata: ObjectMeta
    spec: LeaseSpec


class Timing(NamedTuple):
    """Seconds: how long others wait, how long a leader goes on without a renewal, how often it renews."""

    lease: float
    renew: float
    retry: float


class Election:
    """One candidate's knowledge of the Lease."""

    def __init__(self, identity: str, timing: Timing) -> None:
        self.identity = identity
        self.timing = timing
        self._seen: Lease | None = None
        self._seen_at = 0.0
        self._leads_until = 0.0

    def saw(self, lease: Lease | None, now: float) -> None:
        """Takes in the Lease's present state; None: there is none."""
        if lease is None or self._seen is None or _mark(lease) != _mark(self._seen):
            self._seen_at = now
        self._seen = lease

    def renewed(self, lease: Lease, asked_at: float) -> None:
        """The API server has accepted what ``bid`` proposed; ``asked_at``: when the request was sent."""
        self.saw(lease, asked_at)
        self._leads_until = asked_at + self.timing.renew

    def leads(self, now: float) -> bool:
        """Whether this candidate may act."""
        return now < self._leads_until

    def resign(self) -> None:
        """Stops acting at once."""
        self._leads_until = 0.0

    def wait(self, now: float) -> float:
        """Seconds until ``bid`` may propose something; a change of the Lease may come before."""
        if self._seen is None or not self._held_by_another(now):
            return 0.0
        return max(0.0, self._expires() - now)

    def bid(self, now: float, unix: float) -> dict[str, Any] | None:
        """The Lease to write, to take or to keep it; None while another one holds it."""
        if self._held_by_another(now):
            return None
        before = self._seen.spec if self._seen is not None else LeaseSpec()
        moment = datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        same = before.holder_identity == self.identity
        return self._body(
            holderIdentity=self.identity,
            leaseDurationSeconds=max(1, round(self.timing.lease)),
            acquireTime=before.acquire_time if same and before.acquire_time else moment,
            renewTime=moment,
            leaseTransitions=before.lease_transitions + (not same and self._seen is not None),
        )

    def release(self) -> dict[str, Any] | None:
        """The Lease to write so that another may lead at once; None when it is not this candidate's."""
        if self._seen is None or self._seen.spec.holder_identity != self.identity:
            return None
        return self._body(holderIdentity="", leaseDurationSeconds=1)

    def _body(self, **spec: Any) -> dict[str, Any]:
        # the version makes it a compare-and-set: of two that bid at once, one wins
        metadata = {} if self._seen is None else {"resourceVersion": self._seen.metadata.resource_version}
        return {"metadata": metadata, "spec": spec}

    def _held_by_another(self, now: float) -> bool:
        if self._seen is None or self._seen.spec.holder_identity in ("", self.identity):
            return False
        return now < self._expires()

    def _expires(self) -> float:
        return self._seen_at + (self._seen.spec.lease_duration_seconds if self._seen is not None else 0)


def _mark(lease: Lease) -> tuple[str, str, str | None]:
    return lease.metadata.uid, lease.spec.holder_identity, lease.spec.renew_time
