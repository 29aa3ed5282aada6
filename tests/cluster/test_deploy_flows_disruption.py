"""Two workflow services in containers: restarted and killed while runs are under way."""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.deployed import SYSTEM, Deployed, manifest
from tests.cluster.test_cluster_node import wait_until
from tests.cluster.test_deploy_disruption import (
    DEADLINE,
    all_names,
    load_on,
    names,
    others,
    process_of,
    ready,
    restarts,
)
from tests.cluster.test_deploy_flows import deploy, workflow
from tests.support.load import Load

pytestmark = pytest.mark.timeout(600)
SERVICE = "workflow"
COUNT = """
ran = {}

def handle(event):
    if "step" not in event:
        return [key for key, times in ran.items() if times > 1]
    key = event["id"] + event["step"]
    ran[key] = ran.get(key, 0) + 1
    return event
"""
"""On its one Pod, one call after another: it knows how often each step of each run was made."""


@pytest.fixture(scope="module")
def two_services(platform: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Two workflow services, and workflows `once` and `again` of calls of Functions; only `again` may be repeated."""
    scale(platform, 2)
    for name in ("once", "again"):
        one = {"scale": {"min": 1, "max": 1}, "concurrency": 1, "idempotent": name == "again"}
        platform.apply(manifest(name, source={"inline": {"main.py": COUNT}}, **one))
        deploy(platform, tmp_path_factory.mktemp(name), workflow(name, steps(name)))
    for name in ("once", "again"):
        wait_until(lambda name=name: platform.ready_pods(name) == 1, f"{name} has its Pod")  # type: ignore[misc]
    yield platform
    platform.kubectl("delete", "wf,fn", "once", "again", check=True)
    scale(platform, 1)


def steps(function: str) -> list[Any]:
    """Two calls with a pause between them."""
    calls = [
        {name: {"call": function, "with": {"id": "${ .id }", "step": f"/{name}"}}} for name in ("first", "last")
    ]  # fmt: skip
    return [calls[0], {"nap": {"wait": {"milliseconds": 50}}}, calls[1]]


def scale(platform: Deployed, replicas: int) -> None:
    name = f"deployment/{SERVICE}"
    platform.kubectl("scale", "-n", SYSTEM, name, f"--replicas={replicas}", check=True)
    platform.kubectl("rollout", "status", "-n", SYSTEM, name, "--timeout=120s", check=True)


def runs(platform: Deployed, name: str) -> Any:
    """Runs all the while, each waited for until it has ended."""
    return load_on(platform, f"/api/v1/namespaces/default/workflows/{name}/runs", Prefer=f"wait={DEADLINE:.0f}")


def not_completed(load: Load) -> list[str]:
    """What became of runs that ended otherwise."""
    views = [call.body for call in load.calls if call.status == 200]
    return others(load) + [view.decode() for view in views if json.loads(view)["run"]["status"] != "completed"]


def with_status(platform: Deployed, name: str, status: str) -> list[str]:
    """Ids of the runs of a workflow with a status."""
    url = f"{platform.gateway}/api/v1/namespaces/default/runs?workflow={name}&status={status}&limit=1000"
    with urllib.request.urlopen(urllib.request.Request(url, headers=platform.authorization()), timeout=40) as answer:
        return [run["id"] for run in json.load(answer)["items"]]


def ran_twice(platform: Deployed, name: str) -> list[str]:
    """Steps that were made more than once."""
    said = platform.faas("execute", f"default/{name}", "{}", check=True).out
    return list(json.loads(said.partition("result: ")[2]))


def test_a_rolling_restart_fails_no_run_and_repeats_no_step(two_services: Deployed) -> None:
    platform, name = two_services, f"deployment/{SERVICE}"
    before = names(platform, SERVICE)
    with runs(platform, "once") as load:
        platform.kubectl("rollout", "restart", "-n", SYSTEM, name, check=True)
        platform.kubectl("rollout", "status", "-n", SYSTEM, name, "--timeout=120s", check=True)
        wait_until(lambda: not before & all_names(platform, SERVICE), "the Pods before it have ended")
    assert not_completed(load) == []
    assert ran_twice(platform, "once") == []


def test_a_killed_service_loses_no_run(two_services: Deployed) -> None:
    """The other one takes its runs; a call that was under way may be repeated, as the Function allows."""
    platform = two_services
    with runs(platform, "again") as load:
        victim = sorted(names(platform, SERVICE))[0]
        os.kill(process_of(victim), signal.SIGKILL)
        wait_until(lambda: restarts(platform, victim) == 1, f"{victim} has begun again")
        wait_until(lambda: ready(platform, SERVICE) == 2, f"{victim} is ready again")
    failed = not_completed(load)
    assert len(failed) <= len(load.calls) / 100, f"{len(failed)} of {len(load.calls)} runs:\n" + "\n".join(failed)
    wait_until(lambda: with_status(platform, "again", "open") == [], "what was accepted has ended")
    assert with_status(platform, "again", "faulted") == []
