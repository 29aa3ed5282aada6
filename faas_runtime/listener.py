"""The listening socket: opened by the Pod's parent, shared with its workers, and closed without a reset."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import select
import socket
import struct

from faas_runtime.errors import StartupError
from faas_runtime.limits import BACKLOG

_SO_ATTACH_FILTER = 26  # socket(7)
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)  # one instruction of classic BPF: return 0 bytes of the packet
_POLL = 0.001


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises StartupError."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StartupError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return listener


async def drain_queue(listener: socket.socket) -> None:
    """Let no new connection be made, and wait until the loop has accepted those that were.

    The kernel completes connections by itself, and resets what it has in its queue when the socket is closed. A filter
    that drops every packet keeps the queue from filling again; a client that comes now is refused once the socket is
    closed, when the kernel of its side asks for the second time (1 s later).
    """
    program = ctypes.create_string_buffer(_DROP_ALL)
    with contextlib.suppress(OSError):  # a kernel without it leaves a window of microseconds, as every server has
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    while poll.poll(0):  # noqa: ASYNC110 -- the event is the loop's own accepting, which tells nobody
        await asyncio.sleep(_POLL)
    await asyncio.sleep(_POLL)  # a connection's protocol hears of it a turn of the loop after it was accepted
