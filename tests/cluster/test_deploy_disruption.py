"""Load on the platform in containers while parts of it are replaced, restarted and killed."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.deployed import SYSTEM, Deployed, manifest
from tests.cluster.test_cluster_node import wait_until
from tests.support.load import Load, running_load

pytestmark = pytest.mark.timeout(600)
SERVICES = ("gateway", "router", "scaler")
ECHO = 'def handle(event):\n    return "{}"\n'
DEADLINE = 10.0
"""Seconds that each call of the load is given."""
SLACK = 1.0
"""Seconds by which a busy machine may tell of a deadline late."""
WARM_CALLS = 500
"""Calls answered before and after what happens: enough that 1 % is more than what is in flight at a moment."""


@pytest.fixture(scope="module")
def two_of_each(platform: Deployed) -> Iterator[Deployed]:
    """Two gateways, routers and scalers, and a function `load` on two Pods."""
    scale(platform, 2)
    platform.apply(manifest("load", source={"inline": {"main.py": ECHO.format(1)}}, scale={"min": 2, "max": 2}))
    wait_until(lambda: platform.ready_pods("load") == 2, "the function has its two Pods")
    yield platform
    platform.kubectl("delete", "fn", "load", check=True)
    scale(platform, 1)


def scale(platform: Deployed, replicas: int) -> None:
    names = [f"deployment/{name}" for name in SERVICES]
    platform.kubectl("scale", "-n", SYSTEM, *names, f"--replicas={replicas}", check=True)
    for name in names:
        platform.kubectl("rollout", "status", "-n", SYSTEM, name, "--timeout=120s", check=True)


@contextmanager
def load_on(platform: Deployed, path: str = "/default/load", **more: str) -> Iterator[Load]:
    """Calls all the while, and goes on until what happened meanwhile is well over. `more`: headers of each call."""
    headers = {**platform.authorization(), "Faas-Timeout-Ms": str(round(DEADLINE * 1000)), **more}
    with running_load(platform.gateway + path, platform.node.directory / "none", 6, headers, pause=0.01) as load:
        wait_for_calls(load, WARM_CALLS)
        yield load
        wait_for_calls(load, WARM_CALLS)
    assert load.slowest() < DEADLINE + SLACK, load.statuses()


def wait_for_calls(load: Load, count: int) -> None:
    already = load.statuses()[200]
    wait_until(lambda: load.statuses()[200] >= already + count, f"{count} more calls are answered: {load.statuses()}")


def others(load: Load) -> list[str]:
    """What became of the calls that were not answered."""
    return [
        f"{call.status} after {call.seconds:.2f} s: {call.body[:200]!r}" for call in load.calls if call.status != 200
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_a_rolling_restart_fails_no_call(two_of_each: Deployed, service: str) -> None:
    platform, name = two_of_each, f"deployment/{service}"
    before = names(platform, service)
    with load_on(platform) as load:
        platform.kubectl("rollout", "restart", "-n", SYSTEM, name, check=True)
        platform.kubectl("rollout", "status", "-n", SYSTEM, name, "--timeout=120s", check=True)
        wait_until(lambda: not before & all_names(platform, service), "the Pods before it have ended")
    assert others(load) == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_process_costs_at_most_what_it_held(two_of_each: Deployed, service: str) -> None:
    platform = two_of_each
    with load_on(platform) as load:
        victim = sorted(names(platform, service))[0]
        os.kill(process_of(victim), signal.SIGKILL)
        wait_until(lambda: restarts(platform, victim) == 1, f"{victim} has begun again")
        wait_until(lambda: ready(platform, service) == 2, f"{victim} is ready again")
    failed = others(load)
    assert len(failed) <= len(load.calls) / 100, f"{len(failed)} of {len(load.calls)} calls:\n" + "\n".join(failed)


def test_a_new_revision_fails_no_call(two_of_each: Deployed) -> None:
    platform = two_of_each
    with load_on(platform) as load:
        platform.apply(manifest("load", source={"inline": {"main.py": ECHO.format(2)}}, scale={"min": 2, "max": 2}))
        wait_until(lambda: is_complete(platform), "the update is complete")
        wait_until(lambda: len(platform.function_pods("load")) == 2, "the old revision's Pods are gone")
    assert others(load) == []
    assert {call.body for call in load.calls} == {b"1", b"2"}
    assert load.calls[-1].body == b"2"


def test_deleted_pods_fail_no_call(two_of_each: Deployed) -> None:
    platform = two_of_each
    with load_on(platform) as load:
        for pod in platform.function_pods("load"):
            name = pod["metadata"]["name"]
            platform.kubectl("delete", "pod", name, check=True)  # returns when it is gone
            wait_until(lambda: platform.ready_pods("load") == 2, f"another is there in place of {name}")
    assert others(load) == []


def test_nats_comes_back_with_all_it_had(two_of_each: Deployed) -> None:
    platform = two_of_each
    before = platform.service_pods("nats")[0]["metadata"]["uid"]
    with load_on(platform) as load:
        platform.kubectl("delete", "pod", "-n", SYSTEM, "nats-0", check=True)
        platform.kubectl("rollout", "status", "-n", SYSTEM, "statefulset/nats", "--timeout=120s", check=True)
        assert platform.service_pods("nats")[0]["metadata"]["uid"] != before
    # nothing else: calls meanwhile are told so at once, and nobody has to restart anything
    assert {call.status for call in load.calls} <= {200, 502, 503}


def test_a_restarted_api_server_fails_no_call(two_of_each: Deployed) -> None:
    platform = two_of_each
    with load_on(platform) as load:
        begin_again = killed(platform, process_in_node(platform, "apiserver"))
        wait_for_calls(load, WARM_CALLS)
        subprocess.run(begin_again, check=True)
        wait_until(lambda: platform.kubectl("get", "--raw", "/readyz").out == "ok", "the API server is ready")
        platform.api.close()  # the next request opens a connection to the new one
        platform.apply(manifest("after", source={"inline": {"main.py": ECHO.format(3)}}))
        execute = ("execute", "default/after", "{}", "--wait=60")
        # routers ask an API server that was away less and less often, so they hear of the function a moment later
        wait_until(lambda: platform.faas(*execute).out.endswith("result: 3\n"), "what is new is called")
    assert others(load) == []
    platform.kubectl("delete", "fn", "after", check=True)


def is_complete(platform: Deployed) -> bool:
    """Whether all that the function `load` says is about its present spec, and that it is brought about."""
    generation = platform.function("load")["metadata"]["generation"]
    found = platform.condition("load", "Progressing")
    return (found["observedGeneration"], found["reason"]) == (generation, "Complete")


def killed(platform: Deployed, pid: int) -> list[str]:
    """Kills one of the node's servers, which nothing there supervises; returns the command that starts it again."""
    command, folder = text_of(Path(f"/proc/{pid}/cmdline"))[:-1], os.readlink(f"/proc/{pid}/cwd")
    os.kill(pid, signal.SIGKILL)
    inside = ["nsenter", f"--target={platform.node.init_pid()}", "--net", "--mount", "--pid", f"--wd={folder}"]
    return [*inside, "setsid", "--fork", "sh", "-c", 'exec "$@" >>again.log 2>&1', "sh", *command]


def names(platform: Deployed, service: str) -> set[str]:
    return {pod["metadata"]["name"] for pod in platform.service_pods(service)}


def all_names(platform: Deployed, service: str) -> set[str]:
    """Those that are going away among them."""
    return {pod["metadata"]["name"] for pod in platform.pods(f"app.kubernetes.io/name={service}", SYSTEM)}


def ready(platform: Deployed, service: str) -> int:
    statuses = [status for pod in platform.service_pods(service) for status in pod["status"]["containerStatuses"]]
    return sum(status["ready"] for status in statuses)


def restarts(platform: Deployed, name: str) -> int:
    pod = platform.api.expect("GET", f"/api/v1/namespaces/{SYSTEM}/pods/{name}")
    return int(pod["status"]["containerStatuses"][0]["restartCount"])


def process_of(pod: str) -> int:
    """This machine's number of a container's process: the only one with the Pod's name as HOSTNAME."""
    (found,) = [int(entry.name) for entry in processes() if f"HOSTNAME={pod}" in text_of(entry / "environ")]
    return found


def process_in_node(platform: Deployed, server: str) -> int:
    """That of one of the node's own servers."""
    space = os.readlink(f"/proc/{platform.node.init_pid()}/ns/pid")
    (found,) = [
        int(entry.name)
        for entry in processes()
        if server in text_of(entry / "cmdline")[1:2] and space_of(entry) == space
    ]
    return found


def processes() -> Iterator[Path]:
    return (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())


def text_of(file: Path) -> list[str]:
    try:
        return file.read_bytes().decode(errors="replace").split("\0")
    except OSError:  # it has ended meanwhile
        return []


def space_of(entry: Path) -> str:
    try:
        return os.readlink(entry / "ns/pid")
    except OSError:
        return ""
