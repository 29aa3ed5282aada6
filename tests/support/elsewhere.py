"""A NATS server that is none of the platform's, for workflows that call it by AsyncAPI."""

import asyncio
import json
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.local.topology import nats_server


@dataclass(frozen=True)
class Elsewhere:
    """A running server on loopback; ``monitor`` is the port of its monitoring."""

    port: int
    monitor: int

    async def subscribed(self, subject: str, count: int = 1) -> None:
        """Returns once so many have subscribed to just this subject. A server tells nobody: it is asked."""
        async with asyncio.timeout(30):
            while await asyncio.to_thread(self._count, subject) != count:  # noqa: ASYNC110 (it does not tell)
                await asyncio.sleep(0.02)

    def _count(self, subject: str) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}/connz?subs=1", timeout=5) as answer:
            found = json.load(answer)
        return sum(connection.get("subscriptions_list", []).count(subject) for connection in found["connections"])


@contextmanager
def nats_elsewhere(directory: Path, config: str = "") -> Iterator[Elsewhere]:
    """A server with more configuration, such as users; stopped at the end."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        made = Elsewhere(one.getsockname()[1], other.getsockname()[1])
    file = directory / "nats.conf"
    file.write_text(f"listen: 127.0.0.1:{made.port}\nhttp: 127.0.0.1:{made.monitor}\n{config}\n")
    with subprocess.Popen([nats_server(), "-c", str(file)], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if b"Server is ready" in line:
                break
        try:
            yield made
        finally:
            process.terminate()
            process.stderr.read()
