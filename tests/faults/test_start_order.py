"""The platform's processes start in any order, and with what they need coming late, without anybody to restart them."""

import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.local import state
from cli.local.bootstrap import install_crds, wait_ready
from cli.local.layout import Layout
from cli.local.processes import Running, start
from cli.local.supervisor import settle, stop_all
from cli.local.topology import processes
from tests.support.http import http
from tests.support.platform import Platform, on_level1
from tests.support.source import write

LATE = 3.0
"""Seconds: longer than every first attempt to connect, and than a router waits for its first lists."""

pytestmark = pytest.mark.skipif(on_level1(), reason="it starts the processes of the one-machine platform")


@contextmanager
def started(directory: Path, order: Sequence[str], late: str) -> Iterator[tuple[Platform, list[Running]]]:
    """The platform's processes, started in this order with ``late`` after all others, each of them once."""
    layout = Layout(directory)
    layout.create()
    specs = processes(layout, settle(layout, 0, 0), dict(os.environ))
    by_name = {spec.name: spec for spec in specs}
    assert sorted(by_name) == sorted(order)
    begun = []
    try:
        for name in order:
            if name != late:
                begun.append(start(by_name[name], layout.logs))
        if late:
            time.sleep(LATE)  # the fault itself
            begun.append(start(by_name[late], layout.logs))
        install_crds(layout)
        wait_ready(layout, specs)
        addresses = state.read_addresses(layout)
        assert addresses is not None
        yield (
            Platform(directory, addresses.gateway, addresses.nats, addresses.kubeconfig, lambda: None),
            [process for process, _ in begun],
        )
    except BaseException:
        for log in sorted(layout.logs.glob("*.log")):
            print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-20:], sep="\n")
        raise
    finally:
        stop_all([process for process, _ in begun])
        for _, child in begun:
            child.wait(10)


NAMES = ["nats", "apiserver", "controllers", "kubelet", "gateway", "router", "scaler", "workflow"]


FLOW = """
document: { dsl: 1.0.3, namespace: default, name: flow, version: 0.1.0 }
do: [{ ask: { call: early, input: { from: "[1]" } } }]
"""


def shuffled(seed: int) -> list[str]:
    order = list(NAMES)
    random.Random(seed).shuffle(order)
    return order


CASES = [(NAMES[::-1], ""), (shuffled(2), "nats"), (shuffled(3), "apiserver")]


@pytest.mark.parametrize(("order", "late"), CASES, ids=lambda case: "-".join(case) if isinstance(case, list) else case)
def test_started_in_this_order_it_works(tmp_path: Path, order: list[str], late: str) -> None:
    with started(tmp_path / "platform", order, late) as (platform, running):
        folder = write(tmp_path / "early", "def handle(event):\n    return event\n")
        platform.faas("deploy", str(folder), "--min", "1", "--wait-timeout", "20s", check=True)
        assert http("POST", f"{platform.gateway}/default/early", b"[1]").body == b"[1]"
        flow = tmp_path / "flow.yaml"
        flow.write_text(FLOW)
        platform.faas("deploy", str(flow), "--wait-timeout", "20s", check=True)
        assert platform.faas("workflow", "run", "default/flow", "--wait", check=True).out.split() == ["[", "1", "]"]
        assert [process.name for process in running if not process.alive()] == []
