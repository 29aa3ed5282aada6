"""The ``received`` events as they stand in the NATS client protocol, counted while they are read.

A client library makes an object, a queue entry and a task switch of each message: some 10 us, where one event is one
call of any Function. This makes an addition of it: 1 us. Everything else goes over the ordinary connection.
Source: NATS documentation, "Client Protocol".
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

import msgspec

from services.common.settings import Common, read_secret

log = logging.getLogger("scaler")

CONNECT_TIMEOUT = 2.0
RETRY_PAUSE = 0.1
"""Seconds between attempts: a restarted nats-server is found again soon."""
PING_INTERVAL = 2.0
LONGEST_SILENCE = 5.0
"""Seconds without a byte, though a PING was sent, after which the connection is given up."""
PAUSE = 0.004
"""Seconds for which reading rests while events come thick: each waking costs more than ten events do."""
_END = b"\r\n"


class FeedError(Exception):
    """The server refused the connection or said something unexpected; the message has its words."""


class Counter(asyncio.Protocol):
    """Adds each event to ``counts`` by its subject; ``unknown`` gets the subjects that are not in it."""

    def __init__(self, counts: dict[bytes, int], unknown: Callable[[bytes], None]) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.last_data = asyncio.get_running_loop().time()
        self._counts = counts
        self._unknown = unknown
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def attach(self, transport: asyncio.Transport) -> None:
        """Takes over a connection that is logged in."""
        self._transport = transport
        transport.set_protocol(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Counts what is whole and keeps the rest."""
        if self._rest:
            data = self._rest + data
        counts, begin, messages = self._counts, 0, 0
        end = data.find(_END)
        while end >= 0:
            line = data[begin:end]
            if line.startswith(b"MSG "):
                # MSG <subject> <sid> [reply-to] <#bytes>␍␊[payload]␍␊
                fields = line.split()
                after = end + 4 + int(fields[-1])
                if after > len(data):
                    break
                messages += 1
                try:
                    counts[fields[1]] += 1
                except KeyError:
                    self._unknown(fields[1])
                begin = after
            else:
                self._control(line)
                begin = end + 2
            end = data.find(_END, begin)
        self._rest = data[begin:]
        self._rest_a_while(messages)

    def _control(self, line: bytes) -> None:
        if line == b"PING" and self._transport is not None:
            self._transport.write(b"PONG\r\n")
        elif line.startswith(b"-ERR"):
            log.warning("nats: %s", line[4:].decode(errors="replace").strip())

    def _rest_a_while(self, messages: int) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if messages and now - self.last_data < 1.5 * PAUSE and self._transport is not None:
            self._transport.pause_reading()
            loop.call_later(PAUSE, self._go_on)
        self.last_data = now

    def _go_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()


class Feed:
    """A connection that listens on one subject and is made anew whenever it is lost."""

    def __init__(
        self, settings: Common, subject: str, counts: dict[bytes, int], unknown: Callable[[bytes], None]
    ) -> None:
        self._settings = settings
        self._subject = subject
        self._counts = counts
        self._unknown = unknown
        self._connections = 0
        self._connected = False

    @property
    def connection(self) -> int | None:
        """The number of the present connection; None while there is none."""
        return self._connections if self._connected else None

    async def run(self) -> None:
        """Listens until cancelled; a server that is away is asked again and again."""
        servers = self._settings.nats_url.split(",")
        told = ""
        for attempt in range(2**62):
            try:
                await self._listen(servers[attempt % len(servers)])
                trouble = "it was lost"
            except (OSError, TimeoutError, FeedError) as error:
                trouble = str(error) or type(error).__name__
            # an outage is told once, not ten times a second
            told = "" if self._connected else told
            log.log(
                logging.DEBUG if trouble == told else logging.WARNING, "nats: no connection for events: %s", trouble
            )
            told, self._connected = trouble, False
            await asyncio.sleep(RETRY_PAUSE)

    async def _listen(self, url: str) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            writer = await self._log_in(url)  # kept until the end: the transport is closed with it
        transport = cast(asyncio.Transport, writer.transport)
        counter = Counter(self._counts, self._unknown)
        try:
            counter.attach(transport)
            transport.write(f"SUB {self._subject} 1\r\n".encode())
            self._connections += 1
            self._connected = True
            await self._watch_over(counter, transport)
        finally:
            transport.abort()

    async def _watch_over(self, counter: Counter, transport: asyncio.Transport) -> None:
        while not counter.lost.done():
            transport.write(b"PING\r\n")
            await asyncio.wait([counter.lost], timeout=PING_INTERVAL)
            if asyncio.get_running_loop().time() - counter.last_data > LONGEST_SILENCE:
                raise FeedError(f"nothing was heard for {LONGEST_SILENCE:g} s")

    async def _log_in(self, url: str) -> asyncio.StreamWriter:
        address = urlsplit(url if "://" in url else f"nats://{url}")
        reader, writer = await asyncio.open_connection(address.hostname, address.port or 4222)
        try:
            info = (await reader.readline()).partition(b"INFO ")[2]
            if msgspec.json.decode(info or b"{}", type=_Info).tls_required:
                await writer.start_tls(ssl.create_default_context(), server_hostname=address.hostname)
            login = {
                "verbose": False,
                "pedantic": False,
                "protocol": 1,
                "lang": "python",
                "version": "1",
                "name": "scaler-events",
                "user": address.username or self._settings.nats_user,
                "pass": address.password or read_secret(self._settings.nats_password_file),
            }
            writer.write(b"CONNECT " + msgspec.json.encode(login) + b"\r\nPING\r\n")
            answer = await reader.readline()
            if answer != b"PONG\r\n":
                raise FeedError(answer.decode(errors="replace").strip() or "the server closed the connection")
        except BaseException:
            writer.transport.abort()
            raise
        return writer


class _Info(msgspec.Struct):
    tls_required: bool = False
