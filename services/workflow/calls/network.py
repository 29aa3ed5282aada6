"""Sockets to addresses that calls may connect to, and to no others.

The address is checked where a socket is made for it, after every look-up: a name that first has a public address and
then a private one (DNS rebinding), a redirect, or an odd writing of an address (``0x7f.1``) changes nothing.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from services.workflow.calls.addresses import refusal
from services.workflow.calls.limits import Limits
from services.workflow.calls.problems import UNREACHABLE, CallError

_refusals: ContextVar[list[str]] = ContextVar("refusals")
"""Where the refusals of the connection being made are noted: the client in between tells errors apart by text alone."""


_LOOK_UPS = 64
"""Names that are looked up at once."""
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class AddressRefused(OSError):
    """The address is not for workflows."""


class Names(AbstractResolver):
    """The system's look-up, in threads of its own: a name whose servers do not answer holds one up for a long time."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOK_UPS, "names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises OSError."""
        work = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, family=family)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        return [
            ResolveResult(
                hostname=host, host=str(address[0]), port=int(address[1]), family=kind, proto=protocol, flags=_NUMERIC
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Waits for no look-up."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Network:
    """Makes connections. ``resolver``: looks up names; None takes the system's."""

    def __init__(self, limits: Limits, resolver: AbstractResolver | None = None) -> None:
        self._limits = limits
        self._resolver = resolver or Names()
        self.tls = ssl.create_default_context()
        """Trusts whom the system trusts, or the file that SSL_CERT_FILE names."""

    def connector(self) -> aiohttp.TCPConnector:
        """For an HTTP client. No connection is used twice: on one that its server is just closing, a request would
        fail without anybody knowing whether it was carried out."""
        return aiohttp.TCPConnector(
            resolver=self._resolver,
            socket_factory=self._socket,
            force_close=True,
            limit=0,
            use_dns_cache=False,
            ssl=self.tls,
        )

    async def close(self) -> None:
        """Ends what looks up names."""
        await self._resolver.close()

    async def connect(self, host: str, port: int, place: str) -> socket.socket:
        """A connected socket. Raises CallError; ``place`` is how its text calls the other side."""
        with noting_refusals() as refusals:
            try:
                async with asyncio.timeout(self._limits.connect):
                    return await self._first(host, port)
            except TimeoutError:
                raise CallError("timeout", f"{place}: no connection within {self._limits.connect:g} s") from None
            except OSError:
                raise unreachable(place, refusals) from None

    async def _first(self, host: str, port: int) -> socket.socket:
        loop, last = asyncio.get_running_loop(), OSError("the name has no address")
        for found in await self._resolver.resolve(host, port, socket.AF_UNSPEC):
            try:
                made = self._socket((found["family"], socket.SOCK_STREAM, found["proto"], "", _address(found)))
            except OSError as error:
                last = error
                continue
            try:
                made.setblocking(False)
                await loop.sock_connect(made, _address(found))
                return made
            except OSError as error:
                made.close()
                last = error
            except BaseException:
                made.close()
                raise
        raise last

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        why = refusal(address[0], self._limits.allowed)
        if why is not None:
            _refusals.get([]).append(f"the address {address[0]} is {why}")
            raise AddressRefused(f"the address {address[0]} is {why}")
        return socket.socket(family, kind, protocol)


def _address(found: ResolveResult) -> tuple[Any, ...]:
    if found["family"] == socket.AF_INET6:
        return found["host"], found["port"], 0, 0
    return found["host"], found["port"]


@contextlib.contextmanager
def noting_refusals() -> Iterator[list[str]]:
    """The refusals of connections that are made inside, as they come."""
    refusals: list[str] = []
    token = _refusals.set(refusals)
    try:
        yield refusals
    finally:
        _refusals.reset(token)


def unreachable(place: str, refusals: list[str]) -> CallError:
    """Why no connection was made."""
    if refusals:
        hint = "workflows may not call it unless the operator lists it in FAAS_ALLOWED_ADDRESSES"
        return CallError("authorization", f"{place}: {refusals[0]}: {hint}")
    return CallError("communication", f"{place}: can't connect", UNREACHABLE)
