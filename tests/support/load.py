"""Steady load on one function in the background of a test, with each call's fate written down."""

import asyncio
import json
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.patience import PATIENCE

COUNTING = """
def handle(event):
    with open(event["file"], "a") as file:
        file.write(event["id"] + "\\n")
    return event["id"]
"""
"""A function that leaves one line for every time it runs; O_APPEND keeps short lines whole."""


@dataclass
class Call:
    """One call: ``status`` is 0 when the connection broke or was refused before an answer."""

    id: str
    began: float
    seconds: float
    status: int
    body: bytes = b""


@dataclass
class Load:
    """What a load did. ``file`` has the effects of ``COUNTING``."""

    calls: list[Call] = field(default_factory=list)
    file: Path = Path()

    def statuses(self) -> Counter[int]:
        """How many calls ended with which status."""
        return Counter(call.status for call in self.calls)

    def slowest(self) -> float:
        """Seconds that the longest call took."""
        return max(call.seconds for call in self.calls)

    def effects(self) -> Counter[str]:
        """How often each call's function ran."""
        return Counter(self.file.read_text().split()) if self.file.exists() else Counter()

    def ran_twice(self) -> list[str]:
        """Ids of the calls whose function ran more than once."""
        return [id_ for id_, times in self.effects().items() if times > 1]

    def answered_after(self, moment: float) -> list[Call]:
        """Successful calls that began after ``moment`` (monotonic)."""
        return [call for call in self.calls if call.began > moment and call.status == 200]

    def wait_for_success(self, after: float, seconds: float = PATIENCE) -> float:
        """Waits until a call that began after ``after`` has succeeded; how long after it was answered."""
        deadline = time.monotonic() + seconds
        while not (found := self.answered_after(after)):
            assert time.monotonic() < deadline, f"no call succeeded within {seconds} s: {self.statuses()}"
            time.sleep(0.02)  # the load runs in a thread of its own and has nothing to notify with
        return min(call.began + call.seconds for call in found) - after


@contextmanager
def running_load(
    url: str, file: Path, workers: int = 8, headers: Mapping[str, str] | None = None, pause: float = 0.0
) -> Iterator[Load]:
    """Calls ``url`` with ``workers`` closed loops until the block ends; every call is over then."""
    load, stop = Load(file=file), threading.Event()

    def main() -> None:
        asyncio.run(_run(load, url, stop, workers, dict(headers or {}), pause))

    thread = threading.Thread(target=main)
    thread.start()
    try:
        yield load
    finally:
        stop.set()
        thread.join(120)
        assert not thread.is_alive(), "a call hangs"


async def _run(
    load: Load, url: str, stop: threading.Event, workers: int, headers: dict[str, str], pause: float
) -> None:
    async with asyncio.TaskGroup() as tasks:
        for number in range(workers):
            tasks.create_task(_worker(load, url, stop, number, headers, pause))


async def _worker(
    load: Load, url: str, stop: threading.Event, number: int, headers: dict[str, str], pause: float
) -> None:
    parts, count = urllib.parse.urlsplit(url), 0
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    while not stop.is_set():
        count += 1
        call = Call(f"{number}-{count}", time.monotonic(), 0.0, 0)
        try:
            if reader is None or writer is None:
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
            body = json.dumps({"id": call.id, "file": str(load.file)}).encode()
            call.status, call.body, keep = await _post(reader, writer, parts, body, headers)
            if not keep:
                writer.close()
                reader = writer = None
        except (OSError, asyncio.IncompleteReadError, ValueError):
            if writer is not None:
                writer.close()
            reader = writer = None
            await asyncio.sleep(0.02)  # nobody listens: do not spin
        call.seconds = time.monotonic() - call.began
        load.calls.append(call)
        if pause:
            await asyncio.sleep(pause)
    if writer is not None:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _post(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    parts: urllib.parse.SplitResult,
    body: bytes,
    headers: dict[str, str],
) -> tuple[int, bytes, bool]:
    lines = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}", *(f"{key}: {value}" for key, value in headers.items())]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    return int(head.split()[1]), await reader.readexactly(length), "connection: close" not in head
