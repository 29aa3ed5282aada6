"""A closed-loop HTTP load: each connection sends its next request when the answer to the last is whole.

python -m benchmarks.load URL CONNECTIONS SECONDS [HEADER …]

prints {"requests":…, "errors":…, "seconds":…, "latencies_ms":{…}}; a header is a line such as "Prefer: wait=30"
"""

import asyncio
import json
import sys
import time
import urllib.parse
from typing import cast

import httptools
import uvloop

BODY = b'{"x":3,"y":4,"msg":"hello world"}'


class Connection(asyncio.Protocol):
    """One connection; answers above status 399 count as errors."""

    def __init__(self, request: bytes, end: float, latencies: list[float]) -> None:
        self._request = request
        self._end = end
        self._latencies = latencies
        self.errors = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is none of asyncio's
        self._send()

    def _send(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        self._latencies.append(now - self._sent)
        self.errors += self._parser.get_status_code() >= 400
        if now < self._end:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.errors += error is not None
        if not self.done.done():
            self.done.set_result(None)


async def run(url: str, connections: int, seconds: float, headers: list[str]) -> dict[str, object]:
    """Loads ``url`` and returns what it counted; ``headers`` are lines of each request."""
    parts = urllib.parse.urlsplit(url)
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    head += "".join(f"{line}\r\n" for line in headers)
    request = f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    latencies: list[float] = []
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    end = began + seconds
    made = [
        await loop.create_connection(lambda: Connection(request, end, latencies), host, port)
        for _ in range(connections)
    ]
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(protocol.done for _, protocol in made))
    latencies.sort()
    quantiles = {f"p{q}": round(1000 * latencies[int(len(latencies) * q / 100)], 2) for q in (50, 90, 99)}
    return {
        "requests": len(latencies),
        "errors": sum(protocol.errors for _, protocol in made),
        "seconds": round(time.perf_counter() - began, 2),
        "latencies_ms": quantiles,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]))))
