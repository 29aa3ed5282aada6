"""Keeps the platform's processes running: starts them, brings back those that end, stops them in order.

Killed itself, its children go on; the next ``faas up`` takes them over by what ``state`` wrote down.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from cli.local import keys, ports, state
from cli.local.bootstrap import NotReady, install_crds, wait_ready
from cli.local.layout import Addresses, Layout, Ports, write_private
from cli.local.processes import Running, start, start_time, stop
from cli.local.topology import STOP_ORDER, ProcessSpec, processes

STEADY_SECONDS = 10.0
"""A process that ran this long is started again at once when it ends; a shorter life makes the next wait longer."""
MAX_WAIT = 2.0
STOP_PATIENCE = 15.0
"""Seconds that each group of processes gets to end by itself; the kubelet bounds its Pods' grace below this."""


class Supervisor:
    """The running platform. ``keep`` it in a task group; ``stop`` afterwards."""

    def __init__(self, layout: Layout, specs: list[ProcessSpec]) -> None:
        self._layout = layout
        self._specs = specs
        self._me = Running(state.SUPERVISOR, os.getpid(), start_time(os.getpid()) or 0)
        self._running = {process.name: process for process in state.alive(layout)}
        self._running[state.SUPERVISOR] = self._me
        self._write()

    async def keep(self) -> None:
        """Starts or takes over every process and starts again each that ends, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for spec in self._specs:
                tasks.create_task(self._keep_one(spec))

    async def _keep_one(self, spec: ProcessSpec) -> None:
        wait = 0.0
        while True:
            began = time.monotonic()
            await self._run_once(spec)
            wait = 0.0 if time.monotonic() - began > STEADY_SECONDS else min(MAX_WAIT, wait * 2 or 0.05)
            _log(f"{spec.name} ended; starting it again in {wait:g} s")
            await asyncio.sleep(wait)

    async def _run_once(self, spec: ProcessSpec) -> None:
        process, child = self._running.get(spec.name), None
        if process is None or not process.alive():
            try:
                process, child = start(spec, self._layout.logs)
            except OSError as error:  # no room for its log, no memory for a process: it is tried again
                _log(f"{spec.name} cannot be started: {error}")
                return
            self._running[spec.name] = process
            self._write()
        await _ended(process)
        if child is not None:
            _log(f"{spec.name} (pid {child.pid}) exited with {child.wait()}")

    def _write(self) -> None:
        try:
            state.write(self._layout, list(self._running.values()))
        except OSError as error:  # a full disk must not end what runs
            _log(f"what runs cannot be written down: {error}")

    def stop(self) -> None:
        """Ends all processes, group by group; returns when none is left."""
        stop_all(list(self._running.values()))
        self._layout.processes.unlink(missing_ok=True)


def stop_all(running: list[Running]) -> list[Running]:
    """Ends the platform's processes in order, the supervisor left out; returns those that had to be killed."""
    killed = []
    for group in STOP_ORDER:
        killed += stop([process for process in running if process.name in group], STOP_PATIENCE)
    return killed


def _log(text: str) -> None:
    with contextlib.suppress(OSError):  # the log's disk is full: nowhere to tell it, and no reason to end
        print(text, file=sys.stderr, flush=True)


async def _ended(process: Running) -> None:
    """Waits for the end of a process, a child or not, by its pidfd (Linux 5.3)."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(descriptor, over.set)
    try:
        if process.alive():
            await over.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def run(layout: Layout, specs: list[ProcessSpec], prepare: Callable[[], None], ready_fd: int) -> int:
    """Runs ``specs`` until SIGTERM or SIGINT. Writes ``ready`` or what is wrong to ``ready_fd`` and closes it.

    ``prepare`` is called in a thread while they start, returns when the platform is ready, and may raise NotReady.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    supervisor = Supervisor(layout, specs)
    keeping = asyncio.create_task(supervisor.keep())
    preparing = asyncio.create_task(_prepared(prepare))
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({keeping, preparing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        problem = preparing.result() if preparing.done() else "stopped before it was ready"
        _tell(ready_fd, problem or "ready")
        if not problem:
            await asyncio.wait({keeping, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return 1 if problem else 0
    finally:
        for task in (keeping, preparing, stopped):
            task.cancel()
        await asyncio.gather(keeping, preparing, stopped, return_exceptions=True)
        supervisor.stop()


async def _prepared(prepare: Callable[[], None]) -> str:
    """What is wrong after ``prepare``, or nothing."""
    try:
        await asyncio.to_thread(prepare)
    except NotReady as error:
        return str(error)
    return ""


def _tell(descriptor: int, text: str) -> None:
    try:
        os.write(descriptor, text.encode())
    except BrokenPipeError:
        return  # whoever asked for the platform has gone; it runs all the same
    finally:
        os.close(descriptor)


def main() -> int:
    """The supervisor process: takes the lock, settles ports and keys, runs."""
    parser = argparse.ArgumentParser(prog="cli.local.supervisor", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--gateway-port", type=int, default=0)
    parser.add_argument("--nats-port", type=int, default=0)
    parser.add_argument("--ready-fd", type=int, required=True)
    options = parser.parse_args()
    layout = Layout(options.dir)
    try:
        lock = state.try_lock(layout)
    except OSError as error:
        _tell(options.ready_fd, unusable(layout, error))
        return 1
    if lock is None:
        _tell(options.ready_fd, f"another supervisor is running in {layout.root}")
        return 1
    with lock:
        try:
            chosen = settle(layout, options.gateway_port, options.nats_port)
        except (ports.PortInUse, OSError) as error:
            _tell(options.ready_fd, unusable(layout, error) if isinstance(error, OSError) else str(error))
            return 1
        specs = processes(layout, chosen, dict(os.environ))

        def prepare() -> None:
            install_crds(layout)
            wait_ready(layout, specs)

        return asyncio.run(run(layout, specs, prepare, options.ready_fd))


def unusable(layout: Layout, error: OSError) -> str:
    """What to say when the platform's directory cannot be made or written."""
    return (
        f"the platform's directory {layout.root} cannot be used: {error.filename or layout.root}: {error.strerror}; "
        "make room, or choose another with --dir"
    )


def settle(layout: Layout, gateway_port: int, nats_port: int) -> Ports:
    """Ports, keys and addresses of this start. Processes of a lost supervisor that still run keep their ports."""
    chosen = state.read_ports(layout)
    if chosen is None or not state.alive(layout):
        chosen = ports.choose(gateway_port, nats_port, chosen)
    write_private(layout.ports, msgspec.json.encode(chosen))
    keys.ensure(layout, chosen)
    addresses = Addresses(
        gateway=f"http://127.0.0.1:{chosen.gateway}",
        nats=keys.caller_url(layout, chosen),
        kubeconfig=str(layout.kubeconfig),
    )
    write_private(layout.addresses, msgspec.json.encode(addresses))
    return chosen


if __name__ == "__main__":
    sys.exit(main())
