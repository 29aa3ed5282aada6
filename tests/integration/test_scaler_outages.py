"""API server away, NATS away, everything started in the wrong order: the scaler recovers and takes nothing away."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api import Api
from tests.support.apiserver import prepare
from tests.support.bus import running_bus
from tests.support.patience import eventually
from tests.support.scaler import Stack, fake_router, running_stack

QUICK = {"window": "2s", "panicWindow": "1s", "scaleToZeroAfter": "1s"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


def call(stack: Stack, name: str) -> None:
    async def main() -> None:
        async with fake_router(stack.bus) as router:
            await router.received(name)

    asyncio.run(main())


def test_an_api_server_that_comes_back_finds_the_scaler_at_work(stack: Stack) -> None:
    with stack.running_scaler(retry_seconds="0.3") as scaler:
        stack.deploy("before")
        eventually(lambda: stack.is_ready("before"), "ready")
        stack.server.stop(kill=True)
        eventually(lambda: "the Lease was not written" in scaler.log.read_text(), "a renewal has failed")
        stack.server.start()
        stack.deploy("after")
        eventually(lambda: stack.is_ready("after"), "ready")
        assert stack.is_ready("before")
        assert stack.replicas("before") == 1


def test_without_nats_nothing_is_taken_away_and_deploys_work(stack: Stack) -> None:
    with stack.running_scaler() as scaler:
        stack.deploy("kept", scale=QUICK)
        eventually(lambda: stack.is_ready("kept"), "ready")
        stack.bus.kill()
        eventually(lambda: not scaler.ready(), "it says that something is missing")
        stack.deploy("meanwhile", scale=QUICK)
        eventually(lambda: stack.is_ready("meanwhile"), "ready")
        until = time.monotonic() + 3.5
        while time.monotonic() < until:  # longer than scaleToZeroAfter
            assert stack.replicas("kept") == 1
            time.sleep(0.2)
        stack.bus.restart()
        eventually(scaler.ready, "ready again")
        eventually(lambda: stack.replicas("kept") == 0, "idle, now that it can be known")
        call(stack, "kept")
        eventually(lambda: stack.replicas("kept") == 1, "awake")


def test_it_waits_for_whatever_starts_after_it(tmp_path: Path) -> None:
    """The scaler first, then the API server, then its CRD, then NATS."""
    server = prepare(tmp_path / "api")
    (tmp_path / "bus").mkdir()
    with running_bus(tmp_path / "bus") as bus:
        bus.kill()
        stack = Stack(tmp_path, server, Api(server), bus)
        scaler = stack.scaler()
        scaler.start()
        try:
            eventually(lambda: "broke off" in scaler.log.read_text(), "it has missed the API server")
            server.start()
            eventually(lambda: "404" in scaler.log.read_text() or "not find" in scaler.log.read_text(), "and the CRD")
            stack.api.install("functions")
            stack.deploy("first")
            eventually(lambda: stack.replicas("first") == 1, "a ReplicaSet")
            assert not scaler.ready()
            bus.restart()
            eventually(scaler.ready, "ready")
        finally:
            assert scaler.stop() == 0
            if server.process is not None:
                server.stop()
