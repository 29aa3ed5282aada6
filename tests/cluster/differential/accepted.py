"""The differences between the API server of `faas up` and the real one that are left, each with its reason.

docs/reference/api-differences.md is this list for readers; document.py writes it and a test compares the two.
"""

from tests.cluster.differential.compare import Accepted, Difference

ACCEPTED: list[Accepted] = [
    Accepted(
        "An error that follows from another is left out",
        "A custom resource whose `spec` is no object is refused for that alone; the real server also names the field "
        "of the scale subresource that it could not find in it.",
        kind="Widget",
        what="(create|update) with spec of a wrong type",
        where="fields",
    ),
    Accepted(
        "A refused Scale of a ReplicaSet is named after the ReplicaSet",
        "The same code, reason and field; `details` name the object that would have been scaled, as for a custom "
        "resource, where the real server names the Scale.",
        kind="ReplicaSet",
        what="(patch|set) the scale",
        where=r"details\.(group|kind)",
    ),
]

KUBECTL = {  # commands of test_cluster_kubectl.py that print something else, and why
    "apply -f function-misspelt.yaml": "both refuse it; the real server quotes the whole object before it names the "
    "unknown field.",
    "diff -f function-changed.yaml": "after `apply --server-side` the real server has renewed the annotation in which "
    "`kubectl apply` keeps its last configuration; ours leaves it as it was.",
}


def accepted_by(difference: Difference) -> Accepted | None:
    """Returns the entry that covers the difference, or None for one that nobody gave a reason for."""
    return next((each for each in ACCEPTED if each.covers(difference)), None)
