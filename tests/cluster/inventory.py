"""Every object of a cluster by its name, to see what an uninstallation leaves behind."""

import subprocess
import time
from collections.abc import Callable

Kubectl = Callable[..., list[str]]
"""Makes the command line of kubectl with these arguments."""
GONE_WITHIN = 90.0
"""Seconds after `kubectl delete` has returned: what was owned by what is deleted goes a moment later."""


def everything(kubectl: Kubectl) -> set[str]:
    """Every object of the cluster by kind, namespace and name, but for events and what nodes tell of themselves."""
    kinds = _output(kubectl("api-resources", "--verbs=list", "-o", "name")).split()
    listed = [kind for kind in kinds if not kind.startswith("events")]
    form = '{range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{"\\n"}{end}'
    found = _output(kubectl("get", ",".join(listed), "-A", "-o", f"jsonpath={form}")).splitlines()
    return {each for each in found if not each.startswith("Lease kube-node-lease/")}


def wait_for_nothing_but(before: set[str], kubectl: Kubectl) -> None:
    """Returns once the cluster has no other object; fails with the list of those that stay."""
    deadline = time.monotonic() + GONE_WITHIN
    while left := everything(kubectl) - before:
        assert time.monotonic() < deadline, f"left after {GONE_WITHIN:.0f} s: {sorted(left)}"
        time.sleep(0.5)


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
