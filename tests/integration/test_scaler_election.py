"""One scaler acts: hand-over, take-over, restart, and what a stopped leader finds when it comes back.

The usual Lease lasts 15 s, so what happens well within that has not waited for it to end. (On an idle machine a
hand-over takes some 10 ms and a restart 1 s; the limits here leave room for a busy one.)
"""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.support.kubelet import eventually
from tests.support.scaler import LEASE, Scaler, Stack, running_stack

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


def acts(stack: Stack, name: str, seconds: float) -> None:
    """Fails unless a Function that is deployed now is served within ``seconds``."""
    stack.deploy(name)
    eventually(lambda: stack.is_ready(name), f"{name} is ready", seconds)


def test_a_standby_takes_over_at_once_when_the_leader_ends(stack: Stack) -> None:
    with stack.running_scaler("first") as first:
        eventually(lambda: holder(stack) == "first", "the first leads")
        with stack.running_scaler("second"):
            acts(stack, "one", 10)
            began = time.monotonic()
            assert first.stop() == 0
            assert time.monotonic() - began < 4
            eventually(lambda: holder(stack) == "second", "the second leads", 4)
            acts(stack, "two", 6)


def test_a_killed_leader_is_replaced_when_its_lease_ends(stack: Stack) -> None:
    with stack.running_scaler("first", **SHORT) as first:
        eventually(lambda: holder(stack) == "first", "the first leads")
        with stack.running_scaler("second", **SHORT):
            first.stop(kill=True)
            eventually(lambda: holder(stack) == "second", "the second leads", 10)
            acts(stack, "three", 6)


def test_a_killed_scaler_does_not_wait_for_its_own_lease(stack: Stack) -> None:
    with stack.running_scaler() as scaler:
        eventually(lambda: holder(stack) == "local-scaler", "it leads")
        scaler.stop(kill=True)
        began = time.monotonic()
        scaler.start()
        acts(stack, "four", 10)
        assert time.monotonic() - began < 10


def test_a_leader_that_was_stopped_acts_no_more(stack: Stack) -> None:
    with stack.running_scaler("first", **SHORT) as first:
        eventually(lambda: holder(stack) == "first", "the first leads")
        with stack.running_scaler("second", **SHORT):
            assert first.process is not None
            first.process.send_signal(signal.SIGSTOP)
            eventually(lambda: holder(stack) == "second", "the second leads", 12)
            first.process.send_signal(signal.SIGCONT)
            eventually(lambda: "first no longer leads" in first.log.read_text(), "it knows", 10)
            acts(stack, "five", 6)
            assert holder(stack) == "second"
            assert writes(first, "five") == 0


def writes(scaler: Scaler, name: str) -> int:
    """Lines of the log that tell of an accepted write about this Function."""
    return sum(f"default/{name}-" in line for line in scaler.log.read_text().splitlines())
