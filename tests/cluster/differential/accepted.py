"""The differences between the API server of `faas up` and the real one that are left, each with its reason."""

from tests.cluster.differential.compare import Accepted, Difference

ACCEPTED: list[Accepted] = []


def accepted_by(difference: Difference) -> Accepted | None:
    """Returns the entry that covers the difference, or None for one that nobody gave a reason for."""
    return next((each for each in ACCEPTED if each.covers(difference)), None)
