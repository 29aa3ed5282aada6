"""A NATS client for one call: connects once, publishes or subscribes, ends.

Not the platform's own client: that one looks up addresses by itself, connects again to servers that a server names,
and takes messages of any size. Here the address is checked, there is one connection, and everything has a bound.
Protocol: https://docs.nats.io/reference/reference-protocols/nats-protocol
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from services.workflow.calls.channels import Channel
from services.workflow.calls.network import Network
from services.workflow.calls.problems import BROKEN, CallError

_LINE = 1 << 16
"""Bytes of the longest line of the protocol that is read: INFO names all servers of a cluster."""
_VERSION = b"NATS/1.0"


class Inbound(msgspec.Struct, frozen=True):
    """A message: headers by name, the last one of several."""

    headers: dict[str, str]
    body: bytes


class Line:
    """A connection that has been greeted. Raises CallError from everywhere."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: str, most: int) -> None:
        self._reader, self._writer, self._place, self._most = reader, writer, place, most
        self.max_payload = most

    async def greet(self, login: dict[str, str], channel: Channel) -> None:
        """INFO and CONNECT, with TLS between them when either side wants it."""
        words = await self._line()
        if not words.startswith(b"INFO "):
            raise self._broken("its greeting is not that of a NATS server")
        info = self._json(words[5:])
        if channel.tls or info.get("tls_required") is True:
            try:
                await self._writer.start_tls(ssl.create_default_context(), server_hostname=channel.host)
            except (ssl.SSLError, OSError):
                raise self._broken("no TLS connection") from None
        if isinstance(info.get("max_payload"), int):
            self.max_payload = min(self._most, info["max_payload"])
        options = {"verbose": False, "pedantic": False, "lang": "python", "version": "1", "protocol": 1}
        options |= {"headers": True, "no_responders": False, "echo": True, "name": "faas-workflow", **login}
        self._writer.write(b"CONNECT " + msgspec.json.encode(options) + b"\r\n")
        await self.flush()

    async def publish(self, subject: str, headers: dict[str, str], body: bytes) -> None:
        """Publishes a message and has the server say that it took it."""
        block = _VERSION + b"\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        block = block + b"\r\n" if headers else b""
        size = len(block) + len(body)
        if size > self.max_payload:
            raise CallError(
                "communication", f"{self._place}: a message of {size} bytes; {self.max_payload} are allowed", 413
            )
        verb = f"HPUB {subject} {len(block)} {size}" if block else f"PUB {subject} {size}"
        self._writer.write(f"{verb}\r\n".encode() + block + body + b"\r\n")
        await self.flush()

    async def flush(self) -> None:
        """PING, and everything up to its PONG; an error of the server's comes before that."""
        self._writer.write(b"PING\r\n")
        await self._drain()
        while (words := await self._line()) != b"PONG":
            await self._common(words)

    async def subscribe(self, subject: str) -> AsyncIterator[Inbound]:
        """Messages as they come, from when the first is asked for; ends only by an error or when it is closed."""
        self._writer.write(f"SUB {subject} 1\r\n".encode())
        await self._drain()
        while True:
            words = await self._line()
            if words.startswith((b"MSG ", b"HMSG ")):
                yield await self._message(words.split(b" "))
            else:
                await self._common(words)

    async def _message(self, words: list[bytes]) -> Inbound:
        try:
            size = int(words[-1])
            head = int(words[-2]) if words[0] == b"HMSG" else 0
        except ValueError:
            raise self._broken("a message without its size") from None
        if not 0 <= head <= size <= self._most:
            raise CallError("communication", f"{self._place}: a message of {size} bytes; {self._most} are allowed")
        try:
            block = await self._reader.readexactly(size + 2)
        except (asyncio.IncompleteReadError, OSError):
            raise self._broken("the connection broke") from None
        lines = block[:head].decode(errors="replace").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines)
        return Inbound({name.strip(): value.strip() for name, colon, value in pairs if colon}, block[head:size])

    async def _common(self, words: bytes) -> None:
        """What a server may say at any time."""
        if words.startswith(b"-ERR"):
            text = words[4:].decode(errors="replace").strip(" '").lower()
            if "authorization" in text or "authentication" in text:
                raise CallError("authentication", f"{self._place}: the NATS server refuses the credentials")
            if "permissions" in text:
                raise CallError("authorization", f"{self._place}: the NATS server does not permit the subject")
            raise self._broken("the NATS server reports an error")
        if words == b"PING":
            self._writer.write(b"PONG\r\n")
            await self._drain()
        elif words and not words.startswith((b"INFO ", b"+OK", b"PONG")):
            raise self._broken("it does not speak the NATS protocol")

    async def _line(self) -> bytes:
        try:
            return (await self._reader.readuntil(b"\r\n"))[:-2]
        except asyncio.LimitOverrunError:
            raise self._broken("it does not speak the NATS protocol") from None
        except (asyncio.IncompleteReadError, OSError):
            raise self._broken("the connection broke") from None

    async def _drain(self) -> None:
        try:
            await self._writer.drain()
        except OSError:
            raise self._broken("the connection broke") from None

    def _json(self, data: bytes) -> dict[str, Any]:
        try:
            return msgspec.json.decode(data, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            raise self._broken("its greeting is not that of a NATS server") from None

    def _broken(self, why: str) -> CallError:
        return CallError("communication", f"{self._place}: {why}", BROKEN)


@contextlib.asynccontextmanager
async def line(
    network: Network, channel: Channel, login: dict[str, str], connect: float, most: int
) -> AsyncIterator[Line]:
    """A connection to a channel's server, closed at the end. ``connect``: seconds until it must be greeted."""
    place = f"NATS server {channel.host}:{channel.port}"
    made = await network.connect(channel.host, channel.port, place)
    try:
        reader, writer = await asyncio.open_connection(sock=made, limit=_LINE)
    except BaseException:
        made.close()
        raise
    try:
        opened = Line(reader, writer, place, most)
        try:
            async with asyncio.timeout(connect):
                await opened.greet(login, channel)
        except TimeoutError:
            raise CallError("timeout", f"{place}: no greeting within {connect:g} s") from None
        yield opened
    finally:
        writer.transport.abort()  # all that had to arrive was acknowledged
