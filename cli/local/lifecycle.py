"""What ``faas up``, ``down`` and ``status`` do."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cli.local import state
from cli.local.layout import Addresses, Layout
from cli.local.processes import Running, stop
from cli.local.supervisor import stop_all, unusable

DOWN_DEADLINE = 90.0
MIN_FREE = 32 * 1024 * 1024
"""Bytes of free disk below which a start would only fail later and less clearly; an idle platform writes about 1 MB."""


class PlatformError(Exception):
    """The platform could not be started or stopped; the message says why and what to do."""


def start(directory: Path, gateway_port: int, nats_port: int) -> tuple[Addresses, "subprocess.Popen[bytes] | None"]:
    """Starts the platform in ``directory`` and returns once calls would work: its addresses and the supervisor.

    No supervisor is returned when one was running already. Raises PlatformError.
    """
    layout = Layout(directory)
    try:
        layout.create()
        if _supervisor(layout) is not None:
            return _addresses(layout), None
        return _start(layout, gateway_port, nats_port)
    except OSError as error:
        raise PlatformError(unusable(layout, error)) from None


def _start(layout: Layout, gateway_port: int, nats_port: int) -> tuple[Addresses, "subprocess.Popen[bytes]"]:
    free = shutil.disk_usage(layout.root).free
    if free < MIN_FREE:
        raise PlatformError(
            f"{layout.root} has {free / 1e6:.1f} MB of free disk; at least {MIN_FREE / 1e6:.0f} MB are needed: "
            "make room, or choose another directory with --dir"
        )
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "cli.local.supervisor", "--dir", str(layout.root), "--ready-fd", str(writer)]
    command += ["--gateway-port", str(gateway_port), "--nats-port", str(nats_port)]
    with open(reader, "rb") as answer:
        with (layout.logs / "supervisor.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(writer,), start_new_session=True
            )
        os.close(writer)
        try:
            said = answer.read().decode()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGTERM)
            process.wait(DOWN_DEADLINE)
            raise
    if said != "ready":
        process.wait(DOWN_DEADLINE)
        raise PlatformError(said or f"the supervisor ended at its start: see {layout.logs / 'supervisor.log'}")
    return _addresses(layout), process


def down(directory: Path) -> bool:
    """Stops the platform; returns when all of it is gone. False when nothing was running. Raises PlatformError."""
    layout = Layout(directory)
    running = state.alive(layout)
    if not running:
        return False
    supervisor = next((process for process in running if process.name == state.SUPERVISOR), None)
    if supervisor is not None:
        stop([supervisor], DOWN_DEADLINE)
    left = state.alive(layout)
    stop_all(left)
    layout.processes.unlink(missing_ok=True)
    still = [f"{process.name} ({process.pid})" for process in left if _lingers(process)]
    if still:
        raise PlatformError(f"these processes did not end: {', '.join(still)}")
    return True


def status(directory: Path) -> dict[str, Any]:
    """What ``faas status -o json`` prints. ``running`` is whether every part is there, supervisor included."""
    layout = Layout(directory)
    running = state.alive(layout)
    addresses = state.read_addresses(layout) if running else None
    names = [process.name for process in running]
    missing = [p.name for p in state.read(layout).processes if p.name not in names]
    return {
        "directory": str(layout.root),
        "running": bool(running) and not missing,
        "supervised": state.SUPERVISOR in names,
        "missing": missing,
        "gateway": addresses.gateway if addresses else None,
        "nats": addresses.nats if addresses else None,
        "kubeconfig": addresses.kubeconfig if addresses else None,
        "processes": [{"name": process.name, "pid": process.pid} for process in running],
    }


def _supervisor(layout: Layout) -> Running | None:
    return next((process for process in state.alive(layout) if process.name == state.SUPERVISOR), None)


def _addresses(layout: Layout) -> Addresses:
    addresses = state.read_addresses(layout)
    if addresses is None:
        raise PlatformError(f"{layout.addresses} is missing: run faas down, then faas up")
    return addresses


def _lingers(process: Running) -> bool:
    """Whether a process is still there a second after SIGKILL."""
    deadline = time.monotonic() + 1.0
    while process.alive() and time.monotonic() < deadline:
        time.sleep(0.02)  # not our child: /proc alone tells
    return process.alive()
