"""SIGTERM to each process under load: what was accepted is answered, and what was refused never ran."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from services.contracts.errors import Code
from tests.support.load import COUNTING, running_load
from tests.support.patience import PATIENCE
from tests.support.platform import Platform, on_level1, pid_of, running_platform
from tests.support.source import write

NOT_STARTED = {
    Code.NO_ROUTER, Code.FUNCTION_STARTING, Code.FUNCTION_UNAVAILABLE, Code.OVERLOADED, Code.DRAINING, Code.BUSY,
    Code.BUS_UNAVAILABLE,
}  # fmt: skip
"""What a call may be told while its only gateway, router or kubelet is away; the caller can safely try again."""
UNNOTICED = ("apiserver", "controllers", "scaler")
"""Calls need none of these."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform whose processes the tests of this file end."""
    with running_platform(tmp_path_factory.mktemp("stopped")) as platform:
        folder = write(tmp_path_factory.mktemp("source") / "counting", COUNTING)
        platform.faas("deploy", str(folder), "--min", "2", check=True)
        yield platform


@pytest.mark.parametrize("name", ["gateway", "router", "kubelet", *UNNOTICED])
def test_sigterm_under_load_loses_no_call(stopped: Platform, tmp_path: Path, name: str) -> None:
    if on_level1() and name in ("apiserver", "controllers"):
        pytest.skip("a cluster's control plane is not the platform's to bring back")
    url = f"{stopped.gateway}/default/counting"
    with running_load(url, tmp_path / "effects", workers=4) as load:
        load.wait_for_success(time.monotonic())
        ended = time.monotonic()
        pid = stopped.pid(name)
        os.kill(pid, signal.SIGTERM)
        deadline = ended + PATIENCE
        while not (status := stopped.status())["running"] or pid_of(status, name) == pid:
            assert time.monotonic() < deadline, status
        load.wait_for_success(time.monotonic())
    ran = load.effects()
    for call in load.calls:
        assert ran[call.id] == (call.status == 200), (call, ran[call.id])
    codes = {str(msgspec.json.decode(call.body)["code"]) for call in load.calls if call.status not in (0, 200)}
    print(f"{name}: {dict(load.statuses())} {codes}")
    assert codes <= NOT_STARTED
    if name in UNNOTICED:
        assert set(load.statuses()) == {200}
    if name != "gateway":
        assert 0 not in load.statuses()
