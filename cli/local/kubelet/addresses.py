"""Loopback addresses for Pods: random ones of 127.64.0.0/10, four million of which are there."""

import ipaddress
import random
import socket
from collections.abc import Collection, Iterable

POD_NETWORK = ipaddress.IPv4Network("127.64.0.0/10")
_ATTEMPTS = 20


class NoAddress(Exception):
    """No address can be had; the message says which port is taken everywhere."""


def free_address(taken: Collection[str], ports: Iterable[int]) -> str:
    """An address that no Pod of ours has and on which `ports` can be bound. Raises NoAddress."""
    wanted = sorted(set(ports))
    for _ in range(_ATTEMPTS):
        address = str(POD_NETWORK[random.randrange(1, POD_NETWORK.num_addresses - 1)])
        if address not in taken and all(_can_bind(address, port) for port in wanted):
            return address
    raise NoAddress(
        f"no address of {POD_NETWORK} is free for port {', '.join(map(str, wanted))}: "
        "a process of this machine listens on it on all addresses (0.0.0.0); stop that process"
    )


def _can_bind(address: str, port: int) -> bool:
    """Ports below 1024 may be refused for lack of rights; that is not ours to find out here."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((address, port))
        except PermissionError:
            return True
        except OSError:
            return False
        return True
