"""The service's own calls to the outside, with host names that stand for local stubs."""

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp
import msgspec
from yarl import URL

from services.workflow.calls import Limits, Outside, parse_networks
from services.workflow.calls.exchange import Exchange, Reply, Request
from services.workflow.calls.network import Network
from services.workflow.calls.problems import UNREACHABLE, CallError

LIMITS = Limits(allowed=parse_networks("127.0.0.0/8, ::1/128"), connect=5.0, total=30.0)
_LOCAL = ("localhost", "127.0.0.1", "::1")


def base_of(hosts: Mapping[str, str], host: str, port: int | None) -> str | None:
    """The stub's URL for a host, given as ``host`` or as ``host:port``."""
    return hosts.get(f"{host}:{port}") or hosts.get(host)


def mapped(url: URL, hosts: Mapping[str, str]) -> URL:
    """The stub's URL for a URL. Raises CallError for a host that is neither mapped nor local: nothing outside is ever
    called."""
    base = base_of(hosts, url.host or "", url.port)
    if base is None:
        if url.host in _LOCAL:
            return url
        raise CallError("communication", f"host {url.host} has no --map", UNREACHABLE)
    query = f"?{url.raw_query_string}" if url.raw_query_string else ""
    return URL(base.rstrip("/") + url.raw_path + query, encoded=True)


class _Exchange(Exchange):
    def __init__(self, session: aiohttp.ClientSession, hosts: Mapping[str, str]) -> None:
        super().__init__(session, LIMITS)
        self._hosts = hosts

    async def send(self, request: Request, max_answer: int | None = None) -> Reply:
        url, headers = mapped(request.url, self._hosts), request.headers
        if url != request.url:
            headers = headers | {"host": request.url.raw_authority}
        return await super().send(msgspec.structs.replace(request, url=url, headers=headers), max_answer)


class _Network(Network):
    def __init__(self, hosts: Mapping[str, str]) -> None:
        super().__init__(LIMITS)
        self._hosts = hosts

    async def connect(self, host: str, port: int, place: str) -> socket.socket:
        base = base_of(self._hosts, host, port)
        if base is not None:
            parts = urlsplit(base)
            host, port = parts.hostname or "", parts.port or port
        return await super().connect(host, port, place)


class MappedOutside(Outside):
    """Calls that end at stubs."""

    def __init__(self, hosts: Mapping[str, str]) -> None:
        super().__init__(LIMITS)
        self._hosts = hosts

    def network(self) -> Network:
        """Connects to the stubs of NATS servers."""
        return _Network(self._hosts)

    def exchange(self, session: aiohttp.ClientSession) -> Exchange:
        """Sends requests to stubs."""
        return _Exchange(session, self._hosts)
