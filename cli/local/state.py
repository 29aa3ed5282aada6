"""What runs: the supervisor writes it down, ``status`` and ``down`` read it, a new supervisor takes it over."""

import fcntl
from typing import IO

import msgspec

from cli.local.layout import Addresses, Layout, Ports, write_private
from cli.local.processes import Running

SUPERVISOR = "supervisor"


class State(msgspec.Struct, frozen=True):
    """The platform's processes; the supervisor is one of them."""

    processes: list[Running]
    version: int = 1


def read(layout: Layout) -> State:
    """What was last written down; empty when the platform never ran here."""
    try:
        return msgspec.json.decode(layout.processes.read_bytes(), type=State)
    except FileNotFoundError:
        return State([])


def write(layout: Layout, processes: list[Running]) -> None:
    """Writes down what runs, in one step."""
    write_private(layout.processes, msgspec.json.encode(State(processes)))


def alive(layout: Layout) -> list[Running]:
    """The platform's processes that still run."""
    return [process for process in read(layout).processes if process.alive()]


def read_addresses(layout: Layout) -> Addresses | None:
    """How to reach the platform; None when it was never started here."""
    try:
        return msgspec.json.decode(layout.addresses.read_bytes(), type=Addresses)
    except FileNotFoundError:
        return None


def read_ports(layout: Layout) -> Ports | None:
    """The ports of the last start; None before the first."""
    try:
        return msgspec.json.decode(layout.ports.read_bytes(), type=Ports)
    except FileNotFoundError:
        return None


def try_lock(layout: Layout) -> IO[bytes] | None:
    """The supervisor's lock, held as long as the file is open; None when another supervisor has it."""
    file = open(layout.lock, "ab")  # noqa: SIM115  # it stays open as long as the supervisor lives
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
