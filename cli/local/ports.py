"""Chooses the platform's ports: those asked for, else those of the last start, else free ones."""

import random
import socket

from cli.local.layout import Ports

_random = random.SystemRandom()  # never the same choices in two processes, whatever seeds the common generator


class PortInUse(Exception):
    """A port that was asked for is taken; the message says which and what to do."""


def choose(gateway: int, nats: int, before: Ports | None) -> Ports:
    """``gateway`` and ``nats`` are what the user asked for; 0 leaves the choice to us. Raises PortInUse."""
    for option, port in (("--gateway-port", gateway), ("--nats-port", nats)):
        if port and not is_free(port):
            raise PortInUse(f"port {port} on 127.0.0.1 is in use by another program: choose another with {option}")
    taken: set[int] = {port for port in (gateway, nats) if port}

    def pick(wanted: int, last: int) -> int:
        port = wanted or (last if last and last not in taken and is_free(last) else free_port(taken))
        taken.add(port)
        return port

    last = before or Ports(0, 0, 0, 0, 0)
    return Ports(
        gateway=pick(gateway, last.gateway),
        nats=pick(nats, last.nats),
        apiserver=pick(0, last.apiserver),
        router=pick(0, last.router),
        scaler=pick(0, last.scaler),
        workflow=pick(0, last.workflow),
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:``port`` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(but: set[int]) -> int:
    """A free port below the range from which the kernel takes the ports of outgoing connections, and not in ``but``.

    A port out of that range could be taken by somebody's connection while its process restarts.
    """
    while True:
        port = _random.randint(20000, 32000)
        if port not in but and is_free(port):
            return port
