"""`python -m tests.cluster.differential.document` writes docs/reference/api-differences.md from the accepted list."""

from pathlib import Path

from tests.cluster.build import kubernetes_version
from tests.cluster.differential.accepted import ACCEPTED, KUBECTL
from tests.cluster.differential.servers import ALL_KINDS, request_count

DOCUMENT = Path(__file__).parents[3] / "docs/reference/api-differences.md"

HEAD = """# How the API server of `faas up` differs from the real one

<!-- Written by `python -m tests.cluster.differential.document` from tests/cluster/differential/accepted.py. -->

`make test-cluster` sends the same {count} generated requests to kube-apiserver {version} and to the API server of
`faas up`, and compares status codes, reasons, the fields that errors name, objects, tables and watch events: list, get,
create, update, JSON, merge and strategic patches, server-side apply, delete, the status and scale subresources, watches
(live, of the past, by labels), selectors, conflicts, and a creation with each bad value known for the kind. The kinds:
{kinds}. A difference that is not below fails the test.

## In what programs see

| difference | why it is left |
| --- | --- |
"""

KUBECTL_HEAD = """
## In what kubectl prints

The commands of `tests/cluster/test_cluster_kubectl.py` (apply, diff, get, describe, explain, label, patch, scale, wait,
delete and others) print the same on both servers{but}
"""

TAIL = """
## What is not compared

- The text of error messages (kubectl's output shows many of them), uids, times, resource versions as such (whether a
  request changed the version is compared).
- `metadata.managedFields`, which ours keeps only for objects that server-side apply was used on. So a request that
  changes nothing but who owns a field (a Scale set to the number that it has) is no change there.
- Validation rules in CEL beyond those of the project's own definitions: ours evaluates a part of the language, and
  warns when a definition is created with a rule that it can't check.
- What controllers do: both servers run alone. Deleting namespaces is a controller's work and left out. The ReplicaSet
  controller, garbage collection, scheduling and the kubelet are shown by the other tests of `tests/cluster`.
- Kinds, verbs and subresources that `faas up` does not serve: it answers 404 or 405.
"""


def document() -> str:
    """Returns the text of the document."""
    names = ", ".join(kind.name for kind in ALL_KINDS if kind.name != "Widget")
    kinds = f"{names}, and a custom resource that uses what Function does not"
    head = HEAD.format(version=kubernetes_version(), kinds=kinds, count=request_count())
    rows = [f"| {each.title} | {each.reason} |\n" for each in ACCEPTED]
    commands = [f"- `kubectl {command}`: {reason}\n" for command, reason in KUBECTL.items()]
    kubectl_head = KUBECTL_HEAD.format(but=", but for:\n" if commands else ".")
    return "".join([head, *rows, kubectl_head, *commands, TAIL])


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
    DOCUMENT.write_text(document())
