"""What a controller has asked for and not yet seen in its watch.

Without it a watch that lags behind shows too few Pods, and the controller would create them a second time. Source: the
ControllerExpectations of Kubernetes.
"""

import msgspec

EXPIRY_SECONDS = 30.0
"""A watch that has not shown a creation for so long has lost it: the Pod came and went in one of its gaps. Kubernetes
waits five minutes; here the API server is on the same machine."""


class _Expected(msgspec.Struct):
    since: float
    creations: int = 0
    deletions: set[str] = msgspec.field(default_factory=set)


class Expectations:
    """By owner uid; `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._expected: dict[str, _Expected] = {}

    def satisfied(self, owner: str, now: float) -> bool:
        """Whether the watch has shown everything that was asked for (or too long has passed)."""
        expected = self._expected.get(owner)
        if expected is None:
            return True
        if now - expected.since > EXPIRY_SECONDS or not (expected.creations or expected.deletions):
            del self._expected[owner]
            return True
        return False

    def expect_creations(self, owner: str, count: int, now: float) -> None:
        """`count` creations are about to be asked for (before the request: its watch event may precede its answer)."""
        expected = self._expected.setdefault(owner, _Expected(now))
        expected.since = now
        expected.creations += count

    def expect_deletion(self, owner: str, uid: str, now: float) -> None:
        """The deletion of an object is about to be asked for."""
        expected = self._expected.setdefault(owner, _Expected(now))
        expected.since = now
        expected.deletions.add(uid)

    def created(self, owner: str) -> None:
        """A creation was seen, or was refused and will not be seen."""
        expected = self._expected.get(owner)
        if expected is not None and expected.creations > 0:
            expected.creations -= 1

    def deleted(self, owner: str, uid: str) -> None:
        """A deletion (or its beginning) was seen, or was refused."""
        expected = self._expected.get(owner)
        if expected is not None:
            expected.deletions.discard(uid)

    def forget(self, owner: str) -> None:
        """The owner is gone."""
        self._expected.pop(owner, None)
