"""One HTTP request and its answer, within limits."""

import asyncio
import zlib
from collections.abc import Callable

import aiohttp
import msgspec
from yarl import URL

from services.workflow.calls.limits import Limits
from services.workflow.calls.network import noting_refusals, unreachable
from services.workflow.calls.problems import BROKEN, CallError

ENCODINGS = "gzip, deflate"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request. ``place``: how errors call it, without what may be secret."""

    method: str
    url: URL
    headers: dict[str, str]
    body: bytes | None = None
    place: str


class Reply(msgspec.Struct, frozen=True):
    """An answer; headers of one name are in order. ``body`` is decompressed."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """The values of a header, joined as RFC 9110 says; empty when it has none."""
        return ", ".join(value for key, value in self.headers if key.lower() == name)


class Exchange:
    """Sends requests on connections of their own."""

    def __init__(self, session: aiohttp.ClientSession, limits: Limits) -> None:
        self._session = session
        self._limits = limits

    async def send(self, request: Request, max_answer: int | None = None) -> Reply:
        """The answer, whatever its status. Raises CallError."""
        size = len(request.body or b"")
        if size > self._limits.max_request:
            raise CallError(
                "communication", f"{request.place}: a body of {size} bytes; {self._limits.max_request} are allowed", 413
            )
        with noting_refusals() as refusals:
            try:
                async with self._session.request(
                    request.method, request.url, data=request.body, headers=request.headers, allow_redirects=False
                ) as answer:
                    headers = [(name, value) for name, value in answer.headers.items()]
                    limit = max_answer or self._limits.max_answer
                    return Reply(answer.status, headers, await _body(answer, limit, request.place))
            except aiohttp.ConnectionTimeoutError:
                seconds = self._limits.connect
                raise CallError("timeout", f"{request.place}: no connection within {seconds:g} s") from None
            except aiohttp.ClientConnectorCertificateError:
                raise CallError("communication", f"{request.place}: its certificate is not valid", BROKEN) from None
            except aiohttp.ClientConnectorSSLError:
                raise CallError("communication", f"{request.place}: no TLS connection", BROKEN) from None
            except aiohttp.ClientConnectorError:
                raise unreachable(request.place, refusals) from None
            except (aiohttp.InvalidURL, ValueError):
                raise CallError("configuration", f"{request.place}: not a request that HTTP allows") from None
            except (aiohttp.ClientError, _Broken, OSError) as error:
                why = "the connection broke" if isinstance(error, OSError) else "the answer is not complete HTTP"
                raise CallError("communication", f"{request.place}: {why}", BROKEN) from None


class _Broken(Exception):
    """A connection that ended early; of no type that makes the client send the request again on its own."""


async def once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Middleware for the session: aiohttp repeats a GET or PUT whose connection broke; here one attempt is one
    request, and the workflow's ``retry`` says how many there are."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Broken from error


async def _body(answer: aiohttp.ClientResponse, limit: int, place: str) -> bytes:
    declared = answer.content_length
    if declared is not None and declared > limit and answer.method != "HEAD":
        raise _too_large(place, f"{declared} bytes", limit)
    if answer.method == "HEAD":
        return b""
    expand = _decoder(answer.headers.get("Content-Encoding", ""), place)
    parts, size, received = [], 0, 0
    async for chunk in answer.content.iter_any():
        received += len(chunk)
        part = expand(chunk, limit - size + 1)
        size += len(part)
        if max(size, received) > limit:
            raise _too_large(place, f"more than {limit} bytes", limit)
        parts.append(part)
        await asyncio.sleep(0)  # a fast sender must not keep the loop from others
    return b"".join(parts)


def _too_large(place: str, found: str, limit: int) -> CallError:
    return CallError("communication", f"{place}: an answer of {found}; {limit} are allowed", BROKEN)


def _decoder(encoding: str, place: str) -> Callable[[bytes, int], bytes]:
    """Takes the next compressed bytes, gives at most so many bytes of them."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return lambda chunk, most: chunk
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise CallError("communication", f"{place}: an encoding that was not asked for ({ENCODINGS} were)", BROKEN)
    inflate: list[zlib._Decompress] = []

    def expand(chunk: bytes, most: int) -> bytes:
        made = b""
        while chunk and len(made) < most:
            if not inflate or inflate[0].eof:
                inflate[:] = [zlib.decompressobj(_window(encoding, chunk[0]))]
            try:
                made += inflate[0].decompress(chunk, most - len(made))
            except zlib.error:
                raise CallError("communication", f"{place}: the answer is not {encoding}", BROKEN) from None
            chunk = inflate[0].unused_data
        return made

    return expand


def _window(encoding: str, first: int) -> int:
    """zlib's window bits; ``deflate`` is sent with zlib's header, as it should be, and without."""
    if encoding != "deflate":
        return 31
    return 15 if first & 0x0F == 8 else -15
