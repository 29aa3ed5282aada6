"""One scaler acts: hand-over, take-over, restart, and what a stopped leader finds when it comes back.

LONG is a Lease that outlasts a test's patience, so what happens has not waited for it to end. (On an idle machine a
hand-over takes some 10 ms and a restart 1 s.)
"""

import signal
from collections.abc import Iterator

import pytest

from tests.support.patience import eventually
from tests.support.scaler import LEASE, Stack, running_stack
from tests.support.service import Service

LONG = {"lease_seconds": "600"}
SHORT = {"lease_seconds": "2", "renew_seconds": "1.2", "retry_seconds": "0.3"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(autouse=True)
def no_lease(stack: Stack) -> None:
    """Each test begins with a Lease that nobody holds."""
    if stack.api.find(LEASE) is not None:
        stack.api.delete(LEASE)


def holder(stack: Stack) -> str:
    lease = stack.api.find(LEASE)
    return str(lease["spec"].get("holderIdentity", "")) if lease else ""


def acts(stack: Stack, name: str) -> None:
    """Fails unless a Function that is deployed now is served."""
    stack.deploy(name)
    eventually(lambda: stack.is_ready(name), f"{name} is ready")


def test_a_standby_takes_over_at_once_when_the_leader_ends(stack: Stack) -> None:
    with stack.running_scaler("first", **LONG) as first:
        eventually(lambda: holder(stack) == "first", "the first leads")
        with stack.running_scaler("second", **LONG):
            acts(stack, "one")
            assert first.stop() == 0
            eventually(lambda: holder(stack) == "second", "the second leads")
            acts(stack, "two")


def test_a_killed_leader_is_replaced_when_its_lease_ends(stack: Stack) -> None:
    with stack.running_scaler("first", **SHORT) as first:
        eventually(lambda: holder(stack) == "first", "the first leads")
        with stack.running_scaler("second", **SHORT):
            first.kill()
            eventually(lambda: holder(stack) == "second", "the second leads")
            acts(stack, "three")


def test_a_killed_scaler_does_not_wait_for_its_own_lease(stack: Stack) -> None:
    with stack.running_scaler(**LONG) as scaler:
        eventually(lambda: holder(stack) == "local-scaler", "it leads")
        scaler.kill()
        scaler.start()
        acts(stack, "four")


def test_a_leader_that_was_stopped_acts_no_more(stack: Stack) -> None:
    with stack.running_scaler("first", **SHORT) as first:
        eventually(lambda: holder(stack) == "first", "the first leads")
        with stack.running_scaler("second", **SHORT):
            assert first.process is not None
            first.process.send_signal(signal.SIGSTOP)
            eventually(lambda: holder(stack) == "second", "the second leads")
            first.process.send_signal(signal.SIGCONT)
            eventually(lambda: "first no longer leads" in first.log.read_text(), "it knows")
            acts(stack, "five")
            assert holder(stack) == "second"
            assert writes(first, "five") == 0


def writes(scaler: Service, name: str) -> int:
    """Lines of the log that tell of an accepted write about this Function."""
    return sum(f"default/{name}-" in line for line in scaler.log.read_text().splitlines())
