"""A NATS client for one call: connects once, publishes or subscribes, ends.

Not the platform's own client: that one looks up addresses by itself, connects again to servers that a server names,
and takes messages of any size. Here the address is checked, there is one connection, and everything has a bound.
Protocol: https://docs.nats.io/reference/reference-protocols/nats-protocol
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

import msgspec

from services.workflow.calls.channels import Channel
from services.workflow.calls.network import Network
from services.workflow.calls.problems import BROKEN, CallError

_LINE = 1 << 16
"""Bytes of the longest line of the protocol that is read: INFO names all servers of a cluster."""
_VERSION = b"NATS/1.0"
_BEAT = 30.0
"""Seconds between signs of life on a subscription: a server that hears nothing for minutes asks for one, and
closes the connection when none comes. While messages have to wait here, the question would not be read."""


class Inbound(msgspec.Struct, frozen=True):
    """A message: headers by name, the last one of several."""

    headers: dict[str, str]
    body: bytes


class Line:
    """A connection that has been greeted. Raises CallError from everywhere."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: str, most: int) -> None:
        self._reader, self._writer, self._place = reader, writer, place
        self._most = most

    async def login(self, login: dict[str, str]) -> None:
        """CONNECT, and the server's word that it takes it."""
        options = {"verbose": False, "pedantic": False, "lang": "python", "version": "1", "protocol": 1}
        options |= {"headers": True, "no_responders": False, "echo": True, "name": "faas-workflow", **login}
        self._writer.write(b"CONNECT " + msgspec.json.encode(options) + b"\r\n")
        await self.flush()

    async def publish(self, subject: str, headers: dict[str, str], body: bytes) -> None:
        """Publishes a message and has the server say that it took it."""
        block = _VERSION + b"\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        block = block + b"\r\n" if headers else b""
        size = len(block) + len(body)
        if size > self._most:
            raise CallError("communication", f"{self._place}: a message of {size} bytes; {self._most} are allowed", 413)
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
        self._beat()
        try:
            while True:
                words = await self._line()
                if words.startswith((b"MSG ", b"HMSG ")):
                    yield await self._message(words.split(b" "))
                else:
                    await self._common(words)
        finally:
            self._beating.cancel()

    def _beat(self) -> None:
        self._writer.write(b"PING\r\n")
        self._beating = asyncio.get_running_loop().call_later(_BEAT, self._beat)

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

    def _broken(self, why: str) -> CallError:
        return _broken(self._place, why)


class Info(msgspec.Struct):
    """What a server says first."""

    tls_required: bool = False
    max_payload: int = 1 << 20


@contextlib.asynccontextmanager
async def line(
    network: Network, channel: Channel, login: dict[str, str], connect: float, most: int
) -> AsyncIterator[Line]:
    """A connection to a channel's server, closed at the end. ``connect``: seconds until it must be greeted."""
    place = f"NATS server {channel.host}:{channel.port}"
    made = await network.connect(channel.host, channel.port, place)
    try:
        async with asyncio.timeout(connect):
            opened, writer = await _greeted(network, made, channel, place, most)
    except TimeoutError:
        made.close()
        raise CallError("timeout", f"{place}: no greeting within {connect:g} s") from None
    except BaseException:
        made.close()
        raise
    try:
        try:
            async with asyncio.timeout(connect):
                await opened.login(login)
        except TimeoutError:
            raise CallError("timeout", f"{place}: no answer to the login within {connect:g} s") from None
        yield opened
    finally:
        writer.transport.abort()  # all that had to arrive was acknowledged


async def _greeted(
    network: Network, made: socket.socket, channel: Channel, place: str, most: int
) -> tuple[Line, asyncio.StreamWriter]:
    """Reads INFO from the socket itself, so that nothing that came in clear text is taken for what came by TLS."""
    loop, data = asyncio.get_running_loop(), b""
    while b"\r\n" not in data and len(data) < _LINE:
        try:
            more = await loop.sock_recv(made, _LINE)
        except OSError:
            more = b""
        if not more:
            raise _broken(place, "the connection broke")
        data += more
    words, _, rest = data.partition(b"\r\n")
    try:
        info = msgspec.json.decode(words.removeprefix(b"INFO "), type=Info)
    except (msgspec.DecodeError, RecursionError):
        info = None
    if info is None or not words.startswith(b"INFO ") or rest:
        raise _broken(place, "its greeting is not that of a NATS server")
    secure = channel.tls or info.tls_required
    try:
        reader, writer = await asyncio.open_connection(
            sock=made,
            limit=_LINE,
            ssl=network.tls if secure else None,
            server_hostname=channel.host if secure else None,
        )
    except (ssl.SSLError, OSError):
        raise _broken(place, "no TLS connection that can be trusted") from None
    return Line(reader, writer, place, min(most, info.max_payload)), writer


def _broken(place: str, why: str) -> CallError:
    return CallError("communication", f"{place}: {why}", BROKEN)
