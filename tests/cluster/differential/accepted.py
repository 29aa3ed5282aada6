"""The differences between the API server of `faas up` and the real one that are left, each with its reason."""

from tests.cluster.differential.compare import Accepted

ACCEPTED: list[Accepted] = []
