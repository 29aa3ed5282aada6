"""A TCP proxy that can be cut after any byte, stalled or made to refuse: for faults between a client and a server."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

from cli.local.ports import free_port


class Ending(Enum):
    """How a cut connection ends for both sides: in order (FIN) or not (RST)."""

    FIN = "fin"
    RST = "rst"


@dataclass
class Proxy:
    """Forwards connections from ``host:port`` to ``upstream``.

    ``cut_request`` and ``cut_response`` are bytes of a connection that still pass in that direction; then both sides
    are closed as ``ending`` says. ``cuts`` is how many connections are treated so; later ones pass whole.
    """

    upstream: tuple[str, int]
    host: str = "127.0.0.1"
    port: int = 0
    cut_request: int | None = None
    cut_response: int | None = None
    ending: Ending = Ending.RST
    cuts: int = 1
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    """While cleared, connections are taken and bytes are read, but nothing passes."""
    connections: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        """Listens; on the same port as before when it did already."""
        self.flowing.set()
        self.port = self.port or free_port(set())
        self._server = await asyncio.start_server(self._serve, self.host, self.port)

    async def refuse(self) -> None:
        """Stops listening, so that connections are refused; open ones stay. ``start`` ends it."""
        assert self._server is not None
        self._server.close()
        await asyncio.sleep(0)

    async def stop(self) -> None:
        """Ends everything."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        request, response = self.cut_request, self.cut_response
        cutting = (request is not None or response is not None) and self.cuts > 0
        if cutting:
            self.cuts -= 1
        else:
            request = response = None
        upstream: asyncio.StreamWriter | None = None
        try:
            up_reader, upstream = await asyncio.open_connection(*self.upstream)
            pumps = [
                asyncio.create_task(self._pump(reader, upstream, request)),
                asyncio.create_task(self._pump(up_reader, writer, response)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED if cutting else asyncio.ALL_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # the end of a connection is what this proxy is for; both sides are closed below
        finally:
            for side in (writer, upstream):
                if side is not None:
                    _close(side, self.ending if cutting else Ending.FIN)
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None) -> None:
        """Passes bytes on until the end of the stream, or until ``left`` of them have passed."""
        while left is None or left > 0:
            data = await reader.read(65536 if left is None else left)
            await self.flowing.wait()
            if not data:
                break
            writer.write(data)
            await writer.drain()
            left = None if left is None else left - len(data)
        if left is None and not writer.is_closing():
            writer.write_eof()


def _close(writer: asyncio.StreamWriter, ending: Ending) -> None:
    raw = writer.get_extra_info("socket")
    if ending is Ending.RST and raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


@asynccontextmanager
async def running_proxy(upstream: tuple[str, int]) -> AsyncIterator[Proxy]:
    """A started proxy to ``upstream``."""
    proxy = Proxy(upstream)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
